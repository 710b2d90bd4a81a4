//! `kv keys`: the keys of a bucket.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bounds::Bounds;
use crate::arguments::bucket_path::{BucketFormat, bucket};
use crate::arguments::listing::Listing;
use crate::failure::Result;
use crate::files::walk::walk;
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
  kv keys --live --across-commits FILE key    while an etcd commits all the time

What is shown as hex:... is taken back by every command: kv get FILE key hex:0000...")]
pub(crate) struct Keys {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first
    #[arg(required = true, value_name = "BUCKET")]
    path: Vec<String>,

    #[command(flatten)]
    pub(crate) bounds: Bounds,

    #[command(flatten)]
    listing: Listing,

    #[command(flatten)]
    names: BucketFormat,
}

impl Keys {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let path = self.names.names(&self.path)?;
        let (mut list, mut rest) = (self.listing.begin(), self.bounds.keys()?);
        walk(&self.file, self.bounds.across_commits, &mut rest, terminal, |tx, rest, out| {
            for item in rest.choose(bucket(tx, &path)?.items(rest.range())) {
                let (key, _) = item?;
                list.name(key, out)?;
                rest.passed(key);
            }
            Ok(())
        })?;
        list.end(&mut terminal.out)
    }
}
