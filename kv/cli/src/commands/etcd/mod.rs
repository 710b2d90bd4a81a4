//! `kv etcd`: etcd's second layer, in its files and served to its clients.

mod compact;
mod get;
mod go_duration;
mod hash;
mod history;
mod ignored;
mod keys;
mod serve;
mod snapshot;
mod status;
mod store;
mod watch_log;

use std::path::Path;

use clap::{Args, Subcommand};

use crate::failure::Result;
use crate::terminal::Terminal;

/// Serve etcd's API on one node, and look into etcd's databases and snapshots
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv etcd serve --data-dir node.etcd                    etcdctl and every client of etcd can connect
  kv etcd status member/snap/db                         revisions, keys, leases of a database or snapshot
  kv etcd keys FILE --prefix /registry/pods/            the keys, now or at --rev
  kv etcd get FILE /registry/pods/default/web --rev 99  one value, as it was at revision 99
  kv etcd history FILE KEY                              what the file still has of a key
  kv etcd watch-log FILE --rev 100                      every change from revision 100 on
  kv etcd snapshot FILE OUT                             as `etcdctl snapshot save`; `etcdctl snapshot restore` reads it

FILE is a snapshot, or member/snap/db in the data directory of an etcd. Where that etcd runs, add --live.")]
pub(crate) struct Etcd {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    Serve(Box<serve::Serve>),
    Status(status::Status),
    Keys(keys::Keys),
    Get(get::Get),
    History(history::History),
    WatchLog(watch_log::WatchLog),
    Compact(compact::Compact),
    Hash(hash::Hash),
    Snapshot(snapshot::Snapshot),
}

impl Etcd {
    pub(crate) fn file(&self) -> Option<&Path> {
        Some(match &self.operation {
            Operation::Serve(_) => return None,
            Operation::Status(operation) => &operation.file,
            Operation::Keys(operation) => &operation.file,
            Operation::Get(operation) => &operation.file,
            Operation::History(operation) => &operation.file,
            Operation::WatchLog(operation) => &operation.file,
            Operation::Compact(operation) => &operation.file,
            Operation::Hash(operation) => &operation.file,
            Operation::Snapshot(operation) => &operation.file,
        })
    }

    /// Whether the operation only reads its file.
    pub(crate) fn reads(&self) -> bool {
        !matches!(self.operation, Operation::Serve(_) | Operation::Compact(_))
    }

    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        match &self.operation {
            Operation::Serve(operation) => operation.run(terminal),
            Operation::Status(operation) => operation.run(terminal),
            Operation::Keys(operation) => operation.run(terminal),
            Operation::Get(operation) => operation.run(terminal),
            Operation::History(operation) => operation.run(terminal),
            Operation::WatchLog(operation) => operation.run(terminal),
            Operation::Compact(operation) => operation.run(terminal),
            Operation::Hash(operation) => operation.run(terminal),
            Operation::Snapshot(operation) => operation.run(terminal),
        }
    }
}
