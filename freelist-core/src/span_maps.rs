//! The span maps: free spans by length and by either end.

use crate::append::Appender;
use crate::bits::number_at;
use crate::edges::{Edges, OwnEdges};
use crate::error::FreelistError;
use crate::free_spans::{FreeSpans, Spans};
use crate::freemaps::Freemaps;
use crate::page::PageId;
use crate::page_block::Edge;
use crate::request::Request;
use crate::room::Room;
use crate::span::Span;
use crate::statistics::Statistics;

/// Free pages as spans, in three maps: allocate, release and merge in time that does not depend on
/// how many there are.
///
/// | map | from | to |
/// | --- | --- | --- |
/// | `freemaps` | a length | the first pages of the free spans of that length |
/// | forward | the first page of a span | its length |
/// | backward | the last page of a span | its length |
///
/// To allocate: take the shortest span that is long enough from `freemaps`, and put back what is
/// left of it. To release: ask the backward map about the page before and the forward map about the
/// page behind, take the spans found out, and put the merged one in.
///
/// Each map holds bits in blocks of 512 pages, and blocks in a hash map under their number. A span
/// costs a few bits where spans are dense, two or three blocks of up to 140 bytes where they are
/// far apart, and nothing for the pages between. Every lookup, also of the next edge or the next
/// length, takes a bounded number of steps.
///
/// ```
/// use freelist_core::{FreeSpans, PageId, Span, SpanMaps};
///
/// let span = |start, len| Span::new(PageId::new(start), len);
/// let mut free = SpanMaps::new();
/// free.release(span(10, 4)?)?;
/// free.release(span(20, 2)?)?;
/// assert_eq!(free.allocate(2)?, Some(span(20, 2)?)); // the tightest, not the first
/// assert_eq!(free.allocate(1)?, Some(span(10, 1)?)); // cut from the front
/// assert_eq!(free.allocate(4)?, None);
/// free.release(span(10, 1)?)?;
/// assert_eq!(free.forward(PageId::new(10)), Some(4)); // merged again
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Debug)]
pub struct SpanMaps {
    freemaps: Freemaps,
    /// The forward and the backward map.
    edges: Edges,
    free_pages: u64,
    free_spans: u64,
}

impl Default for SpanMaps {
    fn default() -> Self {
        Self::new()
    }
}

/// How many spans that may be too short once aligned are tried before one that is long enough for
/// certain is cut.
const TIGHT_TRIES: usize = 32;

impl SpanMaps {
    /// An empty set. Allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { freemaps: Freemaps::new(), edges: Edges::new(), free_pages: 0, free_spans: 0 }
    }

    /// The forward map: the length of the free span that begins at `first`. O(1).
    #[must_use]
    pub fn forward(&self, first: PageId) -> Option<u64> {
        let found = self.next_span(first).filter(|span| span.start() == first);
        found.map(Span::len)
    }

    /// The backward map: the length of the free span whose last page is `last`. O(1).
    #[must_use]
    pub fn backward(&self, last: PageId) -> Option<u64> {
        let end = last.next()?;
        self.edges.near(end.get()).span_before(end).map(Span::len)
    }

    /// Every length that a free span has, the shortest first, and how many spans have it. O(1) per
    /// length.
    pub fn lengths(&self) -> impl Iterator<Item = (u64, u64)> {
        self.freemaps.counts()
    }

    /// The free spans in page order. O(1) per span.
    #[must_use]
    pub fn iter(&self) -> Spans<'_, Self> {
        Spans::new(self)
    }

    /// The free span to cut for `request`, and the part to take.
    fn choose(&self, request: Request) -> Option<(Span, Span)> {
        if request.is_plain() {
            let whole = self.freemaps.best_fit(&self.edges, request.pages())?;
            return Some((whole, whole.prefix(request.pages())?));
        }
        let fitted = |whole| Some((whole, request.fit(whole)?));
        if let Some(window) = request.window() {
            return Spans::within(self, window).find_map(|part| {
                let fit = request.fit(part)?;
                Some((self.next_span(fit.start())?, fit))
            });
        }
        let certain = request.certain_len();
        if request.pages() < certain {
            let mut tight = self.freemaps.tightest(&self.edges, request.pages(), certain - 1);
            if let Some(found) = tight.by_ref().take(TIGHT_TRIES).find_map(fitted) {
                return Some(found);
            }
            let found = self.freemaps.best_fit(&self.edges, certain).and_then(fitted);
            return found.or_else(|| tight.find_map(fitted));
        }
        self.freemaps.best_fit(&self.edges, certain).and_then(fitted)
    }

    /// Takes `taken` out of the free span `whole`.
    #[inline]
    fn cut(&mut self, whole: Span, taken: Span) -> Result<(), FreelistError> {
        self.edges.focus(whole.start().get());
        if whole == taken {
            self.leave(whole, [None, None]);
        } else {
            let (front, behind) = whole.around(taken);
            self.replace([Some(whole), None], [front, behind])?;
        }
        self.free_pages -= taken.len();
        Ok(())
    }

    /// Releases a span whose neighbours are in its own block, as most are: the same as
    /// [`replace`](Self::replace), with the block at hand. `None` when it is not so simple; nothing has
    /// changed then.
    fn release_in_block(&mut self, span: Span) -> Option<Result<(), FreelistError>> {
        let (block, start, end) = self.edges.block_of(span)?;
        let (left, right) = block.merged(start, end)?;
        let page = |bit| PageId::new(number_at(block.number(), bit));
        let before = Span::between(page(left), span.start());
        let behind = Span::between(span.end(), page(right));
        let merged = Span::between(page(left), page(right))?;

        // Only this can fail.
        if let Err(error) = self.freemaps.insert(merged, block.count(merged.len())) {
            return Some(Err(error));
        }
        block.add_one(merged.len());
        match before {
            Some(before) => {
                block.unmark(start, Edge::End);
                self.freemaps.remove(before, block.sub_one(before.len()));
            }
            None => block.mark(start, Edge::Start),
        }
        match behind {
            Some(behind) => {
                block.unmark(end, Edge::Start);
                self.freemaps.remove(behind, block.sub_one(behind.len()));
            }
            None => block.mark(end, Edge::End),
        }
        self.free_spans = self.free_spans + 1 - u64::from(before.is_some()) - u64::from(behind.is_some());
        Some(Ok(()))
    }

    /// The free spans that end at the start of `span` and begin at its end.
    fn neighbours(&self, span: Span) -> Result<[Option<Span>; 2], FreelistError> {
        let (start, end) = (span.start(), span.end());
        let near = self.edges.near(start.get());
        let right = match near.next(start.get() + 1) {
            Some((_, Edge::End)) => return Err(FreelistError::DoubleFree { page: start }),
            Some((page, Edge::Start)) if page < end.get() => {
                return Err(FreelistError::DoubleFree { page: PageId::new(page) });
            }
            Some((page, Edge::Start)) if page == end.get() => {
                near.next(page + 1).and_then(|(behind, _)| Span::between(end, PageId::new(behind)))
            }
            _ => None,
        };
        Ok([near.span_before(start), right])
    }

    /// Enters `first`, which lies behind all others, and those of `rest` that follow in page order.
    /// Returns the first that does not.
    fn append(&mut self, first: Span, rest: &mut dyn Iterator<Item = Span>) -> Result<Option<Span>, FreelistError> {
        let mut appender = Appender::new(&mut self.freemaps, &mut self.edges, first)?;
        let mut run = first;
        loop {
            let next = rest.next();
            let touching = next.filter(|next| next.start() == run.end());
            if let Some(merged) = touching.and_then(|next| Span::between(run.start(), next.end())) {
                run = merged;
                continue;
            }
            appender.add(run)?;
            self.free_pages += run.len();
            self.free_spans += 1;
            match next {
                Some(next) if next.start() > run.end() => run = next,
                other => return Ok(other),
            }
        }
    }

    /// Replaces free spans by others, or changes nothing.
    ///
    /// Only entering can fail, and comes first.
    #[inline]
    fn replace(&mut self, old: [Option<Span>; 2], new: [Option<Span>; 2]) -> Result<(), FreelistError> {
        if let Some(first) = new[0] {
            self.enter(first, old)?;
        }
        if let Some(second) = new[1]
            && let Err(error) = self.enter(second, old)
        {
            if let Some(first) = new[0] {
                self.leave(first, old);
            }
            return Err(error);
        }
        for span in old.into_iter().flatten() {
            self.leave(span, new);
        }
        Ok(())
    }

    /// Enters a span in all maps, but for the edges that it shares with `others`.
    fn enter(&mut self, span: Span, others: [Option<Span>; 2]) -> Result<(), FreelistError> {
        let alike = self.edges.prepare(span)?;
        if let Err(error) = self.freemaps.insert(span, alike) {
            self.edges.unprepare(span);
            return Err(error);
        }
        self.edges.add(span, OwnEdges::new(span, others));
        self.free_spans += 1;
        Ok(())
    }

    /// Removes a span from all maps, but for the edges that it shares with `others`.
    #[inline]
    fn leave(&mut self, span: Span, others: [Option<Span>; 2]) {
        let alike = self.edges.sub(span, OwnEdges::new(span, others));
        self.freemaps.remove(span, alike);
        self.free_spans -= 1;
    }
}

impl FreeSpans for SpanMaps {
    /// O(1), but for an alignment that only a span shorter than `pages + alignment - 1` can meet, and
    /// for a window: then every span that comes into question may be tried.
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError> {
        request.check()?;
        Ok(self.choose(request).map(|(_, found)| found))
    }

    fn allocate_where(&mut self, request: Request) -> Result<Option<Span>, FreelistError> {
        request.check()?;
        let Some((whole, found)) = self.choose(request) else {
            return Ok(None);
        };
        self.cut(whole, found)?;
        Ok(Some(found))
    }

    fn take(&mut self, span: Span) -> Result<(), FreelistError> {
        let page = span.start();
        let Some(whole) = self.next_span(page).filter(|whole| whole.contains(page)) else {
            return Err(FreelistError::NotFree { page });
        };
        if !whole.covers(span) {
            return Err(FreelistError::NotFree { page: whole.end() });
        }
        self.cut(whole, span)
    }

    fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        self.edges.focus(span.start().get());
        if let Some(done) = self.release_in_block(span) {
            done?;
        } else {
            let neighbours = self.neighbours(span)?;
            let start = neighbours[0].map_or(span.start(), Span::start);
            let end = neighbours[1].map_or(span.end(), Span::end);
            self.replace(neighbours, [Span::between(start, end), None])?;
        }
        self.free_pages += span.len();
        Ok(())
    }

    fn release_all(&mut self, spans: &mut dyn Iterator<Item = Span>) -> Result<(), FreelistError> {
        let mut next = spans.next();
        while let Some(span) = next {
            if self.last_span().is_none_or(|last| last.end() < span.start()) {
                next = self.append(span, spans)?;
            } else {
                self.release(span)?;
                next = spans.next();
            }
        }
        Ok(())
    }

    fn next_span(&self, page: PageId) -> Option<Span> {
        self.edges.near(page.get()).span(page)
    }

    /// O(1).
    fn last_span(&self) -> Option<Span> {
        let (end, _) = self.edges.last_up_to(u64::MAX)?;
        self.next_span(PageId::new(end).checked_sub(1)?)
    }

    fn free_pages(&self) -> u64 {
        self.free_pages
    }

    fn free_spans(&self) -> u64 {
        self.free_spans
    }

    /// O(1).
    fn largest(&self) -> u64 {
        self.freemaps.largest()
    }

    fn clear(&mut self) {
        *self = Self::new();
    }

    /// What is reserved depends on the worst placement of so many spans in `window`: about 12 bytes
    /// per page of a large window, 10 KiB for a small one, and no more than about 1 KiB per span.
    fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError> {
        let room = Room::new(spans, window)?;
        self.edges.reserve(&room)?;
        self.freemaps.reserve(&room)
    }

    fn memory_bytes(&self) -> usize {
        self.freemaps.memory_bytes() + self.edges.memory_bytes()
    }

    /// O(different lengths).
    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::default();
        for (len, spans) in self.lengths() {
            statistics.count(len, spans);
        }
        statistics
    }
}

impl<'a> IntoIterator for &'a SpanMaps {
    type Item = Span;
    type IntoIter = Spans<'a, SpanMaps>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_set_is_small() {
        assert!(size_of::<SpanMaps>() <= 1600, "{} bytes", size_of::<SpanMaps>());
        assert_eq!(SpanMaps::new().memory_bytes(), 0);
    }
}
