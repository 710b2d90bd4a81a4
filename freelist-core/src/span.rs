//! Runs of contiguous pages.

use core::fmt;

use crate::error::FreelistError;
use crate::page::PageId;

/// A run of contiguous pages, at least one.
///
/// `start + len` never overflows, so the page after a span always has a number, and page `u64::MAX` is
/// in no span.
///
/// ```
/// # use freelist_core::{PageId, Span};
/// let span = Span::new(PageId::new(10), 3)?;
/// assert_eq!(span.last(), PageId::new(12));
/// assert!(Span::new(PageId::new(u64::MAX), 1).is_err());
/// assert!(Span::new(PageId::new(10), 0).is_err());
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    start: PageId,
    len: u64,
}

impl Span {
    /// The `len` pages from `start` on.
    ///
    /// # Errors
    /// [`FreelistError::InvalidSpan`] if `len` is 0 or `start + len` is beyond `u64::MAX`.
    pub const fn new(start: PageId, len: u64) -> Result<Self, FreelistError> {
        if len == 0 || start.checked_add(len).is_none() {
            return Err(FreelistError::InvalidSpan { start, len });
        }
        Ok(Self { start, len })
    }

    /// One page.
    ///
    /// # Errors
    /// [`FreelistError::InvalidSpan`] for page `u64::MAX`.
    pub const fn single(page: PageId) -> Result<Self, FreelistError> {
        Self::new(page, 1)
    }

    /// The pages from `start` up to, but without, `end`; `None` if there are none.
    #[must_use]
    pub const fn between(start: PageId, end: PageId) -> Option<Self> {
        match end.distance_from(start) {
            None | Some(0) => None,
            Some(len) => Some(Self { start, len }),
        }
    }

    /// The first page.
    #[must_use]
    pub const fn start(self) -> PageId {
        self.start
    }

    /// The number of pages, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub const fn len(self) -> u64 {
        self.len
    }

    /// The last page, inside the span.
    #[must_use]
    pub const fn last(self) -> PageId {
        self.start.plus(self.len - 1)
    }

    /// The page after the last.
    #[must_use]
    pub const fn end(self) -> PageId {
        self.start.plus(self.len)
    }

    /// Whether `page` lies in the span.
    #[must_use]
    pub const fn contains(self, page: PageId) -> bool {
        self.start.get() <= page.get() && page.get() < self.end().get()
    }

    /// Whether every page of `inner` lies in the span.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        self.start.get() <= inner.start.get() && inner.end().get() <= self.end().get()
    }

    /// Whether some page lies in both spans.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start.get() < other.end().get() && other.start.get() < self.end().get()
    }

    /// The pages that lie in both spans.
    ///
    /// ```
    /// # use freelist_core::{PageId, Span};
    /// let span = |start, len| Span::new(PageId::new(start), len);
    /// assert_eq!(span(1, 5)?.intersection(span(4, 9)?), Some(span(4, 2)?));
    /// assert_eq!(span(1, 3)?.intersection(span(4, 9)?), None);
    /// # Ok::<(), freelist_core::FreelistError>(())
    /// ```
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        let both = Self::between(self.start.max(other.start), self.end().min(other.end()));
        debug_assert_eq!(both.is_some(), self.overlaps(other), "spans that overlap share pages");
        both
    }

    /// The first `pages` pages, or the whole span if it is not longer; `None` for 0 pages.
    #[must_use]
    pub fn prefix(self, pages: u64) -> Option<Self> {
        if pages == 0 {
            return None;
        }
        Some(Self { start: self.start, len: pages.min(self.len) })
    }

    /// What is left before and after `inner`, which must lie inside.
    #[must_use]
    pub(crate) fn around(self, inner: Self) -> (Option<Self>, Option<Self>) {
        assert!(self.covers(inner), "only a part of a span is cut out of it");
        (Self::between(self.start, inner.start), Self::between(inner.end(), self.end()))
    }

    /// Every page, in order, forwards or backwards.
    pub fn pages(self) -> impl DoubleEndedIterator<Item = PageId> + Clone {
        (self.start.get()..self.end().get()).map(PageId::new)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}+{}", self.start, self.len)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn span(start: u64, len: u64) -> Span {
        Span::new(PageId::new(start), len).unwrap()
    }

    #[test]
    fn a_span_never_reaches_beyond_the_last_number() {
        assert_eq!(span(u64::MAX - 1, 1).end(), PageId::new(u64::MAX));
        assert_eq!(span(0, u64::MAX).last(), PageId::new(u64::MAX - 1));
        for (start, len) in [(u64::MAX, 1), (u64::MAX - 1, 2), (1, u64::MAX), (5, 0)] {
            let start = PageId::new(start);
            assert_eq!(Span::new(start, len), Err(FreelistError::InvalidSpan { start, len }));
        }
    }

    #[test]
    fn relations_agree_with_sets_of_pages() {
        let spans: Vec<Span> = (0..6).flat_map(|s| (1..5).map(move |l| span(s, l))).collect();
        for &a in &spans {
            assert_eq!(a.pages().count() as u64, a.len());
            for &b in &spans {
                let both: Vec<PageId> = a.pages().filter(|page| b.contains(*page)).collect();
                assert_eq!(a.overlaps(b), !both.is_empty(), "{a} {b}");
                assert_eq!(a.covers(b), both.len() as u64 == b.len(), "{a} {b}");
                let cut: Vec<PageId> = a.intersection(b).into_iter().flat_map(Span::pages).collect();
                assert_eq!(cut, both);
                if a.covers(b) {
                    let (front, rest) = a.around(b);
                    let total = front.map_or(0, Span::len) + rest.map_or(0, Span::len) + b.len();
                    assert_eq!(total, a.len());
                }
            }
        }
    }
}
