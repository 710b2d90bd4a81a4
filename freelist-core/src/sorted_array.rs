//! The sorted array: like bbolt's first free list, but of spans instead of pages.

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::page::PageId;
use crate::request::Request;
use crate::span::Span;

/// Free spans in one array, sorted by page.
///
/// First fit: a request gets the lowest span that is long enough. Simple, small (16 bytes per span),
/// and O(spans) for every change: the baseline for measuring [`SpanMaps`](crate::SpanMaps), and a good
/// choice for a few hundred spans.
///
/// ```
/// use freelist_core::{FreeSpans, PageId, SortedArray, Span};
///
/// let span = |start, len| Span::new(PageId::new(start), len);
/// let mut free = SortedArray::new();
/// free.release(span(10, 4)?)?;
/// free.release(span(20, 2)?)?;
/// assert_eq!(free.allocate(2)?, Some(span(10, 2)?)); // the first fit, not the tightest
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedArray {
    spans: Vec<Span>,
    free_pages: u64,
}

impl SortedArray {
    /// An empty set. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { spans: Vec::new(), free_pages: 0 }
    }

    /// The index of the first span that ends after `page`.
    fn position(&self, page: PageId) -> usize {
        self.spans.partition_point(|span| span.end() <= page)
    }

    /// Whether the spans around index `at` are in page order with a page between.
    fn is_apart(&self, at: usize) -> bool {
        let around = self.spans.get(at.saturating_sub(1)..self.spans.len().min(at + 3)).unwrap_or_default();
        around.windows(2).all(|pair| pair[0].end() < pair[1].start())
    }
}

impl FreeSpans for SortedArray {
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError> {
        request.check()?;
        Ok(self.spans.iter().find_map(|span| request.fit(*span)))
    }

    fn take(&mut self, span: Span) -> Result<(), FreelistError> {
        let at = self.position(span.start());
        let Some(whole) = self.spans.get(at).copied().filter(|whole| whole.contains(span.start())) else {
            return Err(FreelistError::NotFree { page: span.start() });
        };
        if !whole.covers(span) {
            return Err(FreelistError::NotFree { page: whole.end() });
        }
        match whole.around(span) {
            (None, None) => {
                self.spans.remove(at);
            }
            (Some(rest), None) | (None, Some(rest)) => self.spans[at] = rest,
            (Some(front), Some(rest)) => {
                self.spans.try_reserve(1)?;
                self.spans[at] = front;
                self.spans.insert(at + 1, rest);
            }
        }
        debug_assert!(self.free_pages >= span.len(), "no more pages are taken than were free");
        self.free_pages -= span.len();
        debug_assert!(self.is_apart(at), "free spans are in order, and none touches the next");
        Ok(())
    }

    fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        // The first span that ends at the start or after it: the left neighbour, if it touches.
        let at = self.spans.partition_point(|other| other.end() < span.start());
        let left = self.spans.get(at).copied().filter(|left| left.end() == span.start());
        let next = at + usize::from(left.is_some());
        let right = match self.spans.get(next) {
            Some(other) if other.overlaps(span) => {
                let page = other.start().max(span.start());
                return Err(FreelistError::DoubleFree { page });
            }
            other => other.copied().filter(|right| right.start() == span.end()),
        };
        let start = left.map_or(span.start(), Span::start);
        let end = right.map_or(span.end(), Span::end);
        let merged = Span::between(start, end).unwrap_or(span);
        match (left, right) {
            (None, None) => {
                self.spans.try_reserve(1)?;
                self.spans.insert(at, merged);
            }
            (Some(_), Some(_)) => {
                self.spans[at] = merged;
                self.spans.remove(next);
            }
            _ => self.spans[at] = merged,
        }
        self.free_pages += span.len();
        debug_assert!(self.is_apart(at), "free spans are in order, and none touches the next");
        Ok(())
    }

    fn next_span(&self, page: PageId) -> Option<Span> {
        self.spans.get(self.position(page)).copied()
    }

    fn last_span(&self) -> Option<Span> {
        self.spans.last().copied()
    }

    fn free_pages(&self) -> u64 {
        self.free_pages
    }

    fn free_spans(&self) -> u64 {
        self.spans.len() as u64
    }

    /// O(spans).
    fn largest(&self) -> u64 {
        self.spans.iter().map(|span| span.len()).max().unwrap_or(0)
    }

    fn clear(&mut self) {
        *self = Self::new();
    }

    fn reserve(&mut self, spans: u64, _window: Span) -> Result<(), FreelistError> {
        // One more than asked for: while a span is cut in two, both halves are there.
        let wanted = usize::try_from(spans).map_err(|_| FreelistError::OutOfMemory)?.saturating_add(1);
        Ok(self.spans.try_reserve_exact(wanted.saturating_sub(self.spans.len()))?)
    }

    fn memory_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
    }

    fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        debug_assert_eq!(self.spans.iter().map(|span| span.len()).sum::<u64>(), self.free_pages, "all pages count");
        self.spans.iter().copied().for_each(visit);
    }
}
