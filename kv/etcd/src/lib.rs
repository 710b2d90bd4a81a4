//! etcd's second layer over [`kv`]: keys with revisions, transactions, leases, watches and compaction, in the rows that
//! etcd itself writes.
//!
//! The page store of etcd is bbolt, whose file `kv` reads and writes. Above it etcd keeps, for each put and delete, a row
//! under its *revision*, and in memory an index from each key to its revisions. [`mvcc::Store`] is that layer. It needs no
//! network: a program that wants etcd's model in one file can use it as a library. etcd opens the files that it leaves, and
//! it opens etcd's.
//!
//! ```
//! use kv_etcd::mvcc::{Options, PutRequest, RangeRequest, Store};
//!
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path().join("db"), Options::new())?;
//! let first = store.put(PutRequest::new("color", "red"))?.revision;
//! store.put(PutRequest::new("color", "blue"))?;
//!
//! let now = store.range(RangeRequest::key("color"))?;
//! assert_eq!(&now.kvs[0].value[..], b"blue");
//! assert_eq!(now.kvs[0].version, 2);
//! let then = store.range(RangeRequest { revision: first, ..RangeRequest::key("color") })?;
//! assert_eq!(&then.kvs[0].value[..], b"red");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

#[cfg(test)]
#[macro_use]
extern crate kv_testkit;

#[cfg(feature = "server")]
pub mod api;
pub mod mvcc;
#[cfg(feature = "server")]
pub mod server;
pub mod snapshot;
