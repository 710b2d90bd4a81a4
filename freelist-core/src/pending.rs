//! Pages that a transaction freed and that some reader may still see.

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::intervals::Intervals;
use crate::page::{PageId, TxId};
use crate::span::Span;

/// A span that becomes free when no reader sees it any more.
///
/// The readers of the states from `allocated_by` up to, but without, `freed_by` see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) span: Span,
    /// 0: not known, so before every reader.
    pub(crate) allocated_by: TxId,
    pub(crate) freed_by: TxId,
}

impl Pending {
    /// The oldest of `readers`, which are in order, that still sees the span.
    fn witness(&self, readers: &[TxId]) -> Option<TxId> {
        let at = readers.partition_point(|reader| *reader < self.allocated_by);
        readers.get(at).copied().filter(|reader| *reader < self.freed_by)
    }
}

/// All pending spans.
///
/// Each span waits in the list of one reader that sees it, its witness, and is looked at again only
/// when that reader is gone: a long reader costs nothing per transaction, however much it holds back.
#[derive(Debug, Default)]
pub(crate) struct PendingSpans {
    /// Every pending page, to find pages that are freed twice.
    spans: Intervals<()>,
    pages: u64,
    /// The spans that wait for each reader, in the order of readers.
    waiting: Vec<(TxId, Vec<Pending>)>,
    /// What the next [`release_unseen`](Self::release_unseen) looks at.
    unsorted: Vec<Vec<Pending>>,
}

impl PendingSpans {
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// The pending span that `page` lies in, else the next one after it.
    pub(crate) fn next_span(&self, page: PageId) -> Option<Span> {
        self.spans.next(page).map(|(span, ())| span)
    }

    pub(crate) fn first_pending(&self, span: Span) -> Option<PageId> {
        Some(self.next_span(span.start())?.intersection(span)?.start())
    }

    /// Notes a span of which no page is pending.
    pub(crate) fn insert(&mut self, span: Span) -> Result<(), FreelistError> {
        self.spans.insert(span, ())?;
        self.pages += span.len();
        Ok(())
    }

    /// Takes back an [`insert`](Self::insert) of exactly this span.
    pub(crate) fn remove(&mut self, span: Span) {
        let removed = self.spans.remove(span.start());
        assert_eq!(removed, Some((span, ())), "what stops being pending was pending as one span");
        assert!(self.pages >= span.len(), "the count of pending pages includes every pending span");
        self.pages -= span.len();
    }

    /// Adds what a transaction freed, all of it inserted before, to what the next
    /// [`release_unseen`](Self::release_unseen) looks at.
    pub(crate) fn look_at(&mut self, freed: &mut Vec<Pending>) -> Result<(), FreelistError> {
        debug_assert!(freed.iter().all(|freed| self.first_pending(freed.span).is_some()), "what was freed is pending");
        self.unsorted.try_reserve(1)?;
        self.unsorted.push(core::mem::take(freed));
        Ok(())
    }

    /// Passes every span that none of `readers`, which are in order, sees to `release`. Returns the number
    /// of pages.
    ///
    /// After an error, what was passed on is no longer pending, and the rest still is.
    pub(crate) fn release_unseen(
        &mut self,
        readers: &[TxId],
        release: &mut dyn FnMut(Span) -> Result<(), FreelistError>,
    ) -> Result<u64, FreelistError> {
        debug_assert!(readers.is_sorted(), "readers are in order");
        let before = self.pages;
        self.unsorted.try_reserve(self.waiting.len())?;
        let unsorted = &mut self.unsorted;
        self.waiting.retain_mut(|(reader, spans)| {
            let open = readers.binary_search(reader).is_ok();
            if !open {
                unsorted.push(core::mem::take(spans));
            }
            open
        });
        let mut released = 0;
        while let Some(list) = self.unsorted.last() {
            let Some(pending) = list.last().copied() else {
                self.unsorted.pop();
                continue;
            };
            if let Some(reader) = pending.witness(readers) {
                self.wait_for(reader, pending)?;
            } else {
                release(pending.span)?;
                self.remove(pending.span);
                released += pending.span.len();
            }
            if let Some(list) = self.unsorted.last_mut() {
                list.pop();
            }
        }
        assert_eq!(self.pages + released, before, "each page that was pending was released, or still is pending");
        debug_assert!(
            self.waiting.iter().all(|(reader, _)| readers.binary_search(reader).is_ok()),
            "spans wait only for readers that are open"
        );
        Ok(released)
    }

    fn wait_for(&mut self, reader: TxId, pending: Pending) -> Result<(), FreelistError> {
        let at = match self.waiting.binary_search_by_key(&reader, |(other, _)| *other) {
            Ok(at) => at,
            Err(at) => {
                self.waiting.try_reserve(1)?;
                self.waiting.insert(at, (reader, Vec::new()));
                at
            }
        };
        debug_assert!(self.waiting.is_sorted_by_key(|(reader, _)| *reader), "the lists are in the order of readers");
        let list = &mut self.waiting[at].1;
        list.try_reserve(1)?;
        list.push(pending);
        Ok(())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let lists = self.waiting.iter().map(|(_, list)| list).chain(&self.unsorted);
        self.spans.memory_bytes()
            + self.waiting.capacity() * size_of::<(TxId, Vec<Pending>)>()
            + self.unsorted.capacity() * size_of::<Vec<Pending>>()
            + lists.map(|list| list.capacity() * size_of::<Pending>()).sum::<usize>()
    }
}
