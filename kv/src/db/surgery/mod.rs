//! Pages as they lie in a file, to look at them and to repair what is damaged.
//!
//! [`RawFile`] reads the pages of a file without believing that it is a sound database: it opens what
//! [`Db::open`](crate::Db::open) refuses. A repair is a few [`Edit`]s, and they are applied to a copy: nothing here
//! writes to the file that is looked at.
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

pub use edit::{Cleared, Edit};
pub use file::RawFile;
pub use meta::{MetaFault, RawMeta};
pub use page::{RawItem, RawPage};

/// What [`RawMeta::freelist_page`] says when the file has no list of free pages.
pub const NO_FREELIST: u64 = crate::format::NO_FREELIST;
