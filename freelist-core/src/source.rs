//! Where new pages come from when no free span fits.

use core::convert::Infallible;

use crate::error::FreelistError;
use crate::page::PageId;
use crate::request::Request;
use crate::span::Span;

/// Supplies pages that the allocator has never had: the end of a file, a flash partition, page
/// frames of a machine.
///
/// # Contract
/// - Every page is handed out once, or again only after it was taken back.
/// - A span that [`grow`](Self::grow) returns meets the request; it may be longer, and the allocator
///   keeps the rest as free pages.
/// - After an error, or `None`, the source is as before.
///
/// The `conformance` feature has a suite that checks all this on a source of yours.
pub trait PageSource {
    /// What can go wrong; [`Infallible`] if nothing can.
    type Error: core::error::Error;

    /// New pages that meet `request`, or `None` when there are none.
    ///
    /// # Errors
    /// The source's own.
    fn grow(&mut self, request: Request) -> Result<Option<Span>, Self::Error>;

    /// Takes back free pages at the end of what was handed out; `false` if it does not want them,
    /// and they stay free.
    ///
    /// # Errors
    /// The source's own; the pages stay free then.
    fn shrink(&mut self, free: Span) -> Result<bool, Self::Error> {
        let _ = free;
        Ok(false)
    }
}

/// A source without pages: the allocator has only what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoPages;

impl PageSource for NoPages {
    type Error = Infallible;

    fn grow(&mut self, _request: Request) -> Result<Option<Span>, Infallible> {
        Ok(None)
    }
}

/// One range of pages, handed out from its start.
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

    /// The pages that were not handed out.
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
        // With the pages in front that alignment leaves out: they become free.
        let handed = Span::between(self.next, fit.end());
        self.next = fit.end();
        Ok(handed)
    }

    fn shrink(&mut self, free: Span) -> Result<bool, Infallible> {
        let last = free.end() == self.next && self.range.covers(free);
        if last {
            self.next = free.start();
        }
        Ok(last)
    }
}

/// Several ranges of pages, as in a machine's memory map: each request is met from the first that
/// can.
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
        // Ranges may touch, and then so do their free pages: each range takes its own, or none does.
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
