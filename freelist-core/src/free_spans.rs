//! The trait of a set of free pages.

use alloc::boxed::Box;

use crate::error::FreelistError;
use crate::page::PageId;
use crate::request::Request;
use crate::span::Span;
use crate::statistics::Statistics;

/// A set of free pages, kept as maximal spans: two free pages side by side are always in one span.
///
/// Every method that can fail leaves the set as it was when it does. Which span a request gets is
/// the implementor's policy, and depends on nothing but the calls made before.
pub trait FreeSpans {
    /// The span that [`allocate_where`](Self::allocate_where) would take; `None` if there is none.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`], [`FreelistError::InvalidAlignment`].
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError>;

    /// Takes exactly these pages.
    ///
    /// # Errors
    /// [`FreelistError::NotFree`] with the first page that is not free, or out of memory.
    fn take(&mut self, span: Span) -> Result<(), FreelistError>;

    /// Puts pages in, merging them with the free spans beside them.
    ///
    /// # Errors
    /// [`FreelistError::DoubleFree`] with the first page that is free already, or out of memory.
    fn release(&mut self, span: Span) -> Result<(), FreelistError>;

    /// The maximal free span that `page` lies in, else the next one behind it.
    fn next_span(&self, page: PageId) -> Option<Span>;

    /// The maximal free span with the highest pages.
    fn last_span(&self) -> Option<Span>;

    /// How many pages are free. O(1).
    fn free_pages(&self) -> u64;

    /// How many maximal spans they form. O(1).
    fn free_spans(&self) -> u64;

    /// The length of the longest span; 0 when nothing is free.
    fn largest(&self) -> u64;

    /// Forgets everything and gives the memory back.
    fn clear(&mut self);

    /// Makes room ahead: as long as there are at most `spans` free spans, all inside `window`, no
    /// method will be out of memory.
    ///
    /// # Errors
    /// Out of memory.
    fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError>;

    /// Heap memory held, in bytes.
    fn memory_bytes(&self) -> usize;

    /// Allocates `pages` contiguous pages; `None` if no span is long enough.
    ///
    /// # Errors
    /// 0 pages, or out of memory.
    fn allocate(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        self.allocate_where(Request::new(pages))
    }

    /// Allocates what `request` asks for; `None` if no span can give it.
    ///
    /// # Errors
    /// 0 pages, an alignment that is no power of two, or out of memory.
    fn allocate_where(&mut self, request: Request) -> Result<Option<Span>, FreelistError> {
        let Some(span) = self.find(request)? else {
            return Ok(None);
        };
        self.take(span)?;
        Ok(Some(span))
    }

    /// Allocates up to `pages` contiguous pages, as [`allocate`](Self::allocate) would, or the
    /// longest span when none is long enough; `None` when nothing is free. For a caller that wants
    /// many pages and not necessarily side by side.
    ///
    /// # Errors
    /// 0 pages, or out of memory.
    fn allocate_up_to(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        match pages.min(self.largest()) {
            0 if pages > 0 => Ok(None),
            pages => self.allocate(pages),
        }
    }

    /// Puts many spans in, in any order. Fastest in page order.
    ///
    /// # Errors
    /// As [`release`](Self::release); the spans before the one concerned have been put in then.
    fn release_all(&mut self, spans: &mut dyn Iterator<Item = Span>) -> Result<(), FreelistError> {
        for span in spans {
            self.release(span)?;
        }
        Ok(())
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

    /// Visits the maximal free spans in page order.
    fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        Spans::new(self).for_each(visit);
    }

    /// Counts, and a histogram of lengths.
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
