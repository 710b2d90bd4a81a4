//! The revisions of one key.

use super::super::options::Tombstones;
use super::super::revision::Revision;

/// A key as it is at some revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Found {
    /// Of its last put.
    pub(in super::super) revision: Revision,
    /// The revision that created it.
    pub(in super::super) created: i64,
    pub(in super::super) version: i64,
}

/// The revisions of a key, in order; never none. Most keys have one: it takes no heap.
#[derive(Debug)]
pub(super) enum History {
    /// A put that created the key.
    First { main: i64, sub: u32 },
    /// Anything else.
    Long(Box<Long>),
}

/// A sequence of *lives*: in each the key is put, until a delete ends it.
#[derive(Debug)]
pub(super) struct Long {
    /// The revision that created the key in the first life: a compaction may have removed it.
    created: i64,
    /// How many puts of the first life a compaction has removed.
    cut: i64,
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    main: i64,
    sub: u32,
    /// Of a put: its place among those of its life that are still here, from 1. Of a delete: 0.
    nth: u32,
}

const _: () = assert!(size_of::<History>() == 16, "an index of many keys has one of these for each");

impl Change {
    fn revision(self) -> Revision {
        Revision::new(self.main, self.sub)
    }

    fn is_put(self) -> bool {
        self.nth > 0
    }
}

impl History {
    pub(super) fn first(revision: Revision) -> Self {
        Self::First { main: revision.main, sub: revision.sub }
    }

    /// A key of which a file has this put first: a compaction may have removed earlier ones.
    pub(super) fn restored(revision: Revision, created: i64, version: i64) -> Self {
        if created == revision.main && version == 1 {
            return Self::first(revision);
        }
        let changes = vec![Change { main: revision.main, sub: revision.sub, nth: 1 }];
        Self::Long(Box::new(Long { created, cut: version.wrapping_sub(1), changes }))
    }

    /// A key of which a file has this delete first: a compaction has removed what it deleted.
    pub(super) fn deleted(revision: Revision) -> Self {
        let changes = vec![Change { main: revision.main, sub: revision.sub, nth: 0 }];
        Self::Long(Box::new(Long { created: 0, cut: 0, changes }))
    }

    pub(super) fn newest(&self) -> i64 {
        match self {
            Self::First { main, .. } => *main,
            Self::Long(long) => long.last().main,
        }
    }

    /// Whether the last change is a put.
    pub(super) fn is_live(&self) -> bool {
        match self {
            Self::First { .. } => true,
            Self::Long(long) => long.last().is_put(),
        }
    }

    pub(super) fn put(&mut self, revision: Revision) {
        let long = self.lengthen();
        let nth = long.last().nth + 1;
        long.push(revision, nth);
    }

    pub(super) fn delete(&mut self, revision: Revision) {
        self.lengthen().push(revision, 0);
    }

    /// Takes the last change back. Returns whether others are left.
    pub(super) fn undo(&mut self) -> bool {
        match self {
            Self::First { .. } => false,
            Self::Long(long) => {
                long.changes.pop();
                !long.changes.is_empty()
            }
        }
    }

    fn lengthen(&mut self) -> &mut Long {
        if let Self::First { main, sub } = *self {
            let mut changes = Vec::with_capacity(2);
            changes.push(Change { main, sub, nth: 1 });
            *self = Self::Long(Box::new(Long { created: main, cut: 0, changes }));
        }
        match self {
            Self::Long(long) => long,
            Self::First { .. } => unreachable!("it has just been made long"),
        }
    }

    /// The key as a read at `at` sees it.
    pub(super) fn at(&self, at: i64) -> Option<Found> {
        match self {
            Self::First { main, sub } => {
                (*main <= at).then(|| Found { revision: Revision::new(*main, *sub), created: *main, version: 1 })
            }
            Self::Long(long) => long.at(at),
        }
    }

    /// Removes what no read at `at` or later needs. Returns whether anything is left.
    pub(super) fn compact(&mut self, at: i64, tombstones: Tombstones, mut removed: impl FnMut(Revision, bool)) -> bool {
        let Self::Long(long) = self else { return true };
        let end = long.changes.partition_point(|change| change.main <= at);
        let Some(last) = end.checked_sub(1) else { return true };
        let change = long.changes[last];
        let stays = change.is_put() || change.main == at && tombstones == Tombstones::KeepAtCompactRev;
        let cut = if stays { last } else { end };
        debug_assert!(long.changes[..cut].iter().all(|change| change.main <= at), "newer changes stay");
        for change in &long.changes[..cut] {
            removed(change.revision(), !change.is_put());
        }
        long.cut(cut);
        self.shorten();
        !matches!(self, Self::Long(long) if long.changes.is_empty())
    }

    /// A key that has become as simple as a new one takes as little.
    fn shorten(&mut self) {
        if let Self::Long(long) = self
            && let [Change { main, sub, nth: 1 }] = long.changes[..]
            && long.cut == 0
            && long.created == main
        {
            *self = Self::First { main, sub };
        }
    }

    /// All changes with whether they are deletes, oldest first.
    pub(super) fn changes(&self) -> Vec<(Revision, bool)> {
        match self {
            Self::First { main, sub } => vec![(Revision::new(*main, *sub), false)],
            Self::Long(long) => long.changes.iter().map(|change| (change.revision(), !change.is_put())).collect(),
        }
    }
}

impl Long {
    fn last(&self) -> Change {
        *self.changes.last().expect("a key in the index has a revision")
    }

    fn push(&mut self, revision: Revision, nth: u32) {
        debug_assert!(revision > self.last().revision(), "revisions of a key ascend");
        if self.changes.len() == self.changes.capacity() {
            // Many keys have a few: less in reserve than doubling would give.
            self.changes.reserve_exact(self.changes.len() / 2 + 1);
        }
        self.changes.push(Change { main: revision.main, sub: revision.sub, nth });
        self.assert_sound();
    }

    /// What holds between any two calls.
    fn assert_sound(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(self.changes.first().is_none_or(|first| first.nth <= 1), "a life begins with its first put");
        for pair in self.changes.windows(2) {
            assert!(pair[0].revision() < pair[1].revision(), "revisions ascend");
            assert!(!pair[1].is_put() || pair[1].nth == pair[0].nth + 1, "puts of a life are counted");
            assert!(pair[0].is_put() || pair[1].is_put(), "only a live key is deleted");
        }
    }

    fn at(&self, at: i64) -> Option<Found> {
        let last = self.changes.partition_point(|change| change.main <= at).checked_sub(1)?;
        let change = self.changes[last];
        // `nth` counts from 1 within the life, so this is the life's first change; none for a delete.
        let first = (last + 1).checked_sub(change.nth as usize).filter(|_| change.is_put())?;
        let (created, cut) = if first == 0 { (self.created, self.cut) } else { (self.changes[first].main, 0) };
        Some(Found { revision: change.revision(), created, version: cut.wrapping_add(change.nth.into()) })
    }

    /// Removes the first `count` changes.
    fn cut(&mut self, count: usize) {
        debug_assert!(count <= self.changes.len(), "what goes is there");
        if count == 0 {
            return;
        }
        if let Some(&first) = self.changes.get(count) {
            if first.nth > 1 {
                // The life goes on without its beginning.
                let found = self.at(first.main).expect("a put is there at its own revision");
                (self.created, self.cut) = (found.created, found.version.wrapping_sub(1));
            } else {
                (self.created, self.cut) = (first.main, 0);
            }
        }
        self.changes.drain(..count);
        self.changes.shrink_to_fit();
        let life = self.changes.iter_mut().take_while(|change| change.is_put());
        for (at, change) in life.enumerate() {
            change.nth = u32::try_from(at + 1).expect("a key has fewer revisions in memory");
        }
        self.assert_sound();
    }
}

#[cfg(test)]
mod tests;
