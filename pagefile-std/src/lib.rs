//! Bytes of pages: a file that is mapped for reading, written in aligned runs, synced, locked
//! against other processes and grown, and the same in memory.
//!
//! [`PageStore`] is the seam that a storage engine stands on. It knows bytes and nothing of what
//! they mean. Two stores implement it here:
//!
//! - [`PageFile`], a file on disk;
//! - [`MemStore`], anonymous memory, for stores that need not outlive the process and for tests.
//!
//! Reads go through a [`View`] of the [`Map`], without a lock and without a copy. On 64-bit Unix
//! the map never moves: it reserves address space far beyond the file, so growth does not disturb
//! a reader. Elsewhere growth makes a new map, and the old one lives until its last view is gone.
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
//! A slice from [`View::bytes`] must keep its value while it is borrowed, and the compiler cannot
//! see that [`PageStore::write_at`] changes the bytes under it. This crate therefore asks two
//! things:
//!
//! 1. **Of the layer above:** never write a byte that somebody still borrows from a view. A
//!    copy-on-write tree does so by nature: pages that any reader may reach are not written. What
//!    changes in place (the two metas) is read with [`PageStore::read_at`], never through a view.
//! 2. **Of other processes:** heed the advisory lock. A program that writes to the file without
//!    taking the lock changes bytes under borrowed slices. A program that truncates the file makes
//!    the next touch of the lost pages a fatal signal (`SIGBUS`; an in-page error on Windows),
//!    against which a mapping cannot be defended. So does a disk that cannot read a page that is
//!    mapped; [`PageStore::read_at`] reports it as an error.

#![deny(unsafe_code)]

#[cfg(feature = "conformance")]
pub mod conformance;
mod create;
mod error;
mod growth;
mod latch;
mod lock;
#[allow(unsafe_code, reason = "memory maps: slices of mapped bytes")]
mod map;
mod mapping;
mod mem;
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

pub use create::create_whole;
pub use error::{Operation, StoreError};
pub use latch::Latch;
pub use map::Map;
pub use mem::MemStore;
pub use options::FileOptions;
pub use page_file::PageFile;
pub use store::{PageStore, View};
