//! Bytes to values and back: the bbolt file format, version 2.
//!
//! **Invariant:** nothing here performs I/O or panics, and nothing but the records of a redo log allocates. Bytes are
//! hostile until a function of this module has looked at them; the answer to a lie is [`Malformed`], which says what is
//! wrong. Which page it was is known one layer up.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod branch;
mod bucket;
mod bytes;
mod checksum;
mod element;
mod extension;
mod freelist;
mod leaf;
mod limits;
mod list_seal;
mod marked;
mod meta;
mod page;
mod records;
mod redo_record;
mod redo_unit;
mod space_change;
mod space_log;

pub(crate) use branch::Branch;
pub(crate) use bucket::{BUCKET_HEADER, BucketHeader};
pub(crate) use checksum::checksum;
pub(crate) use element::{ELEMENT, element_at, head};
pub(crate) use extension::Extension;
pub(crate) use freelist::{FreelistPage, FreelistWriter, freelist_len};
pub(crate) use leaf::{Leaf, LeafEntry};
pub(crate) use limits::{DEPTH_MAX, ELEMENTS_MAX, NODE_BYTES_MAX, PAGE_SIZES_CREATED, PAGE_SIZES_OPENED, TX_SOUND_MAX};
pub use limits::{MAX_KEY_SIZE, MAX_VALUE_SIZE};
pub(crate) use list_seal::ListSeal;
pub(crate) use marked::{LogStart, MARKED_VERSION, MarkedMeta};
pub(crate) use meta::{META_BYTES, Meta, MetaError};
pub(crate) use page::{Header, Kind, Node, PAGE_HEADER, header_bytes, set_count, set_header};
pub(crate) use redo_record::{RedoChange, RedoRecord};
pub(crate) use redo_unit::{UNIT_HEAD, UnitHead, seal_unit};
pub(crate) use space_change::{SpaceChange, SpaceChanges};
pub(crate) use space_log::{LogPage, LogRoot, PageSum, RegionIndex, RegionPage};

/// Bytes that break a rule of the format, and which rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A leaf element's flag: the value is a bucket header.
pub(crate) const BUCKET_FLAG: u32 = 1;

/// Bytes of a disk's sector, the first of which in a meta page hold the meta. No page is smaller.
pub(crate) const SECTOR: usize = 512;

/// The no-freelist mark, in place of a page number: the file has no list of free pages, and a writer finds them by a walk.
pub(crate) const NO_FREELIST: u64 = u64::MAX;
