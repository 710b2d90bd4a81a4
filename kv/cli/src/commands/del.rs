//! `kv del`: delete a key or a bucket.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, bucket_mut, no_key};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::{Parse, quoted_or_hex};
use crate::terminal::Terminal;

/// Delete a key, or with --bucket a bucket and everything in it
///
/// The exit code is 1 if there is no such key or bucket.
#[derive(Debug, Args)]
#[command(
    override_usage = "kv del [OPTIONS] <FILE> <BUCKET>... <KEY>
       kv del [OPTIONS] --bucket <FILE> <BUCKET>...",
    after_help = "\
Examples:
  kv del FILE users ada
  kv del --bucket FILE users archive    the bucket `archive` inside `users`

`kv surgery revert-meta-page` can undo the deletion until the next transaction."
)]
pub(crate) struct Del {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first, then the key
    #[arg(required = true, num_args = 1.., value_name = "PATH", allow_negative_numbers = true)]
    path: Vec<String>,

    /// Delete the bucket that the arguments name
    #[arg(long, conflicts_with = "parse_format")]
    bucket: bool,

    /// How the key is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    #[command(flatten)]
    names: BucketFormat,
}

impl Del {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.bucket { self.delete_bucket(terminal) } else { self.delete_key(terminal) }
    }

    fn delete_key(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.path.len() < 2 {
            return Err(Failure::Usage(
                "give a bucket and a key: FILE BUCKET... KEY; --bucket deletes a bucket".into(),
            ));
        }
        let (path, key) = self.names.names_and_last(&self.path)?;
        let key = self.parse_format.bytes(key)?;
        let db = open::to_write(&self.file, terminal)?;
        db.try_update(|tx| match bucket_mut(tx, &path)?.delete(&key) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(no_key(&key, &path, |other| bucket_mut(tx, &path)?.get(other).map(|value| value.is_some())))
            }
            Err(kv::Error::IncompatibleValue { .. }) => {
                Err(Failure::Problem(format!("{} is a bucket, not a key: --bucket deletes it", quoted_or_hex(&key))))
            }
            Err(error) => Err(error.into()),
        })?;
        Ok(db.close()?)
    }

    fn delete_bucket(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let path = self.names.names(&self.path)?;
        let Some((name, parent)) = path.split_last() else {
            return Err(Failure::Usage("give a bucket: FILE BUCKET...".into()));
        };
        let db = open::to_write(&self.file, terminal)?;
        db.update(|tx| {
            if parent.is_empty() { tx.delete_bucket(name) } else { bucket_mut(tx, parent)?.delete_bucket(name) }
        })?;
        Ok(db.close()?)
    }
}
