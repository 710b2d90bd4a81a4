//! Watches: the history of a range of keys, and then what happens to it.
//!
//! The writer hands each commit's changes to the *hub* and goes on. The hub's thread finds the watchers whose range a key
//! is in, and puts the events into their inboxes. An inbox has few places: when it is full, its watcher is *behind* and
//! gets nothing more, until it has taken what is there; then it reads what it has missed from the file, on its own thread,
//! while new events gather in the inbox again. So a slow watcher takes little memory, and holds up nobody.

mod backlog;
mod hub;
mod inbox;
mod ranges;
mod watcher;

use std::sync::Arc;

use bytes::Bytes;

pub(super) use hub::{Hub, run};
pub use watcher::Watcher;

use super::interval::Interval;
use super::revision::Revision;
use super::row::KeyValue;

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "etcd's options")]
pub struct WatchRequest {
    /// The first key; empty for one zero byte, which is before all keys.
    pub key: Bytes,
    /// Where the range ends, see [`RangeRequest`](super::RangeRequest).
    pub range_end: Bytes,
    /// The first revision whose events are wanted; 0 for the next one. It may be in the future.
    pub start_revision: i64,
    /// Whether to tell how far the watcher is if nothing happens for long.
    pub progress_notify: bool,
    /// Whether events have what the key was before.
    pub prev_kv: bool,
    /// Leaves puts out.
    pub no_put: bool,
    /// Leaves deletes out.
    pub no_delete: bool,
}

impl WatchRequest {
    /// One key, from now on.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// All keys that begin with `prefix`, from now on.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let (key, range_end) = super::prefix_range(&prefix.into());
        Self { key, range_end, ..Self::default() }
    }
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether the key was deleted: `kv` then has nothing but the key and the revision.
    pub is_delete: bool,
    /// The key after the change.
    pub kv: KeyValue,
    /// The key before, if the watch asked for it, the key was there, and no compaction has removed it. A put of a key that its
    /// own transaction has deleted makes a new key: nothing was before it.
    pub prev_kv: Option<KeyValue>,
}

/// Events that belong together. Watchers of the same keys share them.
#[derive(Debug, PartialEq, Eq)]
pub struct Events {
    /// The revision of the events if they are those of one transaction, and the current one if they are of the history.
    pub revision: i64,
    /// In the order of their revisions; at least one. All of a transaction are in one of these.
    pub events: Vec<Event>,
}

/// What a watcher hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchUpdate {
    /// Something happened.
    Events(Arc<Events>),
    /// Nothing happened for long: every event up to `revision` was told.
    Progress {
        /// The revision.
        revision: i64,
    },
    /// What the watcher needs next was compacted. It hears nothing more.
    Compacted {
        /// The compacted revision.
        compact_revision: i64,
    },
}

/// A change that was made.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) kv: KeyValue,
    pub(super) tombstone: bool,
    /// The key's put before the transaction.
    pub(super) prev: Option<Revision>,
}

/// The changes of a transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) revision: i64,
    pub(super) changes: Vec<Change>,
}

/// What a watcher wants to hear. Watchers that want the same hear it together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    interval: Interval,
    prev_kv: bool,
    no_put: bool,
    no_delete: bool,
}

impl Wish {
    fn admits(&self, tombstone: bool) -> bool {
        !(if tombstone { self.no_delete } else { self.no_put })
    }
}
