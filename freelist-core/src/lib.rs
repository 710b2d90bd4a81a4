#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;
#[cfg(test)]
#[macro_use]
extern crate kv_testkit;

mod allocations;
mod allocator;
mod append;
mod bit_spans;
mod bits;
mod changes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod edges;
mod error;
mod free_spans;
mod freelist;
mod freemaps;
#[cfg(feature = "image")]
mod image;
mod in_block;
mod intervals;
mod load_bits;
mod number_set;
mod page;
mod page_block;
mod page_blocks;
mod page_hash;
mod pending;
mod request;
mod room;
mod shared;
mod sorted_array;
mod source;
mod span;
mod span_maps;
mod statistics;

pub use allocator::{AllocError, PageAllocator};
pub use bit_spans::BitSpans;
pub use error::FreelistError;
pub use free_spans::{FreeSpans, Spans};
pub use freelist::Freelist;
#[cfg(feature = "image")]
pub use image::{ImageWriter, load_image, read_image, save_image};
pub use page::{PageId, TxId};
pub use request::Request;
pub use shared::{Lock, SharedAllocator};
pub use sorted_array::SortedArray;
pub use source::{FixedRange, NoPages, PageSource, Ranges};
pub use span::Span;
pub use span_maps::SpanMaps;
pub use statistics::Statistics;
