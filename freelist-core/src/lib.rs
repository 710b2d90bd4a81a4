//! Free pages as spans: allocate, release and merge without looking at more than a few of them.
//!
//! Page numbers only: what the pages hold, and where, is the caller's business.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod allocations;
mod bits;
mod changes;
mod edges;
mod error;
mod free_spans;
mod freelist;
mod freemaps;
mod intervals;
mod number_set;
mod page;
mod page_block;
mod page_hash;
mod pending;
mod recency;
mod request;
mod room;
mod sorted_array;
mod span_maps;
mod statistics;

pub use error::FreelistError;
pub use free_spans::{FreeSpans, Spans};
pub use freelist::Freelist;
pub use page::{PageId, Span, TxId};
pub use request::Request;
pub use sorted_array::SortedArray;
pub use span_maps::{Policy, SpanMaps};
pub use statistics::Statistics;
