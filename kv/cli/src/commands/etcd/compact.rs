//! `kv etcd compact`: a compaction while no etcd runs.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv_etcd::mvcc::CompactRequest;

use super::store;
use crate::failure::Result;
use crate::terminal::Terminal;

/// Forget what no read at a revision or later needs, in the database of an etcd that is stopped
///
/// The file keeps its size; `kv compact` makes a small copy.
#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// etcd's database, which no etcd may have open
    pub(crate) file: PathBuf,

    /// The oldest revision that stays readable
    #[arg(long)]
    rev: i64,
}

impl Compact {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let store = store::to_write(&self.file, terminal)?;
        let busy = terminal.progress.busy("compacting");
        let done = store.compact(CompactRequest { revision: self.rev, physical: true });
        busy.finish_and_clear();
        let done = done.map_err(store::refused)?;
        store.close().map_err(store::refused)?;
        Ok(writeln!(terminal.out, "compacted to revision {}; the newest is {}", self.rev, done.revision)?)
    }
}
