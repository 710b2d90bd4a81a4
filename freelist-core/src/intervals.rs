//! Disjoint spans, each with a value.

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::page::{PageId, Span};

/// Disjoint spans in page order, never merged, each with a value.
///
/// Only [`insert`](Self::insert) and [`split_at`](Self::split_at) need memory, so that whatever they
/// did can always be undone.
#[derive(Debug)]
pub(crate) struct Intervals<V> {
    entries: Vec<(Span, V)>,
}

impl<V> Default for Intervals<V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<V: Copy> Intervals<V> {
    /// Adds a span that must not overlap another.
    pub(crate) fn insert(&mut self, span: Span, value: V) -> Result<(), FreelistError> {
        self.entries.try_reserve(1)?;
        let at = self.entries.partition_point(|(other, _)| other.start() < span.start());
        self.entries.insert(at, (span, value));
        Ok(())
    }

    /// Removes the entry that starts at `start`.
    pub(crate) fn remove(&mut self, start: PageId) -> Option<(Span, V)> {
        let at = self.entries.binary_search_by_key(&start, |(span, _)| span.start()).ok()?;
        Some(self.entries.remove(at))
    }

    /// The entry that `page` lies in, else the next one behind it.
    pub(crate) fn next(&self, page: PageId) -> Option<(Span, V)> {
        let at = self.entries.partition_point(|(span, _)| span.end() <= page);
        self.entries.get(at).copied()
    }

    /// Cuts the entry that has `page` inside in two, so that one starts at `page`.
    pub(crate) fn split_at(&mut self, page: PageId) -> Result<(), FreelistError> {
        let at = self.entries.partition_point(|(span, _)| span.end() <= page);
        let Some((span, value)) = self.entries.get(at).copied() else {
            return Ok(());
        };
        let (Some(front), Some(behind)) = (Span::between(span.start(), page), Span::between(page, span.end())) else {
            return Ok(());
        };
        self.entries.try_reserve(1)?;
        self.entries[at].0 = front;
        self.entries.insert(at + 1, (behind, value));
        Ok(())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Span, V)>()
    }
}
