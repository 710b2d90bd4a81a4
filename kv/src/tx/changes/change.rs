//! One change.

use std::ops::Bound;
use std::sync::Arc;

/// A key, a value, or the name of a bucket, shared by all who are told of it.
pub type Name = Arc<[u8]>;

/// One change of a committed transaction, in the order in which it was made. `bucket` is the path of the bucket that it was
/// made in: the names from the top, none for the root bucket.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let mut changes = db.subscribe(kv::Scope::all(), 1 << 20);
/// db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// let Some(kv::Event::Commit { changes, .. }) = changes.next() else { unreachable!() };
/// assert!(matches!(&changes[1], kv::Change::Put { key, value, .. } if **key == *b"key" && **value == *b"value"));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// A key got this value.
    Put {
        /// The path of the bucket.
        bucket: Arc<[Name]>,
        /// The key.
        key: Name,
        /// Its value.
        value: Name,
    },
    /// A key and its value were deleted.
    Deleted {
        /// The path of the bucket.
        bucket: Arc<[Name]>,
        /// The key.
        key: Name,
    },
    /// All items between two keys were deleted, nested buckets among them with all that was in them. `delete_range` and
    /// `clear` tell this; which keys there were is not looked up.
    RangeDeleted {
        /// The path of the bucket.
        bucket: Arc<[Name]>,
        /// Where the range begins.
        start: Bound<Name>,
        /// Where it ends.
        end: Bound<Name>,
    },
    /// A bucket was created, empty.
    BucketCreated {
        /// Its path.
        bucket: Arc<[Name]>,
    },
    /// A bucket was deleted with all that was in it.
    BucketDeleted {
        /// Its path.
        bucket: Arc<[Name]>,
    },
    /// A bucket was moved with all that was in it, which is not told: who needs it and did not have it reads it at `to`.
    BucketMoved {
        /// Its path before.
        from: Arc<[Name]>,
        /// Its path from now on.
        to: Arc<[Name]>,
    },
    /// The counter of a bucket was set.
    Sequence {
        /// The path of the bucket.
        bucket: Arc<[Name]>,
        /// The counter.
        sequence: u64,
    },
}

impl Change {
    /// The bytes of memory that it takes while it waits, about.
    pub(super) fn size(&self) -> usize {
        let bound = |bound: &Bound<Name>| match bound {
            Bound::Included(key) | Bound::Excluded(key) => key.len(),
            Bound::Unbounded => 0,
        };
        let bytes = match self {
            Self::Put { key, value, .. } => key.len().saturating_add(value.len()),
            Self::Deleted { key, .. } => key.len(),
            Self::RangeDeleted { start, end, .. } => bound(start).saturating_add(bound(end)),
            // Paths are shared.
            _ => 0,
        };
        let size = bytes.saturating_add(size_of::<Self>());
        debug_assert!(size > 0, "each change takes room");
        size
    }
}
