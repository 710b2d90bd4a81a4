//! The page allocator: a free list that asks a source for more pages.

use core::fmt;

use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::freelist::Freelist;
use crate::page::{PageId, TxId};
use crate::request::Request;
use crate::source::PageSource;
use crate::span::Span;
use crate::span_maps::SpanMaps;

/// Why an allocation failed: the free list or the source.
///
/// ```
/// use freelist_core::{AllocError, FixedRange, FreelistError, PageAllocator, PageId, Span};
///
/// let range = Span::new(PageId::new(2), 100)?;
/// let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(range));
/// let error = pages.allocate(0).unwrap_err();
/// assert_eq!(error, AllocError::Freelist(FreelistError::EmptyRequest));
/// # Ok::<(), FreelistError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AllocError<E> {
    /// The request was wrong, or there is no memory for the free list.
    Freelist(FreelistError),
    /// The page source failed.
    Source(E),
}

impl<E> From<FreelistError> for AllocError<E> {
    fn from(error: FreelistError) -> Self {
        Self::Freelist(error)
    }
}

impl<E: fmt::Display> fmt::Display for AllocError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Freelist(error) => error.fmt(out),
            Self::Source(_) => out.write_str("the page source failed"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for AllocError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its message is this one's, and it has no cause.
            Self::Freelist(_) => None,
            Self::Source(error) => Some(error),
        }
    }
}

/// Allocates pages: free ones first, and new ones from the source only if no free span fits.
///
/// ```text
///       caller                 allocator                    source
///   allocate, release  -->  free and pending spans  -->  grow, shrink
/// ```
///
/// Without transactions [`allocate`](Self::allocate) and [`release`](Self::release) are enough. A
/// copy-on-write store allocates with [`allocate_for`](Self::allocate_for) and does the rest on the
/// [`list`](Self::list_mut).
///
/// ```
/// use freelist_core::{FixedRange, PageAllocator, PageId, Span, TxId};
///
/// let span = |start, len| Span::new(PageId::new(start), len);
/// let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(span(2, 100)?));
/// let first = pages.allocate(3)?.unwrap();
/// let second = pages.allocate(1)?.unwrap();
/// pages.release(first)?;
/// assert_eq!(pages.allocate(2)?, Some(span(2, 2)?)); // free pages before new ones
///
/// // `second` is replaced in a transaction, while a reader of the state before it is open.
/// let tx = TxId::new(1);
/// let copy = pages.allocate_for(tx, 1)?.unwrap();
/// pages.list_mut().free(tx, second)?;
/// pages.list_mut().commit(tx);
/// assert_eq!(pages.list_mut().release_unseen(&[TxId::new(0)])?, 0);
/// # let _ = copy;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PageAllocator<P, S = SpanMaps> {
    list: Freelist<S>,
    source: P,
    /// New pages from the source for which the list had no memory yet.
    stray: Option<Span>,
}

impl<P: PageSource, S: FreeSpans + Default> PageAllocator<P, S> {
    /// An allocator without free pages.
    #[must_use]
    pub fn new(source: P) -> Self {
        Self::with_list(Freelist::new(S::default()), source)
    }
}

impl<P: PageSource, S: FreeSpans> PageAllocator<P, S> {
    /// An allocator with the free pages of `list`, which `source` must not supply again.
    #[must_use]
    pub const fn with_list(list: Freelist<S>, source: P) -> Self {
        Self { list, source, stray: None }
    }

    /// Allocates `pages` contiguous pages; `None` if neither a free span nor the source has them, nor
    /// the last free span and the source together. O(1) over [`SpanMaps`], plus the source's own cost.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] for 0 pages, [`FreelistError::OutOfMemory`],
    /// [`FreelistError::BadSource`] if the source breaks its contract, or the source's error. No page is lost then.
    pub fn allocate(&mut self, pages: u64) -> Result<Option<Span>, AllocError<P::Error>> {
        self.allocate_where(Request::new(pages))
    }

    /// Allocates what `request` asks for.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate), or [`FreelistError::InvalidAlignment`].
    pub fn allocate_where(&mut self, request: Request) -> Result<Option<Span>, AllocError<P::Error>> {
        self.allocate_with(request, |list| list.spans_mut().allocate_where(request))
    }

    /// Allocates `pages` contiguous pages for the transaction `tx`. A rollback makes them free, also those
    /// that the source supplied.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    pub fn allocate_for(&mut self, tx: TxId, pages: u64) -> Result<Option<Span>, AllocError<P::Error>> {
        self.allocate_where_for(tx, Request::new(pages))
    }

    /// Allocates pages for the transaction `tx` as `request` asks for them. A rollback makes them free, also those that the
    /// source supplied.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    pub fn allocate_where_for(&mut self, tx: TxId, request: Request) -> Result<Option<Span>, AllocError<P::Error>> {
        self.allocate_with(request, |list| list.allocate_where(tx, request))
    }

    fn allocate_with(
        &mut self,
        request: Request,
        mut allocate: impl FnMut(&mut Freelist<S>) -> Result<Option<Span>, FreelistError>,
    ) -> Result<Option<Span>, AllocError<P::Error>> {
        self.enter_stray()?;
        if let Some(span) = allocate(&mut self.list)? {
            return Ok(Some(span));
        }
        let mut asked = request;
        let mut grown = self.source.grow(asked).map_err(AllocError::Source)?;
        if grown.is_none()
            && let Some(missing) = self.after_last(request)
        {
            asked = missing;
            grown = self.source.grow(asked).map_err(AllocError::Source)?;
        }
        let Some(new) = grown else {
            return Ok(None);
        };
        if asked.fit(new).is_none() {
            return Err(FreelistError::BadSource { page: new.start() }.into());
        }
        self.stray = Some(new);
        self.enter_stray()?;
        assert_eq!(self.stray, None, "the list has what the source supplied");
        Ok(allocate(&mut self.list)?)
    }

    /// A request for the pages that make the last free span long enough. A source that cannot meet
    /// `request` alone may have these.
    fn after_last(&self, request: Request) -> Option<Request> {
        let last = self.list.spans().last_span()?;
        let whole = request.fit(Span::between(last.start(), PageId::new(u64::MAX))?)?;
        let missing = Span::between(last.end(), whole.end())?;
        debug_assert!(!last.overlaps(missing), "the source is asked for new pages only");
        Some(Request::new(missing.len()).within(missing))
    }

    fn enter_stray(&mut self) -> Result<(), FreelistError> {
        let Some(new) = self.stray else { return Ok(()) };
        match self.list.release(new) {
            // The pages are not new. Without them the allocator is as before.
            Err(FreelistError::DoubleFree { page }) => {
                self.stray = None;
                Err(FreelistError::BadSource { page })
            }
            Err(error) => Err(error),
            Ok(()) => {
                self.stray = None;
                Ok(())
            }
        }
    }

    /// Makes pages free at once. For pages that no reader can see. O(1) over [`SpanMaps`].
    ///
    /// # Errors
    /// [`FreelistError::DoubleFree`] with the first page that is free or pending already, or
    /// [`FreelistError::OutOfMemory`]. Nothing has changed then.
    pub fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        self.list.release(span)
    }

    /// Offers the free span with the highest pages to the source until the source refuses one. Returns
    /// how many pages the source took.
    ///
    /// # Errors
    /// [`FreelistError::OutOfMemory`], or the source's error. What the source took by then stays with it.
    pub fn shrink(&mut self) -> Result<u64, AllocError<P::Error>> {
        self.shrink_to(PageId::new(0))
    }

    /// As [`shrink`](Self::shrink), but keeps all pages below `keep`. A store whose transaction failed
    /// gives back what the transaction took from the end of the file.
    ///
    /// # Errors
    /// As [`shrink`](Self::shrink).
    pub fn shrink_to(&mut self, keep: PageId) -> Result<u64, AllocError<P::Error>> {
        let mut taken = 0;
        // Pages that the list had no memory for come after all that it has.
        if let Some(stray) = self.stray
            && let Some(offered) = Span::between(stray.start().max(keep), stray.end())
            && self.source.shrink(offered).map_err(AllocError::Source)?
        {
            self.stray = Span::between(stray.start(), offered.start());
            taken += offered.len();
        }
        while let Some(last) = self.list.spans().last_span()
            && let Some(offered) = Span::between(last.start().max(keep), last.end())
            && self.source.shrink(offered).map_err(AllocError::Source)?
        {
            self.list.spans_mut().take(offered)?;
            debug_assert!(
                self.list.spans().last_span().is_none_or(|left| left.end() <= offered.start()),
                "the end is gone"
            );
            taken += offered.len();
        }
        Ok(taken)
    }

    /// The free list.
    #[must_use]
    pub const fn list(&self) -> &Freelist<S> {
        &self.list
    }

    /// The free list, for the calls of transactions and for loading.
    pub const fn list_mut(&mut self) -> &mut Freelist<S> {
        &mut self.list
    }

    /// The source.
    #[must_use]
    pub const fn source(&self) -> &P {
        &self.source
    }
}
