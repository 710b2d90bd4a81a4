//! The engines. A new one is a file here and a line in [`PEERS`].
//!
//! Not here: sanakirja, whose trees of byte strings are created by an unsafe function, while everything here is in safe
//! Rust; and LMDB by `heed`, for the same reason (see `lmdb`).

mod canopydb;
mod fjall;
mod kv;
mod lmdb;
#[cfg(feature = "mdbx")]
mod mdbx;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use std::path::Path;

use crate::{Durability, Engine, Result};

/// Opens an engine's store in a directory, or creates it there.
pub type Open = fn(&Path, Durability) -> Result<Box<dyn Engine>>;

/// An engine that takes part.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// What `--engines` calls it.
    pub name: &'static str,
    /// What tables call it.
    pub title: &'static str,
    /// How it is opened; none if the program in `go` has it under this name.
    pub open: Option<Open>,
    /// The works it takes part in.
    pub works: Works,
}

/// Works that an engine takes part in, by name.
#[derive(Clone, Copy, Debug)]
pub enum Works {
    /// All.
    All,
    /// Only these.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}

impl Peer {
    const fn here(name: &'static str, title: &'static str, open: Open, works: Works) -> Self {
        Self { name, title, open: Some(open), works }
    }

    const fn go(name: &'static str, title: &'static str, works: Works) -> Self {
        Self { name, title, open: None, works }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PEERS.iter().find(|peer| peer.name == name)
    }

    /// Whether it takes part in a work.
    #[must_use]
    pub fn does(&self, work: &str) -> bool {
        match self.works {
            Works::All => true,
            Works::Only(works) => works.contains(&work),
            Works::AllBut(works) => !works.contains(&work),
        }
    }
}

/// Free pages mean nothing where there are none.
const LOG_STRUCTURED: Works = Works::AllBut(&["flatness"]);
/// kv's redo log is for commits; reads do without it.
const LOGGED: Works = Works::Only(&[
    "load",
    "get",
    "put-durable",
    "put-100-durable",
    "put",
    "batch-100-threads",
    "put-100-threads",
    "churn",
    "delete-range",
    "retain",
]);
/// bbolt's node grows until the commit: one transaction of many puts takes quadratic time.
const BBOLT: Works = Works::AllBut(&["load-one-tx"]);

/// All engines that were compiled. The others are compared with the first.
pub const PEERS: &[Peer] = &[
    Peer::here("lmdb", "LMDB", lmdb::open, Works::All),
    Peer::here("lmdb-writemap", "LMDB, writemap", lmdb::open_writemap, Works::All),
    Peer::here("lmdb-append", "LMDB, append", lmdb::open_append, Works::Only(&["load-in-order"])),
    Peer::here("kv", "kv", kv::open, Works::All),
    Peer::here("kv-many", "kv, put_many", kv::open_many, Works::Only(&["load-one-tx", "load"])),
    Peer::here("kv-log", "kv, redo log", kv::open_log, LOGGED),
    Peer::here("kv-log-64", "kv, redo log of 64 MiB", kv::open_large_log, LOGGED),
    Peer::here("redb", "redb", redb::open, Works::All),
    #[cfg(feature = "mdbx")]
    Peer::here("mdbx", "libmdbx", mdbx::open, Works::All),
    Peer::here("canopydb", "canopydb", canopydb::open, Works::All),
    Peer::here("sqlite", "SQLite", sqlite::open, Works::AllBut(&["flatness"])),
    Peer::here("fjall", "fjall", fjall::open, LOG_STRUCTURED),
    #[cfg(feature = "rocksdb")]
    Peer::here("rocksdb", "RocksDB", rocksdb::open, LOG_STRUCTURED),
    Peer::go("bbolt-array", "bbolt, array", BBOLT),
    Peer::go("bbolt-map", "bbolt, map", BBOLT),
    Peer::go("bbolt-array-nofs", "bbolt, array, list not written", BBOLT),
    Peer::go("bbolt-map-nofs", "bbolt, map, list not written", BBOLT),
    Peer::go("pebble", "Pebble", LOG_STRUCTURED),
];
