//! `kv keys`: the keys of a bucket.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bounds::Bounds;
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
  kv keys FILE users --prefix a --limit 10
  kv keys FILE users --from m --reverse
  kv keys FILE key | head             etcd's revisions: bytes that are no text, as hex:0000...

What is shown as hex:... is taken back by every command: kv get FILE key hex:0000...")]
pub(crate) struct Keys {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first
    #[arg(required = true, value_name = "BUCKET")]
    path: Vec<String>,

    #[command(flatten)]
    bounds: Bounds,

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
        let items = bucket(&tx, &path)?.items(self.bounds.range()?);
        let mut names = self.bounds.choose(items).map(|item| item.map(|(key, _)| key));
        self.listing.print(&mut names, &mut terminal.out)
    }
}
