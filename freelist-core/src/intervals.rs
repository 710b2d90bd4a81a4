//! Disjoint spans, each with a value.

use crate::error::FreelistError;
use crate::number_set::{Blocks, NumberSet};
use crate::page::PageId;
use crate::page_hash::PageMap;
use crate::span::Span;

/// Disjoint spans in page order, never merged, each with a value. Every call is O(1).
///
/// Only [`insert`](Self::insert) and [`split_at`](Self::split_at) need memory, so what they did can
/// always be undone.
#[derive(Debug)]
pub(crate) struct Intervals<V> {
    /// From the first page of each span.
    entries: PageMap<u64, (Span, V)>,
    /// The same first pages, in order.
    starts: NumberSet,
    start_blocks: Blocks,
}

impl<V> Default for Intervals<V> {
    fn default() -> Self {
        Self { entries: PageMap::default(), starts: NumberSet::new(0), start_blocks: Blocks::default() }
    }
}

impl<V: Copy> Intervals<V> {
    /// Adds a span, which must not overlap another.
    pub(crate) fn insert(&mut self, span: Span, value: V) -> Result<(), FreelistError> {
        debug_assert!(self.next(span.start()).is_none_or(|(next, _)| !next.overlaps(span)), "{span} overlaps no other");
        self.put(span, value)
    }

    fn put(&mut self, span: Span, value: V) -> Result<(), FreelistError> {
        let start = span.start().get();
        self.entries.try_reserve(1)?;
        self.starts.insert(&mut self.start_blocks, start)?;
        self.entries.insert(start, (span, value));
        assert_eq!(self.entries.len() as u64, self.starts.len(), "the order of starts has each span once");
        Ok(())
    }

    /// Removes the entry that starts at `start`.
    pub(crate) fn remove(&mut self, start: PageId) -> Option<(Span, V)> {
        let removed = self.entries.remove(&start.get())?;
        self.starts.remove(&mut self.start_blocks, start.get());
        assert_eq!(self.entries.len() as u64, self.starts.len(), "the order of starts has each span once");
        Some(removed)
    }

    /// The entry that `page` lies in, else the next one after it.
    pub(crate) fn next(&self, page: PageId) -> Option<(Span, V)> {
        self.around(page).or_else(|| {
            let start = self.starts.next(&self.start_blocks, page.get())?;
            self.entries.get(&start).copied()
        })
    }

    /// Cuts the entry in which `page` lies in two, so that one starts at `page`.
    pub(crate) fn split_at(&mut self, page: PageId) -> Result<(), FreelistError> {
        let Some((span, value)) = self.around(page) else {
            return Ok(());
        };
        let (Some(front), Some(rest)) = (Span::between(span.start(), page), Span::between(page, span.end())) else {
            return Ok(());
        };
        self.put(rest, value)?;
        // Not `insert`, which may ask for memory although the key is there.
        let entry = self.entries.get_mut(&front.start().get());
        entry.expect("the entry that is cut is listed under its start").0 = front;
        debug_assert!(self.next(page).is_some_and(|(span, _)| span == rest), "an entry starts at {page}");
        Ok(())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.allocation_size() + self.start_blocks.memory_bytes()
    }

    /// The entry that `page` lies in.
    fn around(&self, page: PageId) -> Option<(Span, V)> {
        let start = self.starts.prev(&self.start_blocks, page.get())?;
        self.entries.get(&start).copied().filter(|(span, _)| span.contains(page))
    }
}
