//! Which revisions each key has: all of it in memory, in little of it.
//!
//! Keys lie in leaves of about a hundred, and a sorted map leads to the leaves. A leaf knows how many of its keys are live
//! and its newest change, so that counting the keys of a range at a recent revision looks at leaves only.

mod history;
mod leaf;

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

pub(super) use history::Found;
use history::History;
use leaf::{KEYS_MAX, Leaf};

use super::interval::Interval;
use super::options::Tombstones;
use super::revision::Revision;

/// The index.
#[derive(Debug)]
pub(super) struct Index {
    /// Each leaf under a key that is not after its first and after all keys of the leaf before. The first has the empty
    /// key, so that every key has a leaf.
    leaves: BTreeMap<Box<[u8]>, Leaf>,
    keys: u64,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { leaves: BTreeMap::from([(Box::default(), Leaf::default())]), keys: 0 }
    }

    /// Keys, deleted ones with a history among them.
    pub(super) const fn keys(&self) -> u64 {
        self.keys
    }

    fn leaf(&self, key: &[u8]) -> &Leaf {
        let before = (Bound::Unbounded, Bound::Included(key));
        self.leaves.range::<[u8], _>(before).next_back().expect("every key has a leaf").1
    }

    fn leaf_mut(&mut self, key: &[u8]) -> (&[u8], &mut Leaf) {
        let before = (Bound::Unbounded, Bound::Included(key));
        let (separator, leaf) = self.leaves.range_mut::<[u8], _>(before).next_back().expect("every key has a leaf");
        (separator, leaf)
    }

    /// The key as a read at `at` sees it.
    pub(super) fn get(&self, key: &[u8], at: i64) -> Option<Found> {
        let leaf = self.leaf(key);
        leaf.position(key).ok().and_then(|position| leaf.history(position).at(at))
    }

    /// All changes of a key with whether they are deletes, oldest first.
    pub(super) fn changes(&self, key: &[u8]) -> Vec<(Revision, bool)> {
        let leaf = self.leaf(key);
        leaf.position(key).map_or_else(|_| Vec::new(), |position| leaf.history(position).changes())
    }

    pub(super) fn put(&mut self, key: &[u8], revision: Revision) {
        self.change(key, |history| history.put(revision), || Some(History::first(revision)));
    }

    /// The key must be live.
    pub(super) fn delete(&mut self, key: &[u8], revision: Revision) {
        self.change(key, |history| history.delete(revision), || unreachable!("only a live key is deleted"));
    }

    /// A put that a file has; see [`History::restored`].
    pub(super) fn restore_put(&mut self, key: &[u8], revision: Revision, created: i64, version: i64) {
        self.change(key, |history| history.put(revision), || Some(History::restored(revision, created, version)));
    }

    /// A delete that a file has. What etcd's older versions do with one of an unknown key is `tombstones`.
    pub(super) fn restore_delete(&mut self, key: &[u8], revision: Revision, tombstones: Tombstones) {
        let unknown = (tombstones == Tombstones::KeepAtCompactRev).then(|| History::deleted(revision));
        let delete = |history: &mut History| {
            // Two deletes in a row: no etcd writes them, and it passes over the second.
            if history.is_live() {
                history.delete(revision);
            }
        };
        self.change(key, delete, || unknown);
    }

    fn change(&mut self, key: &[u8], known: impl FnOnce(&mut History), new: impl FnOnce() -> Option<History>) {
        let (_, leaf) = self.leaf_mut(key);
        let at = match leaf.position(key) {
            Ok(at) => return leaf.change(at, known),
            Err(at) => at,
        };
        let Some(history) = new() else { return };
        debug_assert!(!history.changes().is_empty(), "a key in the index has a revision");
        leaf.insert(at, key, history);
        if leaf.is_full() {
            let right = leaf.split(at);
            let separator = Box::from(right.key(0));
            let replaced = self.leaves.insert(separator, right);
            assert!(replaced.is_none(), "a leaf has its place for itself");
        }
        self.keys += 1;
    }

    /// Takes the last change of a key back.
    pub(super) fn undo(&mut self, key: &[u8]) {
        let (_, leaf) = self.leaf_mut(key);
        let at = leaf.position(key).expect("a key that was changed is there");
        let only = matches!(leaf.history(at).changes().len(), 1);
        if only {
            leaf.remove(at);
            self.keys -= 1;
        } else {
            leaf.change(at, |history| assert!(history.undo(), "a change is left"));
        }
    }

    /// Visits the parts of leaves with keys of `interval` from `from` on, at most `leaves` of them. Returns where to go on.
    pub(super) fn visit(
        &self,
        from: &[u8],
        interval: &Interval,
        leaves: usize,
        mut part: impl FnMut(Part<'_>),
    ) -> Option<Box<[u8]>> {
        debug_assert!(*from >= interval.start[..], "a walk goes on where it stopped");
        let first = (Bound::Unbounded, Bound::Included(from));
        let first = self.leaves.range::<[u8], _>(first).next_back().map_or(from, |(separator, _)| &**separator);
        let rest = (Bound::Included(first), Bound::Unbounded);
        for (visited, (separator, leaf)) in self.leaves.range::<[u8], _>(rest).enumerate() {
            if !separator.is_empty() && !interval.is_before_end(separator) {
                return None;
            }
            if visited == leaves {
                return Some(separator.clone());
            }
            let start = leaf.position(from).unwrap_or_else(|at| at);
            let end = interval.end.as_ref().map_or(leaf.len(), |end| leaf.position(end).unwrap_or_else(|at| at));
            debug_assert!(end <= leaf.len(), "a part is of its leaf");
            if start < end {
                part(Part { leaf, positions: start..end });
            }
        }
        None
    }

    /// Compacts the leaf that `from` is in, and joins it with the next if both are small. `removed` hears of each
    /// revision that goes. Returns where to go on.
    pub(super) fn compact(
        &mut self,
        from: &[u8],
        at: i64,
        tombstones: Tombstones,
        mut removed: impl FnMut(Revision, bool),
    ) -> Option<Box<[u8]>> {
        let (separator, leaf) = self.leaf_mut(from);
        let separator: Box<[u8]> = separator.into();
        let before = leaf.len();
        leaf.retain(|history| history.compact(at, tombstones, &mut removed));
        let (gone, small) = (before - leaf.len(), leaf.len() <= KEYS_MAX / 4);
        debug_assert!(gone as u64 <= self.keys, "each key was counted");
        self.keys -= gone as u64;
        let behind = (Bound::Excluded(&*separator), Bound::Unbounded);
        let (next, right) = self.leaves.range::<[u8], _>(behind).next()?;
        debug_assert!(**next > *separator, "leaves are in order");
        let next = next.clone();
        if small && right.len() <= KEYS_MAX / 4 {
            let right = self.leaves.remove(&next).expect("it has just been seen");
            self.leaves.get_mut(&separator).expect("it has just been compacted").append(right);
            return Some(separator);
        }
        Some(next)
    }
}

/// Neighbouring keys of a leaf.
pub(super) struct Part<'a> {
    leaf: &'a Leaf,
    positions: Range<usize>,
}

impl<'a> Part<'a> {
    /// The keys that are live at `at`.
    pub(super) fn live(&self, at: i64) -> impl Iterator<Item = (&'a [u8], Found)> {
        let leaf = self.leaf;
        self.positions.clone().filter_map(move |position| Some((leaf.key(position), leaf.history(position).at(at)?)))
    }

    /// How many keys are live at `at`.
    pub(super) fn count(&self, at: i64) -> usize {
        if self.leaf.newest <= at && self.positions.len() == self.leaf.len() {
            return self.leaf.live;
        }
        self.positions.clone().filter(|&position| self.leaf.history(position).at(at).is_some()).count()
    }
}

#[cfg(test)]
mod tests;
