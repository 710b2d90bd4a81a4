//! Transactions: read and write, their buckets, the commit, and who is reading what.
//!
//! **Invariant:** only [`persist`] makes anything durable; only [`readers`] knows who is reading.

mod batch;
mod bucket;
mod bucket_mut;
mod check;
mod commit;
mod core;
mod counters;
mod cursor;
mod cursor_mut;
#[cfg(all(test, loom))]
mod interleavings;
mod open_buckets;
mod persist;
mod plan;
mod publish;
mod published;
mod read;
mod readers;
mod sync;
mod write;
mod writer;
mod writer_lock;

pub(crate) use self::core::{Core, Handle, Settings};
pub(crate) use batch::batch;
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

pub use write::WriteTx;
pub(crate) use writer::Writer;
