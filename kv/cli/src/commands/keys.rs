//! `kv keys`: the keys of a bucket.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, bucket};
use crate::arguments::listing::Listing;
use crate::failure::Result;
use crate::files::open;
use crate::terminal::Terminal;

/// List the keys of a bucket, one a line, including the names of nested buckets
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv keys FILE users
  kv keys FILE users archive          the bucket `archive` inside `users`
  kv keys --format hex db key | head  etcd's revisions")]
pub(crate) struct Keys {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first
    #[arg(required = true, value_name = "BUCKET")]
    path: Vec<String>,

    #[command(flatten)]
    listing: Listing,

    #[command(flatten)]
    names: BucketFormat,
}

impl Keys {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let path = self.names.names(&self.path)?;
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let mut names = bucket(&tx, &path)?.items(..).map(|item| item.map(|(key, _)| key));
        self.listing.print(&mut names, &mut terminal.out)
    }
}
