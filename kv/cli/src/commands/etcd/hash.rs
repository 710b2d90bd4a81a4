//! `kv etcd hash`: the hash that members of a cluster compare.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::store;
use crate::failure::Result;
use crate::terminal::Terminal;

/// Print the hash of all rows up to a revision, as `etcdctl endpoint hashkv` does
#[derive(Debug, Args)]
pub(crate) struct Hash {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// The revision [default: the newest]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    rev: i64,

    /// Print JSON, with the revisions
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    hash: u32,
    hash_revision: i64,
    compact_revision: i64,
}

impl Hash {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let store = store::to_read(&self.file, terminal)?;
        let done = store.hash_kv(self.rev).map_err(store::refused)?;
        if self.json {
            let (hash, hash_revision, compact_revision) = (done.hash, done.hash_revision, done.compact_revision);
            return terminal.json(&Figures { hash, hash_revision, compact_revision });
        }
        Ok(writeln!(terminal.out, "{}", done.hash)?)
    }
}
