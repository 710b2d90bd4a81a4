//! What the file has an outdated copy of, and since when: a queue, the oldest first.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A region by its number, or the index.
pub(super) type Unit = u64;

/// The index of the regions. No file has so many regions.
pub(super) const INDEX: Unit = Unit::MAX;

/// Units that changed since they were written last. The log is needed from the page on that has the first change of the
/// first unit.
#[derive(Default, Debug)]
pub(super) struct Stale {
    since: BTreeMap<Unit, u64>,
    queue: BTreeSet<(u64, Unit)>,
}

impl Stale {
    /// The unit has a change in log page number `page`. It keeps its place if it is stale already.
    pub(super) fn mark(&mut self, unit: Unit, page: u64) {
        if let Entry::Vacant(vacant) = self.since.entry(unit) {
            vacant.insert(page);
            self.queue.insert((page, unit));
        }
        assert_eq!(self.since.len(), self.queue.len(), "a unit is in the queue once");
    }

    /// The unit has been written.
    pub(super) fn clear(&mut self, unit: Unit) {
        if let Some(page) = self.since.remove(&unit) {
            let queued = self.queue.remove(&(page, unit));
            assert!(queued, "a stale unit is in the queue");
        }
    }

    pub(super) fn has(&self, unit: Unit) -> bool {
        self.since.contains_key(&unit)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The units, the oldest first, with the number of the log page that has their first change.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Unit)> {
        self.queue.iter().copied()
    }
}
