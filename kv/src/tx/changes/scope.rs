//! What a listener wants to know.

use std::ops::{Bound, RangeBounds};

use super::change::{Change, Name};
use crate::tx::key_range::{KeyRange, Prefix, prefix};

/// The part of a database whose changes are told: a bucket, or the items of it whose keys begin with some bytes, and
/// everything in the buckets among them. Also told is what creates, deletes or moves the bucket itself or one around it.
///
/// ```
/// let everything = kv::Scope::all();
/// let orders = kv::Scope::bucket(["orders"]);
/// let orders_of_may = kv::Scope::bucket(["shop", "orders"]).prefix("2026-05-");
/// assert_ne!(everything, orders);
/// assert_ne!(orders, orders_of_may);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    path: Vec<Vec<u8>>,
    keys: Prefix,
}

impl Scope {
    /// The whole database.
    #[must_use]
    pub fn all() -> Self {
        Self { path: Vec::new(), keys: prefix("") }
    }

    /// The bucket at `path`, the names from the top. It need not exist yet.
    pub fn bucket(path: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        Self { path: path.into_iter().map(|name| name.as_ref().to_vec()).collect(), ..Self::all() }
    }

    /// Only the items of the bucket whose keys or names begin with `bytes`.
    #[must_use]
    pub fn prefix(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.keys = prefix(bytes);
        self
    }

    /// Whether a change is one of this part.
    pub(super) fn has(&self, change: &Change) -> bool {
        match change {
            Change::Put { bucket, key, .. } | Change::Deleted { bucket, key } => self.has_item(bucket, key),
            Change::RangeDeleted { bucket, start, end } => self.has_range(bucket, (start, end)),
            Change::BucketCreated { bucket } | Change::BucketDeleted { bucket } => self.has_bucket(bucket),
            Change::BucketMoved { from, to } => self.has_bucket(from) || self.has_bucket(to),
            // The counter of the bucket itself is no item of it.
            Change::Sequence { bucket, .. } => {
                self.is(bucket) || bucket.len() > self.path.len() && self.has_bucket(bucket)
            }
        }
    }

    fn is(&self, bucket: &[Name]) -> bool {
        bucket.len() == self.path.len() && self.begins_with(bucket)
    }

    /// Whether the way to this part goes along `bucket`, or ends in it.
    fn begins_with(&self, bucket: &[Name]) -> bool {
        bucket.len() <= self.path.len() && self.path.iter().zip(bucket).all(|(ours, theirs)| **ours == **theirs)
    }

    /// Whether `key` of the bucket at `path` lies in this part.
    fn has_item(&self, bucket: &[Name], key: &Name) -> bool {
        match bucket.get(self.path.len()) {
            None => self.is(bucket) && self.has_key(key),
            Some(inner) => self.path.iter().zip(bucket).all(|(ours, theirs)| **ours == **theirs) && self.has_key(inner),
        }
    }

    /// Whether a bucket lies in this part or around it.
    fn has_bucket(&self, bucket: &[Name]) -> bool {
        let Some((name, parent)) = bucket.split_last() else { return true };
        self.begins_with(bucket) || self.has_item(parent, name)
    }

    fn has_range(&self, bucket: &[Name], (start, end): (&Bound<Name>, &Bound<Name>)) -> bool {
        let range = (start.as_ref().map(|key| &**key), end.as_ref().map(|key| &**key));
        if self.is(bucket) {
            return overlap(range, (self.keys.start(), self.keys.end()));
        }
        match self.path.get(bucket.len()) {
            // The range may have a bucket around this part.
            Some(next) => self.begins_with(bucket) && range.contains(&next[..]),
            None => bucket.split_last().is_some_and(|(name, parent)| self.has_item(parent, name)),
        }
    }

    fn has_key(&self, key: &[u8]) -> bool {
        (self.keys.start(), self.keys.end()).contains(key)
    }
}

/// Whether two ranges may have a key in common.
fn overlap(one: (Bound<&[u8]>, Bound<&[u8]>), other: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    let ends_before = |end: Bound<&[u8]>, start: Bound<&[u8]>| match (end, start) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(end), Bound::Included(start)) => end < start,
        (Bound::Included(end) | Bound::Excluded(end), Bound::Included(start) | Bound::Excluded(start)) => end <= start,
    };
    !ends_before(one.1, other.0) && !ends_before(other.1, one.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_where_they_have_a_key_in_common_and_not_where_one_ends_before_the_other() {
        let keys: Vec<Vec<u8>> = (0..4u8).flat_map(|byte| [vec![byte], vec![byte, 0], vec![byte, 7]]).collect();
        let bounds: Vec<Bound<&[u8]>> = std::iter::once(Bound::Unbounded)
            .chain(keys.iter().step_by(3).flat_map(|key| [Bound::Included(&key[..]), Bound::Excluded(&key[..])]))
            .collect();
        let ranges: Vec<_> = bounds.iter().flat_map(|&start| bounds.iter().map(move |&end| (start, end))).collect();
        let has = |range: &(Bound<&[u8]>, Bound<&[u8]>), key: &[u8]| range.contains(key);
        for one in &ranges {
            for other in &ranges {
                let common = keys.iter().any(|key| has(one, key) && has(other, key));
                // Both have a key, so it is their order that keeps them apart.
                let apart = [one, other].iter().all(|range| keys.iter().any(|key| has(range, key))) && !common;
                assert!(!common || overlap(*one, *other), "{one:?} and {other:?} have a key in common");
                assert!(!apart || !overlap(*one, *other), "{one:?} and {other:?} lie apart");
            }
        }
    }
}
