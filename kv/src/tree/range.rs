//! Items between two bounds, from either end.

use std::ops::Bound;

use freelist_core::PageId;

use super::cursor::Way;
use super::{Cursor, Root};
use crate::error::Result;
use crate::format::LeafEntry;
use crate::store::{LeafRef, Pages};

/// A double-ended walk over the items of a tree whose keys lie within bounds.
#[derive(Clone, Debug)]
pub(crate) struct Range<'t> {
    front: Cursor<'t>,
    back: Cursor<'t>,
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
    /// The last keys given out at either end.
    given: (Option<&'t [u8]>, Option<&'t [u8]>),
    /// In the front's leaf, the end of the elements that are known to be within the end bound.
    front_stop: usize,
    /// In the back's leaf, the first of the elements that are known to be within the start bound.
    back_stop: usize,
    done: bool,
}

impl<'t> Range<'t> {
    pub(crate) fn new(pages: Pages<'t>, root: Root<'t>, start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> Self {
        let front = Cursor::new(pages, root);
        let given = (None, None);
        Self { back: front.clone(), front, start, end, given, front_stop: 0, back_stop: usize::MAX, done: false }
    }

    /// The next item, if nothing has to be compared for it: it lies in a leaf whose last key is inside. None does not mean the end.
    #[inline]
    pub(crate) fn next_in_leaf(&mut self) -> Option<LeafEntry<'t>> {
        if self.done || self.given.1.is_some() {
            return None;
        }
        let entry = self.front.next_before(self.front_stop)?;
        self.given.0 = Some(entry.key);
        Some(entry)
    }

    pub(crate) fn next(&mut self) -> Option<Result<LeafEntry<'t>>> {
        match self.next_in_leaf() {
            _ if self.done => None,
            Some(entry) => Some(Ok(entry)),
            None => self.advance(),
        }
    }

    fn advance(&mut self) -> Option<Result<LeafEntry<'t>>> {
        assert!(!self.done, "a walk that has ended goes no further");
        let entry = if self.given.0.is_none() { self.enter_front() } else { self.front.next() };
        let entry =
            self.within(entry, |range, key| below(key, &range.end) && range.given.1.is_none_or(|given| key < given))?;
        if let Ok(entry) = &entry {
            self.given.0 = Some(entry.key);
            debug_assert!(!self.has_crossed(), "what the front gives out, the back has not passed");
            self.front_stop = self.edge(&self.front, Way::Forward, |range, last| below(last, &range.end)).unwrap_or(0);
        }
        Some(entry)
    }

    /// The item before, in the same way.
    #[inline]
    pub(crate) fn next_back_in_leaf(&mut self) -> Option<LeafEntry<'t>> {
        if self.done || self.given.0.is_some() {
            return None;
        }
        let entry = self.back.prev_from(self.back_stop)?;
        self.given.1 = Some(entry.key);
        Some(entry)
    }

    pub(crate) fn next_back(&mut self) -> Option<Result<LeafEntry<'t>>> {
        match self.next_back_in_leaf() {
            _ if self.done => None,
            Some(entry) => Some(Ok(entry)),
            None => self.retreat(),
        }
    }

    fn retreat(&mut self) -> Option<Result<LeafEntry<'t>>> {
        assert!(!self.done, "a walk that has ended goes no further");
        let entry = if self.given.1.is_none() { self.enter_back() } else { self.back.prev() };
        let entry =
            self.within(entry, |range, key| above(key, &range.start) && range.given.0.is_none_or(|given| key > given))?;
        if let Ok(entry) = &entry {
            self.given.1 = Some(entry.key);
            debug_assert!(!self.has_crossed(), "what the back gives out, the front has not passed");
            let edge = self.edge(&self.back, Way::Back, |range, first| above(first, &range.start));
            self.back_stop = edge.unwrap_or(usize::MAX);
        }
        Some(entry)
    }

    /// The edge that `cursor` moves to in its leaf: the number of elements, or 0; none unless all elements up to it are
    /// inside.
    #[inline]
    fn edge(&self, cursor: &Cursor<'t>, way: Way, inside: impl Fn(&Self, &[u8]) -> bool) -> Option<usize> {
        let (LeafRef { leaf, .. }, _) = cursor.position()?;
        let (edge, index) = match way {
            Way::Forward => (leaf.count(), leaf.count().checked_sub(1)?),
            Way::Back => (0, 0),
        };
        leaf.key(index).is_ok_and(|key| inside(self, key)).then_some(edge)
    }

    /// The page of the item that [`next`](Self::next) has returned last.
    pub(crate) fn page(&self) -> PageId {
        self.front.link().page_id()
    }

    /// Whether an item may be returned twice.
    fn has_crossed(&self) -> bool {
        self.given.0.zip(self.given.1).is_some_and(|(front, back)| front >= back)
    }

    fn enter_front(&mut self) -> Result<Option<LeafEntry<'t>>> {
        match &self.start {
            Bound::Unbounded => self.front.first(),
            Bound::Included(key) => self.front.seek(key),
            Bound::Excluded(key) => match self.front.seek(key)? {
                Some(entry) if entry.key == key.as_slice() => self.front.next(),
                entry => Ok(entry),
            },
        }
    }

    fn enter_back(&mut self) -> Result<Option<LeafEntry<'t>>> {
        match &self.end {
            Bound::Unbounded => self.back.last(),
            Bound::Included(key) => match self.back.seek(key)? {
                Some(entry) if entry.key == key.as_slice() => Ok(Some(entry)),
                Some(_) => self.back.prev(),
                None => self.back.last(),
            },
            Bound::Excluded(key) => match self.back.seek(key)? {
                Some(_) => self.back.prev(),
                None => self.back.last(),
            },
        }
    }

    /// The item, if it is still inside; after the end or an error the walk is over.
    #[inline]
    fn within(
        &mut self,
        entry: Result<Option<LeafEntry<'t>>>,
        inside: impl Fn(&Self, &[u8]) -> bool,
    ) -> Option<Result<LeafEntry<'t>>> {
        match entry {
            Ok(Some(entry)) if inside(self, entry.key) => Some(Ok(entry)),
            Ok(_) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

fn below(key: &[u8], end: &Bound<Vec<u8>>) -> bool {
    match end {
        Bound::Unbounded => true,
        Bound::Included(end) => key <= end.as_slice(),
        Bound::Excluded(end) => key < end.as_slice(),
    }
}

fn above(key: &[u8], start: &Bound<Vec<u8>>) -> bool {
    match start {
        Bound::Unbounded => true,
        Bound::Included(start) => key >= start.as_slice(),
        Bound::Excluded(start) => key > start.as_slice(),
    }
}
