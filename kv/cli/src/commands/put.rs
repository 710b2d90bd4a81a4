//! `kv put`: store a value.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, bucket_mut};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::Parse;
use crate::terminal::Terminal;

/// Store a value, in a transaction of its own
#[derive(Debug, Args)]
#[command(
    override_usage = "kv put [OPTIONS] <FILE> <BUCKET>... <KEY> <VALUE>
       kv put [OPTIONS] --value-from <SOURCE> <FILE> <BUCKET>... <KEY>",
    after_help = "\
The bucket must be there: `kv create FILE BUCKET` makes it. A value that the key has already is replaced.

Examples:
  kv put FILE users ada 1815
  kv put FILE outer inner key value           nested buckets, outermost first
  kv put FILE notes today -- '- buy milk'     after --, nothing is an option
  kv put --value-format hex FILE flags bits 00ff
  kv put --value-from logo.png FILE images logo.png
  date | kv put --value-from - FILE log today"
)]
pub(crate) struct Put {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, from the outermost, then the key, then the value unless --value-from is given
    #[arg(required = true, num_args = 1.., value_name = "PATH", allow_negative_numbers = true)]
    path: Vec<String>,

    /// How the key is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    /// How the value is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    value_format: Parse,

    /// Take the value from a file, or with `-` from standard input
    #[arg(long, value_name = "SOURCE", conflicts_with = "value_format")]
    value_from: Option<PathBuf>,

    #[command(flatten)]
    names: BucketFormat,
}

impl Put {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let (value, rest) = match (&self.value_from, self.path.split_last()) {
            (Some(source), _) => (read(source)?, &self.path[..]),
            (None, Some((value, rest))) => (self.value_format.argument(value)?, rest),
            (None, None) => (Vec::new(), &[][..]),
        };
        if rest.len() < 2 {
            return Err(Failure::Usage("a bucket, a key and a value are needed: FILE BUCKET... KEY VALUE".into()));
        }
        let (path, key) = self.names.names_and_last(rest)?;
        let key = self.parse_format.argument(key)?;
        let db = open::to_write(&self.file, terminal)?;
        db.update(|tx| bucket_mut(tx, &path)?.put(&key, &value))?;
        Ok(db.close()?)
    }
}

fn read(source: &Path) -> Result<Vec<u8>> {
    if source == Path::new("-") {
        let mut value = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut value);
        return read.map(|_| value).map_err(|error| Failure::Refused(format!("cannot read standard input: {error}")));
    }
    std::fs::read(source).map_err(|error| Failure::refused("read", source, &error))
}
