//! `kv stats`: figures about buckets.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::BucketStats;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::Parse;
use crate::terminal::Terminal;

/// Count pages, keys and bytes of all buckets, or of those whose names begin with PREFIX
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// The database
    pub(crate) file: PathBuf,

    /// How the names of the buckets begin
    prefix: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    top_level_buckets: u64,
    branch_pages: u64,
    branch_overflow_pages: u64,
    leaf_pages: u64,
    leaf_overflow_pages: u64,
    keys: u64,
    depth: u64,
    branch_bytes: u64,
    branch_bytes_used: u64,
    leaf_bytes: u64,
    leaf_bytes_used: u64,
    buckets: u64,
    inline_buckets: u64,
    inline_bytes_used: u64,
}

impl Figures {
    fn new(stats: &BucketStats, top_level_buckets: u64) -> Self {
        Self {
            top_level_buckets,
            branch_pages: stats.branch_pages,
            branch_overflow_pages: stats.branch_overflow_pages,
            leaf_pages: stats.leaf_pages,
            leaf_overflow_pages: stats.leaf_overflow_pages,
            keys: stats.items,
            depth: stats.depth,
            branch_bytes: stats.branch_bytes,
            branch_bytes_used: stats.branch_bytes_used,
            leaf_bytes: stats.leaf_bytes,
            leaf_bytes_used: stats.leaf_bytes_used,
            buckets: stats.buckets,
            inline_buckets: stats.inline_buckets,
            inline_bytes_used: stats.inline_bytes_used,
        }
    }
}

impl Stats {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let prefix = Parse::default().bytes(self.prefix.as_deref().unwrap_or_default())?;
        let busy = terminal.progress.busy("counting");
        let (mut stats, mut buckets) = (BucketStats::default(), 0u64);
        for found in tx.buckets() {
            let (name, bucket) = found?;
            if name.starts_with(&prefix) {
                stats.add(&bucket.stats()?);
                buckets += 1;
            }
        }
        busy.finish_and_clear();
        if let Some(prefix) = self.prefix.as_ref().filter(|_| buckets == 0) {
            return Err(Failure::Problem(format!(
                "there is no bucket at the top level whose name begins with {prefix:?}: `kv buckets` lists those there are"
            )));
        }
        if self.json {
            terminal.json(&Figures::new(&stats, buckets))
        } else {
            print(&stats, buckets, &mut terminal.out)
        }
    }
}

fn print(stats: &BucketStats, buckets: u64, out: &mut impl Write) -> Result<()> {
    let s = stats;
    writeln!(out, "Aggregate statistics for {buckets} buckets\n")?;
    writeln!(out, "Page count statistics")?;
    writeln!(out, "\tNumber of logical branch pages: {}", s.branch_pages)?;
    writeln!(out, "\tNumber of physical branch overflow pages: {}", s.branch_overflow_pages)?;
    writeln!(out, "\tNumber of logical leaf pages: {}", s.leaf_pages)?;
    writeln!(out, "\tNumber of physical leaf overflow pages: {}", s.leaf_overflow_pages)?;
    writeln!(out, "Tree statistics")?;
    writeln!(out, "\tNumber of keys/value pairs: {}", s.items)?;
    writeln!(out, "\tNumber of levels in B+tree: {}", s.depth)?;
    writeln!(out, "Page size utilization")?;
    writeln!(out, "\tBytes allocated for physical branch pages: {}", s.branch_bytes)?;
    let share = percent(s.branch_bytes_used, s.branch_bytes);
    writeln!(out, "\tBytes actually used for branch data: {} ({share}%)", s.branch_bytes_used)?;
    writeln!(out, "\tBytes allocated for physical leaf pages: {}", s.leaf_bytes)?;
    let share = percent(s.leaf_bytes_used, s.leaf_bytes);
    writeln!(out, "\tBytes actually used for leaf data: {} ({share}%)", s.leaf_bytes_used)?;
    writeln!(out, "Bucket statistics")?;
    writeln!(out, "\tTotal number of buckets: {}", s.buckets)?;
    let share = percent(s.inline_buckets, s.buckets);
    writeln!(out, "\tTotal number on inlined buckets: {} ({share}%)", s.inline_buckets)?;
    let share = percent(s.inline_bytes_used, s.leaf_bytes_used);
    writeln!(out, "\tBytes used for inlined buckets: {} ({share}%)", s.inline_bytes_used)?;
    Ok(())
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}
