//! The trait of a set of free pages.

use alloc::boxed::Box;

use crate::bit_spans::BitSpans;
use crate::error::FreelistError;
use crate::page::PageId;
use crate::request::Request;
use crate::span::Span;
use crate::statistics::Statistics;

/// A set of free pages, kept as maximal spans: two adjacent free pages are always in one span.
///
/// A method that fails leaves the set as it was, unless it says otherwise. The implementor's policy
/// decides which span a request gets; the choice depends only on the calls made before.
pub trait FreeSpans {
    /// The span that [`allocate_where`](Self::allocate_where) would take; `None` if there is none.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] or [`FreelistError::InvalidAlignment`].
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError>;

    /// Takes exactly these pages.
    ///
    /// # Errors
    /// [`FreelistError::NotFree`] with the first page that is not free, or [`FreelistError::OutOfMemory`].
    fn take(&mut self, span: Span) -> Result<(), FreelistError>;

    /// Adds pages, and merges them with the free spans that they touch.
    ///
    /// # Errors
    /// [`FreelistError::DoubleFree`] with the first page that is free already, or [`FreelistError::OutOfMemory`].
    fn release(&mut self, span: Span) -> Result<(), FreelistError>;

    /// The maximal free span that `page` lies in, else the next one after it.
    fn next_span(&self, page: PageId) -> Option<Span>;

    /// The maximal free span with the highest pages.
    fn last_span(&self) -> Option<Span>;

    /// The number of free pages. O(1).
    fn free_pages(&self) -> u64;

    /// The number of maximal spans of free pages. O(1).
    fn free_spans(&self) -> u64;

    /// The length of the longest span in pages; 0 if nothing is free.
    fn largest(&self) -> u64;

    /// Removes all pages and gives the heap memory back.
    fn clear(&mut self);

    /// Makes room ahead: no method runs out of memory while there are at most `spans` free spans, all
    /// inside `window`.
    ///
    /// # Errors
    /// [`FreelistError::OutOfMemory`].
    fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError>;

    /// Heap memory held, in bytes.
    fn memory_bytes(&self) -> usize;

    /// Allocates `pages` contiguous pages; `None` if no span is long enough.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] for 0 pages, or [`FreelistError::OutOfMemory`].
    fn allocate(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        self.allocate_where(Request::new(pages))
    }

    /// Allocates what `request` asks for; `None` if no span can give it.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`], [`FreelistError::InvalidAlignment`] or [`FreelistError::OutOfMemory`].
    fn allocate_where(&mut self, request: Request) -> Result<Option<Span>, FreelistError> {
        let Some(span) = self.find(request)? else {
            return Ok(None);
        };
        self.take(span)?;
        Ok(Some(span))
    }

    /// Allocates up to `pages` contiguous pages: like [`allocate`](Self::allocate), but the longest span
    /// if none is long enough; `None` if nothing is free. For a caller that wants many pages, which need
    /// not be contiguous.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] for 0 pages, or [`FreelistError::OutOfMemory`].
    fn allocate_up_to(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        match pages.min(self.largest()) {
            0 if pages > 0 => Ok(None),
            pages => self.allocate(pages),
        }
    }

    /// Adds many spans, in any order; fastest in page order.
    ///
    /// # Errors
    /// As [`release`](Self::release). The spans before the one that failed stay added.
    fn release_all(&mut self, spans: &mut dyn Iterator<Item = Span>) -> Result<(), FreelistError> {
        for span in spans {
            self.release(span)?;
        }
        Ok(())
    }

    /// Adds the pages whose bits are set: bit `b` of word `n` stands for page `64 n + b`. For a set that is kept as bits;
    /// [`SpanMaps`](crate::SpanMaps) without free pages take them word by word.
    ///
    /// # Errors
    /// As [`release_all`](Self::release_all).
    fn release_bits(&mut self, words: &mut dyn Iterator<Item = u64>) -> Result<(), FreelistError> {
        self.release_all(&mut BitSpans::new(words))
    }

    /// Whether the page is free.
    fn contains(&self, page: PageId) -> bool {
        self.next_span(page).is_some_and(|span| span.contains(page))
    }

    /// The first page of `span` that is free.
    fn first_free(&self, span: Span) -> Option<PageId> {
        let found = self.next_span(span.start())?.intersection(span)?;
        Some(found.start())
    }

    /// Visits the maximal free spans in page order. O(spans).
    fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        Spans::new(self).for_each(visit);
    }

    /// The number of pages and spans, and a histogram of lengths.
    fn statistics(&self) -> Statistics {
        Spans::new(self).collect()
    }
}

impl<T: FreeSpans + ?Sized> FreeSpans for Box<T> {
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError> {
        (**self).find(request)
    }
    fn take(&mut self, span: Span) -> Result<(), FreelistError> {
        (**self).take(span)
    }
    fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        (**self).release(span)
    }
    fn next_span(&self, page: PageId) -> Option<Span> {
        (**self).next_span(page)
    }
    fn last_span(&self) -> Option<Span> {
        (**self).last_span()
    }
    fn free_pages(&self) -> u64 {
        (**self).free_pages()
    }
    fn free_spans(&self) -> u64 {
        (**self).free_spans()
    }
    fn largest(&self) -> u64 {
        (**self).largest()
    }
    fn clear(&mut self) {
        (**self).clear();
    }
    fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError> {
        (**self).reserve(spans, window)
    }
    fn memory_bytes(&self) -> usize {
        (**self).memory_bytes()
    }
    fn allocate(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        (**self).allocate(pages)
    }
    fn allocate_where(&mut self, request: Request) -> Result<Option<Span>, FreelistError> {
        (**self).allocate_where(request)
    }
    fn allocate_up_to(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        (**self).allocate_up_to(pages)
    }
    fn release_all(&mut self, spans: &mut dyn Iterator<Item = Span>) -> Result<(), FreelistError> {
        (**self).release_all(spans)
    }
    fn release_bits(&mut self, words: &mut dyn Iterator<Item = u64>) -> Result<(), FreelistError> {
        (**self).release_bits(words)
    }
    fn contains(&self, page: PageId) -> bool {
        (**self).contains(page)
    }
    fn first_free(&self, span: Span) -> Option<PageId> {
        (**self).first_free(span)
    }
    fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        (**self).for_each_span(visit);
    }
    fn statistics(&self) -> Statistics {
        (**self).statistics()
    }
}

/// The maximal free spans of a set, in page order.
///
/// ```
/// use freelist_core::{FreeSpans, PageId, Span, SpanMaps, Spans};
///
/// let mut free = SpanMaps::new();
/// for page in [9, 2, 3, 7] {
///     free.release(Span::single(PageId::new(page))?)?;
/// }
/// let lens: Vec<(u64, u64)> = Spans::new(&free).map(|s| (s.start().get(), s.len())).collect();
/// assert_eq!(lens, [(2, 2), (7, 1), (9, 1)]);
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Debug)]
pub struct Spans<'a, S: ?Sized> {
    set: &'a S,
    from: PageId,
    until: PageId,
}

impl<'a, S: FreeSpans + ?Sized> Spans<'a, S> {
    /// All spans.
    #[must_use]
    pub fn new(set: &'a S) -> Self {
        Self { set, from: PageId::new(0), until: PageId::new(u64::MAX) }
    }

    /// The parts of spans that lie inside `window`.
    #[must_use]
    pub fn within(set: &'a S, window: Span) -> Self {
        Self { set, from: window.start(), until: window.end() }
    }
}

impl<S: FreeSpans + ?Sized> Iterator for Spans<'_, S> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let window = Span::between(self.from, self.until)?;
        let span = self.set.next_span(self.from)?.intersection(window)?;
        self.from = span.end();
        Some(span)
    }
}
