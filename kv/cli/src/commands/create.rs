//! `kv create`: a new database, a new bucket.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, create};
use crate::failure::{Failure, Result};
use crate::files::new_file::refuse_existing;
use crate::files::open;
use crate::terminal::Terminal;

/// Make a database, or a bucket in one
///
/// Without a bucket, the file must not exist. With one, makes the file and the buckets around it if they are missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv create FILE                      an empty database
  kv create FILE users                a bucket
  kv create FILE users archive        a bucket inside another
  kv create --page-size 16384 FILE")]
pub(crate) struct Create {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first
    #[arg(value_name = "BUCKET")]
    path: Vec<String>,

    /// Bytes of a page in a new file: a power of two from 1024 to 65536
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    page_size: u32,

    #[command(flatten)]
    names: BucketFormat,
}

impl Create {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let path = self.names.names(&self.path)?;
        if path.is_empty() {
            refuse_existing(&self.file)?;
        }
        let options = open::one_transaction(terminal).page_size(self.page_size);
        let db = open::or_create(&self.file, options, terminal.progress)?;
        open::note_wrong_list(&db, &self.file, terminal);
        if !path.is_empty() {
            db.update(|tx| {
                let (name, parent) = path.split_last().ok_or(kv::Error::BucketNameRequired)?;
                if parent.is_empty() {
                    return tx.create_bucket(name).map(drop);
                }
                create(tx, parent)?.create_bucket(name).map(drop)
            })
            .map_err(|error| match error {
                kv::Error::BucketExists { .. } => Failure::Problem("the bucket exists already".into()),
                other => other.into(),
            })?;
        }
        Ok(db.close()?)
    }
}
