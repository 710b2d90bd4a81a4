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
#![allow(clippy::needless_pass_by_value, reason = "a range of keys is written where it is used")]

mod bucket;
mod bucket_mut;
mod changes;
mod changing;
mod check;
mod claims;
mod commit;
mod core;
mod counters;
mod cursor;
mod cursor_mut;
mod early;
mod extract_if;
mod handle;
#[cfg(all(test, loom))]
mod interleavings;
mod iter;
mod key_range;
mod marks;
mod open_buckets;
mod ordered;
mod persist;
mod plan;
mod publish;
mod published;
mod put_many;
mod read;
mod readers;
mod redo;
mod restore;
mod shrink;
mod taken;
mod walk;
mod walk_progress;
mod write;
mod writer;
mod writer_lock;

pub(crate) use self::core::{Core, Handle, Settings};
pub use bucket::Bucket;
pub use bucket_mut::BucketMut;
pub use changes::{Change, Changes, Event, Name, Scope};
pub use changing::OwnedPair;
pub use check::Problem;
pub(crate) use check::{Free, check_state, check_subtree};
pub(crate) use commit::{checkpoint, close, shrink_step};
pub(crate) use counters::Counters;
pub use counters::TxStats;
pub use cursor::{Cursor, Item};
pub use cursor_mut::CursorMut;
pub use extract_if::ExtractIf;
pub use handle::BucketHandle;
pub use iter::{Items, Iter, Pair};
pub use key_range::{KeyRange, Prefix, prefix};
pub(crate) use open_buckets::BucketIndex;
pub(crate) use published::Snapshot;
pub use read::ReadTx;
pub(crate) use redo::{
    Background, Checkpointer, Redo, RedoSettings, drain, enter, generations, leave, replay_in_memory, settle,
};
pub use restore::Restored;
pub(crate) use taken::take_writer;
pub use walk::Walk;
pub(crate) use walk_progress::WalkProgress;
pub use write::WriteTx;
pub(crate) use write::{HandedIn, Hook};
pub(crate) use writer::Writer;
pub(crate) use writer_lock::Ends;
