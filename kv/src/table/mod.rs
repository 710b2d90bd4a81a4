//! Tables: buckets whose keys and values have types, and indexes that are kept with them.
//!
//! A [`Table`] is a constant: the name of a top-level bucket and the types of its keys and values. A write transaction opens
//! it as an [`OpenTable`], which does not borrow the transaction; any transaction reads it as a [`ReadTable`].
//!
//! ```
//! use kv::table::Table;
//!
//! const BIRTHS: Table<(i32, String), u64> = Table::new("births");
//!
//! # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
//! db.update(|tx| {
//!     let births = BIRTHS.open(tx)?;
//!     births.put(tx, &(1815, "ada"), &1)?;
//!     births.put(tx, &(-469, "socrates"), &2)?;
//!     births.put(tx, &(1815, "george"), &3)
//! })?;
//! db.view(|tx| {
//!     let births = BIRTHS.read(tx)?;
//!     assert_eq!(births.first()?, Some(((-469, "socrates".into()), 2)));
//!     assert_eq!(births.prefix(&1815).count(), 2);
//!     assert_eq!(births.range((0, "")..).count(), 2);
//!     Ok(())
//! })?;
//! # Ok::<_, kv::Error>(())
//! ```
//!
//! # Several values for a key
//! A table with keys `(K, M)` and no values is a multimap: it has any number of `M` for a `K`, in their order.
//!
//! ```
//! use kv::table::Table;
//!
//! const TAGS: Table<(u64, String), ()> = Table::new("tags");
//!
//! # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
//! db.update(|tx| {
//!     let tags = TAGS.open(tx)?;
//!     ["warm", "red", "red"].iter().try_for_each(|tag| tags.put(tx, &(7, tag), &()))
//! })?;
//! db.view(|tx| {
//!     let tags = TAGS.read(tx)?.prefix(&7).map(|row| row.map(|((_, tag), ())| tag));
//!     assert_eq!(tags.collect::<kv::Result<Vec<_>>>()?, ["red", "warm"]);
//!     Ok(())
//! })?;
//! # Ok::<_, kv::Error>(())
//! ```
//!
//! # The form in the file
//! Programs in other languages read and write tables: a table is a bucket, and [`Key`] and [`Value`] say what the bytes are.
//! The bucket `kv.tables` has a pair for each table and index: its name, and the names of its types, such as
//! `(i32, string) -> u64`. A bucket without such a pair is opened with any types. A program that changes a table that has
//! indexes changes these too.

#![allow(clippy::needless_pass_by_value, reason = "a range of keys is written where it is used")]

mod index;
mod key;
mod range;
mod registry;
#[cfg(feature = "serde")]
mod serde;
#[allow(clippy::module_inception, reason = "the table is what the room is named after")]
mod table;
mod time;
mod value;

pub use index::{Entries, Index, IndexOf, Keys, ReadIndex};
pub use key::{AsKey, BeginsWith, Key};
pub use range::KeysOf;
pub use registry::Transaction;
#[cfg(feature = "serde")]
pub use serde::{Codec, Postcard, Serde};
pub use table::{OpenTable, ReadTable, Rows, Table};
pub use value::{AsValue, Value};
