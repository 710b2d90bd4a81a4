//! `kv put`: store a value.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, bucket_mut};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::Parse;
use crate::terminal::Terminal;

/// Store a value, in one transaction
#[derive(Debug, Args)]
#[command(
    override_usage = "kv put [OPTIONS] <FILE> <BUCKET>... <KEY> <VALUE>
       kv put [OPTIONS] --value-from <SOURCE> <FILE> <BUCKET>... <KEY>",
    after_help = "\
The bucket must exist: `kv create FILE BUCKET` makes it. An existing value of the key is replaced.

Examples:
  kv put FILE users ada 1815
  kv put FILE outer inner key value           nested buckets, outermost first
  kv put FILE notes today -- '- buy milk'     no options after --
  kv put --value-format hex FILE flags bits 00ff
  kv put --value-from logo.png FILE images logo.png
  date | kv put --value-from - FILE log today"
)]
pub(crate) struct Put {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first, then the key, then the value unless --value-from is given
    #[arg(required = true, num_args = 1.., value_name = "PATH", allow_negative_numbers = true)]
    path: Vec<String>,

    /// How the key is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    /// How the value is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    value_format: Parse,

    /// Read the value from a file, or from standard input with `-`
    #[arg(long, value_name = "SOURCE", conflicts_with = "value_format")]
    value_from: Option<PathBuf>,

    #[command(flatten)]
    names: BucketFormat,
}

impl Put {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (value, rest) = match (&self.value_from, self.path.split_last()) {
            (Some(source), _) => (read(source, &mut terminal.input)?, &self.path[..]),
            (None, Some((value, rest))) => (self.value_format.bytes(value)?, rest),
            (None, None) => (Vec::new(), &[][..]),
        };
        if rest.len() < 2 {
            return Err(Failure::Usage("give a bucket, a key and a value: FILE BUCKET... KEY VALUE".into()));
        }
        let (path, key) = self.names.names_and_last(rest)?;
        let key = self.parse_format.bytes(key)?;
        let db = open::to_write(&self.file, terminal)?;
        db.update(|tx| bucket_mut(tx, &path)?.put(&key, &value))?;
        Ok(db.close()?)
    }
}

fn read(source: &Path, input: &mut dyn Read) -> Result<Vec<u8>> {
    if source == Path::new("-") {
        let mut value = Vec::new();
        let read = input.read_to_end(&mut value);
        return read.map(|_| value).map_err(|error| Failure::Refused(format!("cannot read standard input: {error}")));
    }
    std::fs::read(source).map_err(|error| Failure::refused("read", source, &error))
}
