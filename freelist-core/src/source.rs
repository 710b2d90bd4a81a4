//! Where new pages come from when no free span fits.

use core::convert::Infallible;

use crate::error::FreelistError;
use crate::page::PageId;
use crate::request::Request;
use crate::span::Span;

/// Supplies new pages: the end of a file, a flash partition, page frames of a machine.
///
/// # Contract
/// - The source supplies each page once, or again only after it took the page back.
/// - A span that [`grow`](Self::grow) returns meets the request. It may be longer; the allocator keeps
///   the rest as free pages.
/// - After an error, `None` or `false` the source is as before.
///
/// The feature `conformance` has a suite that checks all this on your source.
///
/// ```
/// use core::convert::Infallible;
/// use freelist_core::{PageAllocator, PageId, PageSource, Request, Span};
///
/// /// The end of a file, which here is only its length in pages.
/// struct FileEnd(u64);
///
/// impl PageSource for FileEnd {
///     type Error = Infallible;
///
///     fn grow(&mut self, request: Request) -> Result<Option<Span>, Infallible> {
///         let beyond = Span::between(PageId::new(self.0), PageId::new(u64::MAX));
///         let Some(found) = beyond.and_then(|beyond| request.fit(beyond)) else { return Ok(None) };
///         let grown = Span::between(PageId::new(self.0), found.end()); // with the pages that alignment skips
///         self.0 = found.end().get();
///         Ok(grown)
///     }
/// }
///
/// let mut pages: PageAllocator<FileEnd> = PageAllocator::new(FileEnd(2));
/// assert_eq!(pages.allocate(3)?, Some(Span::new(PageId::new(2), 3)?));
/// assert_eq!(pages.source().0, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait PageSource {
    /// The source's error; [`Infallible`] if it cannot fail.
    type Error: core::error::Error;

    /// New pages that meet `request`, or `None` when there are none.
    ///
    /// # Errors
    /// The source's error.
    fn grow(&mut self, request: Request) -> Result<Option<Span>, Self::Error>;

    /// Takes back free pages at the end of what the source supplied; `false` if it does not take them,
    /// and they stay free.
    ///
    /// # Errors
    /// The source's error; the pages stay free then.
    fn shrink(&mut self, free: Span) -> Result<bool, Self::Error> {
        let _ = free;
        Ok(false)
    }
}

/// A source without pages: the allocator has only what its list was given.
///
/// ```
/// use freelist_core::{Freelist, NoPages, PageAllocator, PageId, Span, SpanMaps};
///
/// let mut list = Freelist::new(SpanMaps::new());
/// list.load([Span::new(PageId::new(1), 2)?])?;
/// let mut pages = PageAllocator::with_list(list, NoPages);
/// assert!(pages.allocate(2)?.is_some());
/// assert!(pages.allocate(1)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoPages;

impl PageSource for NoPages {
    type Error = Infallible;

    fn grow(&mut self, _request: Request) -> Result<Option<Span>, Infallible> {
        Ok(None)
    }
}

/// One range of pages, supplied from its start.
///
/// ```
/// use freelist_core::{FixedRange, PageAllocator, PageId, Span};
///
/// let flash = Span::new(PageId::new(0x40), 64)?;
/// let mut pool: PageAllocator<FixedRange> = PageAllocator::new(FixedRange::new(flash));
/// let log = pool.allocate(8)?.unwrap();
/// assert_eq!(log.start(), flash.start());
/// assert_eq!(pool.allocate(57)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedRange {
    range: Span,
    next: PageId,
}

impl FixedRange {
    /// All pages of `range`.
    #[must_use]
    pub const fn new(range: Span) -> Self {
        Self { range, next: range.start() }
    }

    /// The pages that it has not supplied yet, or has taken back.
    #[must_use]
    pub const fn rest(&self) -> Option<Span> {
        Span::between(self.next, self.range.end())
    }
}

impl PageSource for FixedRange {
    type Error = Infallible;

    fn grow(&mut self, request: Request) -> Result<Option<Span>, Infallible> {
        let Some(fit) = self.rest().and_then(|rest| request.fit(rest)) else {
            return Ok(None);
        };
        // With the pages that alignment skips: they become free.
        let supplied = Span::between(self.next, fit.end());
        self.next = fit.end();
        debug_assert!(self.range.start() <= self.next && self.next <= self.range.end(), "no page is from elsewhere");
        Ok(supplied)
    }

    fn shrink(&mut self, free: Span) -> Result<bool, Infallible> {
        let last = free.end() == self.next && self.range.covers(free);
        if last {
            self.next = free.start();
            debug_assert!(
                self.rest().is_some_and(|rest| rest.covers(free)),
                "what was taken back can be supplied again"
            );
        }
        Ok(last)
    }
}

/// Several ranges of pages, as in a machine's memory map. The first range that can meet a request
/// supplies the pages.
///
/// ```
/// use freelist_core::{PageAllocator, PageId, Ranges, Span};
///
/// let span = |start, len| Span::new(PageId::new(start), len);
/// let memory = Ranges::new([span(0x100, 16)?, span(0x8_0000, 4096)?])?;
/// let mut frames: PageAllocator<Ranges<2>> = PageAllocator::new(memory);
/// assert_eq!(frames.allocate(64)?, Some(span(0x8_0000, 64)?));
/// assert_eq!(frames.allocate(1)?, Some(span(0x100, 1)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ranges<const N: usize>([FixedRange; N]);

impl<const N: usize> Ranges<N> {
    /// All pages of `ranges`.
    ///
    /// # Errors
    /// [`FreelistError::DoubleFree`] with a page that lies in two of them.
    pub fn new(ranges: [Span; N]) -> Result<Self, FreelistError> {
        for (index, range) in ranges.iter().enumerate() {
            let others = ranges.iter().take(index);
            if let Some(both) = others.into_iter().find_map(|other| range.intersection(*other)) {
                return Err(FreelistError::DoubleFree { page: both.start() });
            }
        }
        Ok(Self(ranges.map(FixedRange::new)))
    }
}

impl<const N: usize> PageSource for Ranges<N> {
    type Error = Infallible;

    fn grow(&mut self, request: Request) -> Result<Option<Span>, Infallible> {
        for range in &mut self.0 {
            if let Some(span) = range.grow(request)? {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }

    fn shrink(&mut self, free: Span) -> Result<bool, Infallible> {
        // Where ranges touch, their free pages form one span: each range takes its part, or none does.
        let own = |range: &FixedRange| range.range.intersection(free);
        let ends = self.0.iter().filter(|range| own(range).is_some_and(|part| part.end() == range.next));
        let wanted = ends.filter_map(own).map(Span::len).sum::<u64>() == free.len();
        if wanted {
            for range in &mut self.0 {
                own(range).map_or(Ok(false), |part| range.shrink(part))?;
            }
        }
        Ok(wanted)
    }
}
