//! The bytes under a storage engine's pages: a file that is mapped for reading, written in gathered
//! runs, synced, locked against other processes and grown; and the same in memory.
//!
//! [`PageStore`] is the seam between a storage engine and its bytes. It does not know what the bytes
//! mean. Two stores implement it here:
//!
//! - [`PageFile`], a file on disk;
//! - [`MemStore`], anonymous memory, for tests and for data that may die with the process.
//!
//! Readers take a [`View`] of the [`Map`], without a lock and without a copy. On 64-bit Unix the map
//! reserves address space far beyond the file and does not move until it has outgrown that, so growth
//! does not disturb a reader. Elsewhere growth makes a new map, and the old one lives until its last
//! view is dropped.
//!
//! ```
//! use pagefile_std::{FileOptions, PageFile, PageStore};
//! use std::io::IoSlice;
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("pages");
//! let store = PageFile::open_or_create(&path, &FileOptions::default(), &mut || vec![0; 8192])?;
//!
//! store.grow(12 * 1024)?;
//! store.write_at(8192, &[IoSlice::new(b"page"), IoSlice::new(b" two")])?;
//! store.sync()?;
//!
//! let view = store.view();
//! assert_eq!(view.bytes(8192, 8), Some(&b"page two"[..]));
//! assert_eq!(view.bytes(store.len(), 1), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The protocol that makes the map sound
//!
//! The bytes of a slice from [`View::bytes`] must not change while the slice is borrowed, and the
//! compiler cannot see that [`PageStore::write_at`] changes them. This crate therefore makes two
//! demands:
//!
//! 1. **The layer above** never writes a byte that somebody still borrows from a view. A
//!    copy-on-write tree meets this demand by design: it does not write pages that a reader may
//!    reach. Read pages that change in place (the two metas) with [`PageStore::read_at`], never
//!    through a view. Nor does it [truncate](PageStore::truncate) what somebody may still look at in a view: that is
//!    gone from the map at once.
//! 2. **Other processes** heed the advisory lock. A program that writes to the file without the lock
//!    changes bytes under borrowed slices. If a program truncates the file, the next access to the
//!    lost pages is a fatal signal (`SIGBUS`; an in-page error on Windows), and a mapping cannot be
//!    defended against that. A disk that fails to read a mapped page has the same effect;
//!    [`PageStore::read_at`] reports it as an error, and so does [`View::read`] with
//!    [`FileOptions::private_reads`], which maps nothing of the file.
//!
//! A [`LiveFile`] is for the other case: a file that another program holds and writes to, read without its lock. It maps
//! nothing, and shows only bytes of which the layer above has confirmed that they are what it takes them for.

#![deny(unsafe_code)]

// Each test has a time limit.
#[cfg(test)]
#[macro_use]
extern crate kv_testkit;

mod abandoned;
#[cfg(feature = "conformance")]
pub mod conformance;
mod copied;
mod create;
mod durable;
mod error;
mod growth;
mod latch;
mod live;
mod lock;
#[allow(unsafe_code, reason = "memory maps: slices of mapped bytes")]
mod map;
mod mapping;
mod mem;
mod name;
mod new_file;
mod options;
mod page_file;
mod path;
mod position;
#[cfg(any(feature = "conformance", feature = "sim"))]
mod random;
#[cfg(feature = "sim")]
pub mod sim;
mod store;
#[allow(unsafe_code, reason = "system calls that std lacks")]
mod sys;
mod words;

pub use create::create_whole;
pub use error::{Operation, StoreError};
pub use latch::Latch;
pub use live::{LiveFile, Look};
pub use map::{Map, prefetch};
pub use mem::MemStore;
pub use new_file::NewFile;
pub use options::FileOptions;
pub use page_file::PageFile;
pub use store::{PageStore, View};
pub use words::Words;
