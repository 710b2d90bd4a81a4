//! The raw pages of a file, to examine it and to repair damage in a copy.
//!
//! [`RawFile`] reads the pages of a file without assuming that the file is sound: it opens files that
//! [`Db::open`](crate::Db::open) refuses. A repair is a list of [`Edit`]s for a copy. Nothing here writes to the examined
//! file.
//!
//! ```
//! use kv::surgery::RawFile;
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("data.db");
//! # let db = kv::Db::open(&path)?;
//! # db.update(|tx| tx.create_bucket("first").map(|_| ()))?;
//! # db.update(|tx| tx.create_bucket("second").map(|_| ()))?;
//! # drop(db);
//! // Undo the last transaction, in a copy.
//! let file = RawFile::new(pagefile_std::PageFile::open(&path, &pagefile_std::FileOptions::default())?, None)?;
//! let copy = dir.path().join("one-transaction-less.db");
//! file.write_copy(&copy, &[file.revert_meta()?], |_copied| ())?;
//!
//! let before = |path| RawFile::new(pagefile_std::PageFile::open(path, &Default::default())?, None);
//! # drop(file);
//! assert_eq!(before(&copy)?.newest().map(|meta| meta.tx + 1), before(&path)?.newest().map(|meta| meta.tx));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod edit;
mod file;
mod meta;
mod page;
mod redo_log;

pub use edit::{Cleared, Edit};
pub use file::RawFile;
pub use meta::{MetaFault, RawMeta};
pub use page::{RawItem, RawPage};
pub use redo_log::RedoLog;

/// The value of [`RawMeta::freelist_page`] in a file without a list of free pages.
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # let db = kv::Options::new().open_store(Box::new(store.clone()))?;
/// # db.update(|tx| tx.create_bucket("b").map(drop))?;
/// // Only closing writes the list.
/// let file = kv::surgery::RawFile::new(store, None)?;
/// assert_eq!(file.newest().map(|meta| meta.freelist_page), Some(kv::surgery::NO_FREELIST));
/// # Ok::<_, kv::Error>(())
/// ```
pub const NO_FREELIST: u64 = crate::format::NO_FREELIST;
