//! Transactions: read and write, their buckets, the commit, and the register of readers.
//!
//! **Invariant:** only [`persist`] makes anything durable; only [`readers`] knows who is reading.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod bucket;
mod bucket_mut;
mod check;
mod claims;
mod commit;
mod core;
mod counters;
mod cursor;
mod cursor_mut;
mod early;
#[cfg(all(test, loom))]
mod interleavings;
mod open_buckets;
mod persist;
mod plan;
mod publish;
mod published;
mod read;
mod readers;
mod write;
mod writer;
mod writer_lock;

pub(crate) use self::core::{Core, Handle, Settings};
pub use bucket::{Bucket, Iter};
pub use bucket_mut::BucketMut;
pub use check::Problem;
pub(crate) use check::{Free, check_state, check_subtree};
pub(crate) use commit::store_freelist;
pub(crate) use counters::Counters;
pub use counters::TxStats;
pub use cursor::{Cursor, Item};
pub use cursor_mut::CursorMut;
pub(crate) use open_buckets::BucketIndex;
pub(crate) use published::Snapshot;
pub use read::ReadTx;
pub(crate) use write::Hook;
pub use write::WriteTx;
pub(crate) use write::take_writer;
pub(crate) use writer::Writer;
pub(crate) use writer_lock::Ends;
