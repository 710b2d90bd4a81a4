//! Counts and a histogram of free spans.

use crate::span::Span;

/// How fragmented a set of free pages is.
///
/// ```
/// use freelist_core::{FreeSpans, PageId, Span, SpanMaps};
///
/// let mut free = SpanMaps::new();
/// for (start, len) in [(1, 1), (3, 1), (5, 6), (20, 40)] {
///     free.release(Span::new(PageId::new(start), len)?)?;
/// }
/// let statistics = free.statistics();
/// assert_eq!(statistics.free_pages, 48);
/// assert_eq!(statistics.free_spans, 4);
/// assert_eq!(statistics.largest, 40);
/// assert_eq!(statistics.histogram[0], 2); // of 1 page
/// assert_eq!(statistics.histogram[2], 1); // of 4 to 7 pages
/// assert_eq!(statistics.histogram[5], 1); // of 32 to 63 pages
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statistics {
    /// Free pages. Counting stops at `u64::MAX`, which no set reaches.
    pub free_pages: u64,
    /// Maximal spans of free pages.
    pub free_spans: u64,
    /// Length of the longest span, in pages; 0 if nothing is free.
    pub largest: u64,
    /// `histogram[i]` spans are 2^i to 2^(i+1) - 1 pages long.
    pub histogram: [u64; 64],
}

impl Default for Statistics {
    fn default() -> Self {
        Self { free_pages: 0, free_spans: 0, largest: 0, histogram: [0; 64] }
    }
}

impl Statistics {
    /// Counts `spans` more spans of `len` pages each, at least 1.
    pub(crate) fn count(&mut self, len: u64, spans: u64) {
        debug_assert!(len > 0, "a span has at least one page");
        self.free_pages = self.free_pages.saturating_add(len.saturating_mul(spans));
        self.free_spans += spans;
        self.largest = self.largest.max(len);
        self.histogram[len.ilog2() as usize] += spans;
        debug_assert_eq!(self.histogram.iter().sum::<u64>(), self.free_spans, "the histogram has each span once");
    }
}

/// Counts any spans, each as if it did not overlap others.
impl FromIterator<Span> for Statistics {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut statistics = Self::default();
        for span in spans {
            statistics.count(span.len(), 1);
        }
        statistics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PageId;

    #[test]
    fn spans_that_cannot_all_be_free_do_not_overflow() {
        let everything = Span::new(PageId::new(0), u64::MAX).unwrap();
        let statistics: Statistics = [everything, everything].into_iter().collect();
        assert_eq!((statistics.free_pages, statistics.free_spans), (u64::MAX, 2));
        assert_eq!((statistics.largest, statistics.histogram[63]), (u64::MAX, 2));
    }
}
