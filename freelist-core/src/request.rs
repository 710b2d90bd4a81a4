//! What a caller can ask for beyond a number of pages.

use crate::error::FreelistError;
use crate::page::PageId;
use crate::span::Span;

/// Contiguous pages, on demand aligned or inside a window.
///
/// ```
/// use freelist_core::{FreeSpans, PageId, Request, Span, SpanMaps};
///
/// let mut free = SpanMaps::new();
/// free.release(Span::new(PageId::new(3), 1000)?)?;
/// // A 2 MiB page of 4 KiB frames, below frame 600.
/// let below = Span::new(PageId::new(0), 600)?;
/// let huge = free.allocate_where(Request::new(64).aligned_to(64).within(below))?.unwrap();
/// assert_eq!(huge, Span::new(PageId::new(64), 64)?);
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    pages: u64,
    align: u64,
    within: Option<Span>,
}

impl Request {
    /// `pages` contiguous pages, anywhere.
    #[must_use]
    pub const fn new(pages: u64) -> Self {
        Self { pages, align: 1, within: None }
    }

    /// The first page number must be a multiple of `pages`, a power of two.
    #[must_use]
    pub const fn aligned_to(self, pages: u64) -> Self {
        Self { align: pages, ..self }
    }

    /// All pages must lie inside `window`.
    #[must_use]
    pub const fn within(self, window: Span) -> Self {
        Self { within: Some(window), ..self }
    }

    /// The number of contiguous pages.
    #[must_use]
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// The first page number must be a multiple of this many pages.
    #[must_use]
    pub const fn alignment(&self) -> u64 {
        self.align
    }

    /// The span in which all pages must lie.
    #[must_use]
    pub const fn window(&self) -> Option<Span> {
        self.within
    }

    /// Whether any [`pages`](Self::pages) contiguous pages will do.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.align == 1 && self.within.is_none()
    }

    /// Checks that some free list could meet the request.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] for 0 pages, [`FreelistError::InvalidAlignment`] for an
    /// alignment that is no power of two.
    pub const fn check(&self) -> Result<(), FreelistError> {
        if self.pages == 0 {
            return Err(FreelistError::EmptyRequest);
        }
        if !self.align.is_power_of_two() {
            return Err(FreelistError::InvalidAlignment { pages: self.align });
        }
        Ok(())
    }

    /// The lowest pages inside `free` that meets the request.
    #[must_use]
    pub fn fit(&self, free: Span) -> Option<Span> {
        let free = match self.within {
            Some(window) => free.intersection(window)?,
            None => free,
        };
        let start = free.start().get().checked_next_multiple_of(self.align)?;
        let fitted = Span::new(PageId::new(start), self.pages).ok()?;
        free.covers(fitted).then_some(fitted)
    }

    /// The shortest length of which every span meets the request, if there is no window.
    #[must_use]
    pub(crate) const fn certain_len(&self) -> u64 {
        debug_assert!(self.align > 0, "a request is checked before a free list works on it");
        self.pages.saturating_add(self.align - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, len: u64) -> Span {
        Span::new(PageId::new(start), len).unwrap()
    }

    #[test]
    fn the_fit_is_the_lowest_that_meets_the_request() {
        for start in 0..9 {
            for len in 1..12 {
                for pages in 1..5 {
                    for align in [1, 2, 4, 8] {
                        for window in [None, Some(span(2, 7)), Some(span(0, 3))] {
                            let free = span(start, len);
                            let mut request = Request::new(pages).aligned_to(align);
                            if let Some(window) = window {
                                request = request.within(window);
                            }
                            let lowest = free.pages().map(PageId::get).find(|&page| {
                                let found = span(page, pages);
                                page % align == 0
                                    && free.covers(found)
                                    && window.is_none_or(|window| window.covers(found))
                            });
                            let fit = request.fit(free).map(|fit| fit.start().get());
                            assert_eq!(fit, lowest, "{request:?} in {free}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_number_range_do_not_overflow() {
        let top = span(u64::MAX - 3, 3);
        assert_eq!(Request::new(1).aligned_to(1 << 63).fit(top), None);
        assert_eq!(Request::new(u64::MAX).fit(top), None);
        assert_eq!(Request::new(3).fit(top), Some(top));
        assert_eq!(Request::new(u64::MAX).aligned_to(1 << 63).certain_len(), u64::MAX);
    }
}
