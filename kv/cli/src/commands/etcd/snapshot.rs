//! `kv etcd snapshot`: a copy that etcd's tools restore.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv_etcd::mvcc::{Options, Store};
use kv_etcd::snapshot;
use serde::Serialize;

use super::store;
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::terminal::Terminal;

/// Write a snapshot of etcd's database: the database, and its SHA-256 behind
///
/// `etcdctl snapshot restore` and `etcdutl snapshot restore` take it. If FILE is a snapshot itself, its hash is checked.
#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// The snapshot to make, which must not exist
    out: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    revision: i64,
    bytes: u64,
    sha256: String,
}

impl Snapshot {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.out.exists() {
            return Err(Failure::already_there(&self.out));
        }
        snapshot::verify(&self.file).map_err(store::refused)?;
        let db = open::to_read(&self.file, terminal)?;
        // Opened as a store: what etcd could not restore is no snapshot.
        let store = Store::from_db(db, Options::new()).map_err(store::refused)?;
        let tx = store.begin_read();
        let busy = terminal.progress.busy("copying");
        let saved = snapshot::save(&tx, &self.out);
        busy.finish_and_clear();
        let sha256 = hex::encode(saved.map_err(store::refused)?);
        let (revision, bytes) = (store.revision(), snapshot::size(&tx));
        if self.json {
            return terminal.json(&Figures { revision, bytes, sha256 });
        }
        Ok(writeln!(terminal.out, "{bytes} bytes at revision {revision}, SHA-256 {sha256}")?)
    }
}
