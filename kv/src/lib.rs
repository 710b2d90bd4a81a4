//! An embedded key/value store whose file is bbolt's, the engine under etcd, byte for byte.
//!
//! One file, one writer and any number of readers. Keys are sorted; buckets nest; a transaction happens wholly or not
//! at all. What Go's bbolt or etcd wrote, this library opens, reads, writes and checks, and what it wrote, they open.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! let db = kv::Db::open(dir.path().join("zoo.db"))?;
//!
//! db.update(|tx| {
//!     let mut animals = tx.create_bucket_if_absent("animals")?;
//!     animals.put("cat", "meow")?;
//!     animals.put("dog", "woof")
//! })?;
//!
//! db.view(|tx| {
//!     let animals = tx.bucket("animals")?;
//!     assert_eq!(animals.get("cat")?, Some(&b"meow"[..]));
//!     for item in animals.range("d"..) {
//!         let (name, says) = item?;
//!         println!("{} says {}", String::from_utf8_lossy(name), String::from_utf8_lossy(says.unwrap_or(b"nothing")));
//!     }
//!     Ok::<_, kv::Error>(())
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to begin
//! - [`Db`]: open, [`view`](Db::view), [`update`](Db::update), [`batch`](Db::batch).
//! - [`Bucket`] and [`BucketMut`]: what a transaction reads and changes.
//! - [`Options`]: page size, syncing, limits.
//! - [`compact()`], [`ReadTx::write_to`], [`ReadTx::check`]: looking after a file; [`surgery`]: looking into a damaged one.
//! - `digest`, behind the feature of this name: hashes beside a file, which find what the format cannot.
#![forbid(unsafe_code)]

mod db;
mod error;
mod format;
mod store;
mod tree;
mod tx;

#[cfg(feature = "digest")]
pub use db::digest;
pub use db::{
    BucketStats, BucketStructure, CompactReport, Db, FreelistKind, FreelistSync, Options, PageInfo, PageKind, Stats,
    compact, surgery,
};
pub use error::{Error, Result};
pub use format::{MAX_KEY_SIZE, MAX_VALUE_SIZE};
pub use freelist_core::{FreelistError, PageId, TxId};
pub use pagefile_std::{FileOptions, MemStore, PageFile, PageStore, StoreError};
pub use tx::{Bucket, BucketMut, Cursor, CursorMut, Item, Iter, Problem, ReadTx, TxStats, WriteTx};

/// The documents beside the code, as part of this documentation.
pub mod _docs {
    #[doc = include_str!("../docs/FORMAT.md")]
    pub mod format {}
    #[doc = include_str!("../docs/ARCHITECTURE.md")]
    pub mod architecture {}
}

/// Runs the programs of the crate's page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeDoctests;

/// Runs the programs of the repository's page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct RepositoryReadmeDoctests;
