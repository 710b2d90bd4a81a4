//! `kv etcd status`: what a database or snapshot holds.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv_etcd::mvcc::RangeRequest;
use serde::Serialize;

use super::store;
use crate::failure::Result;
use crate::terminal::Terminal;

/// Show revisions, keys, leases and size of etcd's database or snapshot
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    revision: i64,
    compact_revision: i64,
    keys: i64,
    leases: u64,
    bytes: i64,
    bytes_in_use: i64,
    consistent_index: u64,
    term: u64,
    members: Vec<String>,
}

impl Status {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let store = store::to_read(&self.file, terminal)?;
        let status = store.status();
        let all = RangeRequest { count_only: true, ..RangeRequest::prefix("") };
        let figures = Figures {
            revision: status.revision,
            compact_revision: status.compact_revision,
            keys: store.range(all).map_err(store::refused)?.count,
            leases: status.leases,
            bytes: status.db_size,
            bytes_in_use: status.db_size_in_use,
            consistent_index: status.consistent_index,
            term: status.term,
            members: store.members().map_err(store::refused)?.into_iter().map(|(_, json)| json).collect(),
        };
        if self.json {
            return terminal.json(&figures);
        }
        let out = &mut terminal.out;
        writeln!(out, "Revision: {}", figures.revision)?;
        writeln!(out, "Compacted revision: {}", figures.compact_revision)?;
        writeln!(out, "Keys: {}", figures.keys)?;
        writeln!(out, "Leases: {}", figures.leases)?;
        writeln!(out, "Bytes: {}, {} in use", figures.bytes, figures.bytes_in_use)?;
        writeln!(out, "Consistent index: {}, term {}", figures.consistent_index, figures.term)?;
        for member in &figures.members {
            writeln!(out, "Member: {member}")?;
        }
        Ok(())
    }
}
