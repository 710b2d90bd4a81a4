//! An embedded key/value store whose file is bbolt's, the engine under etcd, byte for byte.
//!
//! One file, one writer and any number of readers. Keys are sorted, buckets nest, and transactions are atomic and durable.
//! This library opens, reads, writes and checks the files of Go's bbolt and etcd, and they open its files.
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
//!         println!("{} says {}", String::from_utf8_lossy(name), String::from_utf8_lossy(says));
//!     }
//!     Ok(())
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to begin
//! - [`Db`]: open, [`view`](Db::view), [`update`](Db::update), [`batch`](Db::batch).
//! - [`ReadTx`] and [`WriteTx`]: transactions that outlive a closure.
//! - [`Bucket`] and [`BucketMut`]: reading and changing. They are sorted maps of pairs; nested buckets are asked for by name.
//! - [`BucketHandle`]: several buckets changed side by side, or one walked over while another changes.
//! - [`table`]: tables whose keys and values have types, and indexes.
//! - [`Options`]: page size, syncing, limits.
//! - [`Db::peek`]: a look into a file that another process holds and writes to.
//! - [`compact()`], [`ReadTx::write_to`], [`ReadTx::check`]: maintenance of a file.
//! - [`Bucket::contents`] and [`salvage()`]: everything that a damaged file still has, and what is missing.
//! - [`surgery`]: examination and repair of a damaged file.
//! - `digest` (feature `digest`): hashes of the content, which find the damage that the format cannot show.
//!
//! # Threads and tasks
//! [`Db`] is a cheap clone, and threads share it. A file is opened once in a process: a second handle for writing is
//! [`AlreadyOpen`](Error::AlreadyOpen) at once, and a second write transaction on one thread is
//! [`AlreadyWriting`](Error::AlreadyWriting), since both would wait for themselves. Another process is waited for, five
//! seconds if [`Options::lock_timeout`] says nothing else.
//!
//! There is no asynchronous interface. A read is a look into mapped memory, and ends before a task could be woken; a commit
//! waits in a system call, for which no system that this library runs on has an asynchronous form that the order of its two
//! syncs could use, so that an asynchronous commit would be a thread that waits, and the program knows better which one. In a
//! program of tasks, reads are called directly, and commits in the runtime's blocking threads
//! (`tokio::task::spawn_blocking(move || db.batch(...))` with a clone of the `Db`). [`Db::begin_read_owned`] returns a
//! transaction that a task can hold across its waits. Two programs of the repository, `kv/examples/web/tasks.rs` and `web.rs`,
//! do so with tokio and axum.
//!
//! # What ends the process
//! A full disk is an error: the commit is [`NotCommitted`](Error::NotCommitted). Two conditions come close to it, and are
//! signals that end a program unless something is done about them:
//! - **A limit on the size of files** (`ulimit -f`, `RLIMIT_FSIZE`). A write beyond it raises `SIGXFSZ` on Unix. A program
//!   that ignores or handles this signal gets an error as from a full disk; one line does it, at the start of `main`, for
//!   example with the crate `signal-hook`: `signal_hook::flag::register(libc::SIGXFSZ, Arc::default())`. Signals belong to
//!   the program, so the library leaves this one alone; the command `kv` handles it. What was committed before is in the
//!   file, as after a kill.
//! - **Another program truncates the open file**, on a share, say. A look at what is gone raises `SIGBUS` (on Windows an
//!   in-page error), because the file is mapped. [`Options::private_reads`] reads without a map and makes it an error, at
//!   the cost of memory.
#![forbid(unsafe_code)]

// Each test has a time limit. The model of threads knows no clock.
#[cfg(all(test, not(loom)))]
#[macro_use]
extern crate kv_testkit;

mod db;
mod error;
mod format;
mod store;
pub mod table;
mod tree;
mod tx;

#[cfg(feature = "digest")]
pub use db::digest;
pub use db::{
    BucketStats, BucketStructure, CompactReport, Contents, Damage, Db, Durability, FreelistKind, FreelistSync, Lost,
    Options, PageInfo, PageKind, Peek, Shrunk, Stats, Step, compact, salvage, surgery,
};
pub use error::{Error, Result};
pub use format::{MAX_KEY_SIZE, MAX_VALUE_SIZE};
pub use freelist_core::{FreelistError, PageId, TxId};
pub use pagefile_std::{FileOptions, MemStore, PageFile, PageStore, StoreError};
pub use store::{FreelistFault, FreelistOrigin};
pub use tx::{
    Bucket, BucketHandle, BucketMut, Change, Changes, Cursor, CursorMut, Event, ExtractIf, Item, Items, Iter, KeyRange,
    Name, OwnedPair, Pair, Prefix, Problem, ReadTx, Restored, Scope, TxStats, Walk, WriteTx, prefix,
};

/// The documents of the repository.
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
