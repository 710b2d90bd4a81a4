//! `kv buckets`: the names of buckets.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::bucket_path::{BucketFormat, bucket};
use crate::arguments::listing::Listing;
use crate::failure::Result;
use crate::files::open;
use crate::terminal::Terminal;

/// List the buckets at the top level, or those inside another, one a line
#[derive(Debug, Args)]
pub(crate) struct Buckets {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket to look into, outermost first
    #[arg(value_name = "BUCKET")]
    path: Vec<String>,

    #[command(flatten)]
    listing: Listing,

    #[command(flatten)]
    names: BucketFormat,
}

impl Buckets {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let path = self.names.names(&self.path)?;
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let mut names = bucket(&tx, &path)?.buckets().map(|found| found.map(|(name, _)| name));
        self.listing.print(&mut names, &mut terminal.out)
    }
}
