//! bbolt's hash-map freelist, with calls whose cost does not depend on the number of free pages.
//!
//! The design is from bbolt's [pull request 141](https://github.com/etcd-io/bbolt/pull/141). The names are the same, and
//! each part differs for a reason:
//!
//! | bbolt | here | what differs, and why |
//! | --- | --- | --- |
//! | `freemaps` | `freemaps` | Ordered sets of first pages instead of hash sets. To take any element of a hash set, one walks over its empty slots, and there are ever more of them (6.9 us per allocation among a million spans); the lowest element of an ordered set is at hand. The lengths form an ordered set too; bbolt tries all of them if none matches. |
//! | `forwardMap` | [`forward_map`](SpanMaps::forward_map) | A bit at the first page of each span instead of a map entry. Most spans of a fragmented store are single pages: each costs about a byte instead of 95 to 150. |
//! | `backwardMap` | [`backward_map`](SpanMaps::backward_map) | A bit at the page after each span. The distance between its two bits is the length of a span. |
//! | `addSpan`, `delSpan` | `add_span`, `del_span` | They change `freemaps` only. A merge or a cut changes two bits of the other maps, however many spans it replaces. |
//! | `mergeWithExistingSpan` | `merge_with_existing_span` | It merges a whole span at once, not page by page. The bits show a double free, so no set of all free pages is needed. After an error, such as memory that runs out, nothing has changed. |
//! | `Allocate` | `choose`, then `cut` | It takes the shortest span that is long enough, and the lowest among equals, instead of a random one: files stay smaller, and every run gets the same pages. |

use crate::append::Appender;
use crate::bit_spans::BitSpans;
use crate::bits::locate;
use crate::edges::Edges;
use crate::error::FreelistError;
use crate::free_spans::{FreeSpans, Spans};
use crate::freemaps::Freemaps;
use crate::in_block;
use crate::load_bits::BitLoader;
use crate::page::PageId;
use crate::page_block::Edge;
use crate::request::Request;
use crate::room::Room;
use crate::span::Span;
use crate::statistics::Statistics;

/// Free pages as spans, in three maps: the cost of allocating, releasing and merging does not depend on
/// how many there are.
///
/// | map | from | to |
/// | --- | --- | --- |
/// | `freemaps` | a length | the first pages of the free spans of that length |
/// | `forward_map` | the first page of a span | its length |
/// | `backward_map` | the last page of a span | its length |
///
/// To allocate: take the shortest span that is long enough from `freemaps`, and put back what is
/// left of it. To release: look up the page before in the backward map and the page after in the
/// forward map, take out the spans found, and put in the merged one. This is bbolt's hash-map
/// freelist ([pull request 141](https://github.com/etcd-io/bbolt/pull/141)).
///
/// Each map holds bits in blocks of 512 pages, and the blocks in a hash map under their number. A span
/// costs a few bits where spans are dense, two or three blocks of up to 192 bytes where they are
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
/// assert_eq!(free.forward_map(PageId::new(10)), Some(4)); // merged again
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Debug)]
pub struct SpanMaps {
    /// From a length to the first pages of the free spans of that length.
    freemaps: Freemaps,
    /// The forward and the backward map: the first page of each free span, and the page after it.
    edges: Edges,
    /// The pages of all spans.
    free_pages: u64,
    /// The number of spans in each map.
    free_spans: u64,
}

impl Default for SpanMaps {
    fn default() -> Self {
        Self::new()
    }
}

/// An aligned request tries this many spans that fit only by luck before it takes one that is long
/// enough wherever it begins.
const TIGHT_TRIES: usize = 32;

impl SpanMaps {
    /// An empty set. Allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { freemaps: Freemaps::new(), edges: Edges::new(), free_pages: 0, free_spans: 0 }
    }

    /// The forward map, bbolt's `forwardMap`: the length of the free span that begins at `first`. O(1).
    #[must_use]
    pub fn forward_map(&self, first: PageId) -> Option<u64> {
        self.edges.near(first).span_from(first).map(Span::len)
    }

    /// The backward map, bbolt's `backwardMap`: the length of the free span whose last page is `last`. O(1).
    #[must_use]
    pub fn backward_map(&self, last: PageId) -> Option<u64> {
        let end = last.next()?;
        self.edges.near(end).span_before(end).map(Span::len)
    }

    /// Every length of a free span, the shortest first, and the number of spans of that length. O(1) per
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
        match request.window() {
            Some(window) => self.choose_within(window, request),
            None => self.choose_aligned(request),
        }
    }

    /// The first fit in `window`.
    fn choose_within(&self, window: Span, request: Request) -> Option<(Span, Span)> {
        let found = Spans::within(self, window).find_map(|part| request.fit(part))?;
        Some((self.next_span(found.start())?, found))
    }

    /// In a span shorter than `certain` the pages fit only by luck. First a few such spans are tried, then one in which
    /// they fit for certain, then all others.
    fn choose_aligned(&self, request: Request) -> Option<(Span, Span)> {
        let fitted = |whole| Some((whole, request.fit(whole)?));
        let certain = request.certain_len();
        let mut tight = self.freemaps.tightest(&self.edges, request.pages(), certain - 1);
        let lucky = tight.by_ref().take(TIGHT_TRIES).find_map(fitted);
        let found = lucky.or_else(|| self.freemaps.best_fit(&self.edges, certain).and_then(fitted));
        found.or_else(|| tight.find_map(fitted))
    }

    /// bbolt's `mergeWithExistingSpan`: makes `span` free, as one span with the free ones that it touches.
    fn merge_with_existing_span(&mut self, span: Span) -> Result<(), FreelistError> {
        self.edges.focus(span.start());
        if !self.merge_in_block(span)? {
            let (prev, next) = self.neighbours(span)?;
            let start = prev.map_or(span.start(), Span::start);
            let end = next.map_or(span.end(), Span::end);
            self.add_for(span, [Span::between(start, end), None])?;
            for merged in [prev, next].into_iter().flatten() {
                self.del_span(merged);
            }
            // At an edge of a neighbour, this removes the edge.
            self.edges.mark(span.start(), Edge::Start);
            self.edges.mark(span.end(), Edge::End);
            self.edges.prune(span);
        }
        self.free_pages += span.len();
        assert!(self.free_spans <= self.free_pages, "every free span has at least one page");
        debug_assert!(
            self.next_span(span.start()).is_some_and(|merged| merged.covers(span) && self.is_free_span(merged)),
            "{span} is now part of one free span, and all maps have it"
        );
        Ok(())
    }

    /// The free spans that touch `span`, from the backward map and the forward map.
    fn neighbours(&self, span: Span) -> Result<(Option<Span>, Option<Span>), FreelistError> {
        let near = self.edges.near(span.start());
        match near.first_free(span) {
            Some(page) => Err(FreelistError::DoubleFree { page }),
            None => Ok((near.span_before(span.start()), near.span_from(span.end()))),
        }
    }

    /// Takes `taken` out of the free span `whole` and puts back what is left of it.
    #[inline]
    fn cut(&mut self, whole: Span, taken: Span) -> Result<(), FreelistError> {
        self.edges.focus(whole.start());
        let (front, rest) = whole.around(taken);
        if !self.cut_in_block((whole, taken), (front, rest))? {
            self.add_for(taken, [front, rest])?;
            self.del_span(whole);
            // At an edge of `whole`, this removes the edge.
            self.edges.mark(taken.start(), Edge::End);
            self.edges.mark(taken.end(), Edge::Start);
            self.edges.prune(taken);
        }
        assert!(self.free_pages >= taken.len(), "no more pages are taken than were free");
        self.free_pages -= taken.len();
        debug_assert_eq!(self.first_free(taken), None, "no page that was taken is free");
        debug_assert!(
            [front, rest].into_iter().flatten().all(|left| self.is_free_span(left)),
            "what {taken} leaves of {whole} is free, and all maps have it"
        );
        Ok(())
    }

    /// Adds the spans that are free after a change of `pages`. Only this step of the change can fail, so it comes first:
    /// after an error nothing has changed.
    fn add_for(&mut self, pages: Span, new: [Option<Span>; 2]) -> Result<(), FreelistError> {
        self.edges.prepare(pages)?;
        for (index, span) in new.into_iter().enumerate() {
            if let Some(span) = span
                && let Err(error) = self.add_span(span)
            {
                new.into_iter().take(index).flatten().for_each(|span| self.del_span(span));
                self.edges.prune(pages);
                return Err(error);
            }
        }
        Ok(())
    }

    /// bbolt's `addSpan`, but only in `freemaps`.
    fn add_span(&mut self, span: Span) -> Result<(), FreelistError> {
        self.freemaps.add(span, self.edges.block_of_start(span))?;
        self.free_spans += 1;
        Ok(())
    }

    /// bbolt's `delSpan`, but only in `freemaps`.
    fn del_span(&mut self, span: Span) {
        self.freemaps.del(span, self.edges.block_of_start(span));
        self.free_spans -= 1;
    }

    /// The fast path of [`merge_with_existing_span`](Self::merge_with_existing_span); `false` if it cannot be taken.
    #[inline]
    fn merge_in_block(&mut self, span: Span) -> Result<bool, FreelistError> {
        let Some(block) = self.edges.only_block(span) else { return Ok(false) };
        let Some(merged) = in_block::merge(&mut self.freemaps, block, span)? else { return Ok(false) };
        self.free_spans = self.free_spans + 1 - merged;
        Ok(true)
    }

    /// The fast path of [`cut`](Self::cut); `false` if it cannot be taken.
    #[inline]
    fn cut_in_block(
        &mut self,
        (whole, taken): (Span, Span),
        (front, rest): (Option<Span>, Option<Span>),
    ) -> Result<bool, FreelistError> {
        let Some(block) = self.edges.only_block(taken) else { return Ok(false) };
        if block.number() != locate(whole.start().get()).0 {
            return Ok(false);
        }
        in_block::cut(&mut self.freemaps, block, (whole, taken), (front, rest))?;
        if block.is_empty() {
            self.edges.prune(taken);
        }
        self.free_spans = self.free_spans - 1 + u64::from(front.is_some()) + u64::from(rest.is_some());
        Ok(true)
    }

    /// Whether all three maps have `span` as a free span, and no free page touches it. O(1).
    fn is_free_span(&self, span: Span) -> bool {
        let near = self.edges.near(span.start());
        self.forward_map(span.start()) == Some(span.len())
            && self.backward_map(span.last()) == Some(span.len())
            && self.freemaps.contains(&self.edges, span)
            && near.span_before(span.start()).is_none()
            && near.span_from(span.end()).is_none()
    }

    /// Adds `first`, which lies after all others, and those of `rest` that follow in page order.
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
            assert!(self.free_spans <= self.free_pages, "every free span has at least one page");
            match next {
                Some(next) if next.start() > run.end() => run = next,
                other => return Ok(other),
            }
        }
    }
}

impl FreeSpans for SpanMaps {
    /// O(1), with two exceptions: an alignment that only spans shorter than `pages + alignment - 1` can
    /// meet, and a window. Then the search may try every span of such a length, or in the window.
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
        self.merge_with_existing_span(span)
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

    /// A set without free pages takes them block by block; if memory runs out, it is still without.
    fn release_bits(&mut self, words: &mut dyn Iterator<Item = u64>) -> Result<(), FreelistError> {
        if self.free_pages > 0 {
            return self.release_all(&mut BitSpans::new(words));
        }
        let mut loader = BitLoader::new(&mut self.freemaps, &mut self.edges);
        let added = loader.add_all(words);
        (self.free_pages, self.free_spans) = (loader.pages, loader.spans);
        added.inspect_err(|_| self.clear())
    }

    fn next_span(&self, page: PageId) -> Option<Span> {
        self.edges.near(page).span(page)
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

    /// Reserves for the worst placement of `spans` spans in `window`: about 12 bytes per page of a large
    /// window, 10 KiB for a small one, and at most about 1 KiB per span.
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
        assert!(
            (statistics.free_pages, statistics.free_spans) == (self.free_pages, self.free_spans),
            "the counts agree with the maps"
        );
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
        assert!(size_of::<SpanMaps>() <= 1440, "{} bytes", size_of::<SpanMaps>());
        assert_eq!(SpanMaps::new().memory_bytes(), 0);
    }
}
