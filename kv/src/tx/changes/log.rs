//! What a write transaction has changed so far.

use std::ops::Bound;
use std::sync::Arc;

use super::change::{Change, Name};
use crate::tx::open_buckets::{BucketIndex, ROOT};

/// The changes of one transaction, if they fit.
#[derive(Debug)]
pub(crate) struct ChangeLog {
    changes: Vec<Change>,
    /// The paths of the buckets that the transaction has opened, by their numbers.
    paths: Vec<Arc<[Name]>>,
    bytes: usize,
    /// Most bytes: what the most patient listener takes.
    limit: usize,
    /// Some change is missing.
    incomplete: bool,
}

impl ChangeLog {
    pub(crate) fn new(limit: usize) -> Self {
        assert!(limit > 0, "a log is kept for somebody who takes it");
        Self { changes: Vec::new(), paths: vec![Arc::from([])], bytes: 0, limit, incomplete: false }
    }

    /// All changes, if none is missing.
    pub(in crate::tx) fn complete(&self) -> Option<&[Change]> {
        debug_assert!(!self.incomplete || self.changes.is_empty(), "nothing is told of a log that lacks something");
        (!self.incomplete).then_some(&self.changes)
    }

    /// The bytes of their keys and values.
    pub(in crate::tx) const fn pair_bytes(&self) -> usize {
        self.bytes.saturating_sub(self.changes.len().saturating_mul(size_of::<Change>()))
    }

    /// The transaction has opened or made the bucket `name` of `parent`, and given it the next number.
    pub(crate) fn opened(&mut self, parent: BucketIndex, name: &[u8]) {
        let path = self.below(parent, name);
        self.paths.push(path);
    }

    /// The bucket `at` is now `name` of `parent`.
    pub(crate) fn hung(&mut self, at: BucketIndex, parent: BucketIndex, name: &[u8]) {
        assert_ne!(at, ROOT, "the root bucket is in no other");
        debug_assert!(at < self.paths.len(), "a bucket that moves was opened");
        let path = self.below(parent, name);
        if let Some(place) = self.paths.get_mut(at) {
            *place = path;
        }
    }

    fn path(&self, at: BucketIndex) -> Arc<[Name]> {
        assert!(at < self.paths.len(), "a bucket that changes was opened");
        self.paths.get(at).cloned().unwrap_or_default()
    }

    fn below(&self, parent: BucketIndex, name: &[u8]) -> Arc<[Name]> {
        self.path(parent).iter().cloned().chain([Arc::from(name)]).collect()
    }

    fn push(&mut self, change: Change) {
        if self.incomplete {
            return;
        }
        self.bytes = self.bytes.saturating_add(change.size());
        self.changes.push(change);
        if self.bytes > self.limit {
            self.incomplete = true;
            self.changes = Vec::new();
        }
        debug_assert!(self.incomplete || self.bytes <= self.limit, "a log has a bounded size");
    }

    pub(crate) fn put(&mut self, at: BucketIndex, key: &[u8], value: &[u8]) {
        if self.incomplete {
            return;
        }
        self.push(Change::Put { bucket: self.path(at), key: key.into(), value: value.into() });
    }

    pub(crate) fn deleted(&mut self, at: BucketIndex, key: &[u8]) {
        self.push(Change::Deleted { bucket: self.path(at), key: key.into() });
    }

    pub(crate) fn range_deleted(&mut self, at: BucketIndex, (start, end): (Bound<&[u8]>, Bound<&[u8]>)) {
        let (start, end) = (start.map(Name::from), end.map(Name::from));
        self.push(Change::RangeDeleted { bucket: self.path(at), start, end });
    }

    pub(crate) fn bucket_created(&mut self, at: BucketIndex) {
        self.push(Change::BucketCreated { bucket: self.path(at) });
    }

    pub(crate) fn bucket_deleted(&mut self, parent: BucketIndex, name: &[u8]) {
        self.push(Change::BucketDeleted { bucket: self.below(parent, name) });
    }

    pub(crate) fn bucket_moved(&mut self, name: &[u8], from: BucketIndex, to: BucketIndex) {
        self.push(Change::BucketMoved { from: self.below(from, name), to: self.below(to, name) });
    }

    pub(crate) fn sequence(&mut self, at: BucketIndex, sequence: u64) {
        self.push(Change::Sequence { bucket: self.path(at), sequence });
    }
}
