//! What a user of the store relies on.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the numbers of tests are small"
)]

#[macro_use]
extern crate kv_testkit;

mod any_rows;
mod compacting;
mod crash;
mod fixtures;
mod hashes;
mod leases;
mod model;
mod peer;
mod programs;
mod refusals;
mod reopening;
mod snapshots;
mod watching;

use std::path::Path;

use kv_etcd::mvcc::{DeleteRangeRequest, Options, PutRequest, RangeRequest, Store};
use tempfile::TempDir;

/// A store in a directory of its own.
struct Bench {
    directory: TempDir,
    options: Options,
}

impl Bench {
    fn new() -> Self {
        Self::with(Options::new())
    }

    fn with(options: Options) -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory"), options }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("db")
    }

    /// Files are small and many, and no test cuts the power: no sync.
    fn open(&self) -> Store {
        open(&self.path(), self.options.clone())
    }
}

fn open(path: &Path, options: Options) -> Store {
    Store::open(path, options.engine(kv::Options::new().no_sync(true))).expect("the store opens")
}

fn put(store: &Store, key: &str, value: &str) -> i64 {
    store.put(PutRequest::new(key.to_owned(), value.to_owned())).expect("a put").revision
}

fn delete(store: &Store, key: &str) -> i64 {
    store.delete_range(DeleteRangeRequest::key(key.to_owned())).expect("a delete").revision
}

fn get(store: &Store, key: &str, revision: i64) -> Option<String> {
    let request = RangeRequest { revision, ..RangeRequest::key(key.to_owned()) };
    let mut kvs = store.range(request).expect("a read").kvs;
    assert!(kvs.len() <= 1, "one key at most");
    kvs.pop().map(|kv| String::from_utf8_lossy(&kv.value).into_owned())
}
