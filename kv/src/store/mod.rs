//! Pages: page number to checked page, and the pages that a write transaction changes in memory.
//!
//! **Invariant:** nothing here knows what a key means or which tree a page belongs to.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod dirty_node;
mod early;
mod free_space;
mod freed;
mod heads;
mod link;
mod page_set;
mod pages;
mod redo;
mod run;
pub(crate) mod sync;
mod turn;
mod write_set;

pub(crate) use dirty_node::{DirtyNode, NodeKind, share_of};
pub(crate) use early::EarlyWriting;
pub(crate) use free_space::{AnySpans, Carry, FreeSpace, NO_CEILING, SpaceLog, StoredList, Written};
pub use free_space::{FreelistFault, FreelistOrigin};
pub(crate) use heads::{Below, Heads};
pub(crate) use link::{Link, Slot};
pub(crate) use page_set::PageSet;
pub(crate) use pages::{PageRef, Pages, SHARED, bucket_root, corrupt};
pub(crate) use redo::{Frozen, Generation, Resident, ResidentView, Ring, SLOTS_MAX, Unit, read_units};
pub(crate) use run::write_runs;
pub(crate) use turn::{Candidates, LeafRef, Turn};
pub(crate) use write_set::{WriteSet, page_span};
