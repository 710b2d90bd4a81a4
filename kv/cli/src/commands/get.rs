//! `kv get`: one value.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, bucket, no_key};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::{Encoding, Format, Parse, Record, quoted_or_hex};
use crate::terminal::Terminal;

/// Print the value of a key
///
/// The exit code is 1 if there is no such key or bucket.
#[derive(Debug, Args)]
#[command(
    override_usage = "kv get [OPTIONS] <FILE> <BUCKET>... <KEY>",
    after_help = "\
Examples:
  kv get FILE users ada
  kv get FILE outer inner key                           nested buckets, outermost first
  kv get FILE key hex:00000000000000035f0000000000000001
                                                        bytes, as `kv keys` shows them
  kv get --format bytes FILE images logo.png > logo.png
  kv get --json FILE users ada                          {\"bucket\":[\"users\"],\"key\":\"ada\",\"value\":\"1815\"}"
)]
pub(crate) struct Get {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first, then the key
    #[arg(required = true, num_args = 1.., value_name = "PATH", allow_negative_numbers = true)]
    path: Vec<String>,

    /// How the key is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    /// How the value is shown; `bytes` adds no newline
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// Print the pair as JSON, a line as `kv export` prints it
    #[arg(long, conflicts_with = "format")]
    json: bool,

    #[command(flatten)]
    names: BucketFormat,
}

impl Get {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (path, key) = self.names.names_and_last(&self.path)?;
        let key = self.parse_format.bytes(key)?;
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let bucket = bucket(&tx, &path)?;
        match bucket.get(&key)? {
            Some(value) if self.json => {
                let pair = Record::pair(Encoding::Text, path.iter().map(Vec::as_slice), &key, value);
                Ok(pair.writeln(&mut terminal.out)?)
            }
            Some(value) if self.format == Format::Bytes => Ok(self.format.write(&mut terminal.out, value)?),
            Some(value) => Ok(self.format.writeln(&mut terminal.out, value)?),
            None if bucket.contains(&key)? => Err(Failure::Problem(format!(
                "{} is a bucket, not a key: `kv keys` lists what is in it",
                quoted_or_hex(&key)
            ))),
            None => Err(no_key(&key, &path, |other| bucket.contains(other))),
        }
    }
}
