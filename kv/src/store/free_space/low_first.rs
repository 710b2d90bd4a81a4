//! Free pages with a ceiling: what lies below it is handed out first, so that the end of the file empties.

use std::cmp::Ordering;

use freelist_core::{BitSpans, FreeSpans, FreelistError, PageId, Request, Span, SpanMaps};

use super::AnySpans;

/// The largest page number: no ceiling.
const NONE: PageId = PageId::new(u64::MAX);

/// Two sets of free pages, with the ceiling between them. Without a ceiling, and that is the rule, the upper set is empty.
///
/// Free spans on both sides of the ceiling that touch stay two.
pub(crate) struct LowFirst {
    low: AnySpans,
    high: SpanMaps,
    ceiling: PageId,
}

impl LowFirst {
    /// Without a ceiling; `empty` has the pages then.
    pub(super) fn new(empty: AnySpans) -> Self {
        assert_eq!(empty.free_pages(), 0, "pages become free one side of the ceiling at a time");
        Self { low: empty, high: SpanMaps::new(), ceiling: NONE }
    }

    pub(super) const fn ceiling(&self) -> PageId {
        self.ceiling
    }

    /// Free pages below the ceiling, and the longest span of them.
    pub(super) fn room_below(&self) -> (u64, u64) {
        (self.low.free_pages(), self.low.largest())
    }

    /// Free pages from the ceiling on. O(1).
    pub(super) fn free_above(&self) -> u64 {
        self.high.free_pages()
    }

    /// A request for `pages` contiguous pages that is met below the ceiling or not at all.
    pub(super) fn request_below(&self, pages: u64) -> Request {
        let below = Span::between(PageId::new(0), self.ceiling).filter(|_| self.ceiling != NONE);
        below.map_or(Request::new(pages), |below| Request::new(pages).within(below))
    }

    /// Moves the ceiling towards `to`, past at most `spans` free spans. Whether it is there.
    ///
    /// # Errors
    /// Out of memory. In the worst case a span is then in neither set: lost until the file is opened again, and used for
    /// nothing.
    pub(super) fn move_ceiling(&mut self, to: PageId, spans: usize) -> Result<bool, FreelistError> {
        assert!(to.get() > 0, "there is room below a ceiling");
        for _ in 0..spans {
            match to.cmp(&self.ceiling) {
                Ordering::Equal => return Ok(true),
                Ordering::Less => self.lower_past_one(to)?,
                Ordering::Greater => self.raise_past_one(to)?,
            }
        }
        Ok(to == self.ceiling)
    }

    fn lower_past_one(&mut self, to: PageId) -> Result<(), FreelistError> {
        let last = self.low.last_span();
        let Some(part) = last.and_then(|last| Span::between(last.start().max(to), last.end())) else {
            self.ceiling = to;
            return Ok(());
        };
        assert!(part.end() <= self.ceiling, "what is below the ceiling ends there");
        self.low.take(part)?;
        self.ceiling = part.start();
        self.high.release(part)
    }

    fn raise_past_one(&mut self, to: PageId) -> Result<(), FreelistError> {
        let first = self.high.next_span(PageId::new(0));
        let Some(part) = first.and_then(|first| Span::between(first.start(), first.end().min(to))) else {
            self.ceiling = to;
            return Ok(());
        };
        assert!(part.start() >= self.ceiling, "what is above the ceiling begins there");
        self.high.take(part)?;
        self.ceiling = part.end();
        self.low.release(part)
    }

    /// The parts of `span` below the ceiling and from it on.
    fn parts(&self, span: Span) -> (Option<Span>, Option<Span>) {
        let below = Span::between(span.start(), span.end().min(self.ceiling));
        let above = Span::between(span.start().max(self.ceiling), span.end());
        (below, above)
    }
}

impl FreeSpans for LowFirst {
    /// A window that ends at the ceiling is the whole lower set, and costs no search.
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError> {
        if request.window().is_some() && request == self.request_below(request.pages()) {
            return self.low.find(Request::new(request.pages()));
        }
        match self.low.find(request)? {
            None => self.high.find(request),
            found => Ok(found),
        }
    }

    fn take(&mut self, span: Span) -> Result<(), FreelistError> {
        match self.parts(span) {
            (Some(below), Some(above)) => {
                self.low.take(below)?;
                self.high.take(above).inspect_err(|_| _ = self.low.release(below))
            }
            (Some(_), None) => self.low.take(span),
            (None, _) => self.high.take(span),
        }
    }

    /// A span that lies on both sides stays whole, as somebody may be about to take it whole: the ceiling gives way.
    fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        match self.parts(span) {
            (Some(below), Some(_)) => {
                if let Some(page) = self.low.first_free(below) {
                    return Err(FreelistError::DoubleFree { page });
                }
                self.high.release(span)?;
                self.ceiling = span.start();
                Ok(())
            }
            (Some(_), None) => self.low.release(span),
            (None, _) => self.high.release(span),
        }
    }

    fn next_span(&self, page: PageId) -> Option<Span> {
        self.low.next_span(page).or_else(|| self.high.next_span(page))
    }

    fn last_span(&self) -> Option<Span> {
        self.high.last_span().or_else(|| self.low.last_span())
    }

    fn free_pages(&self) -> u64 {
        self.low.free_pages().saturating_add(self.high.free_pages())
    }

    fn free_spans(&self) -> u64 {
        self.low.free_spans().saturating_add(self.high.free_spans())
    }

    /// The longest span below the ceiling, if there is any: whoever takes what there is takes it there.
    fn largest(&self) -> u64 {
        match self.low.largest() {
            0 => self.high.largest(),
            largest => largest,
        }
    }

    fn clear(&mut self) {
        self.low.clear();
        self.high.clear();
    }

    fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError> {
        let (below, above) = self.parts(window);
        below.map_or(Ok(()), |below| self.low.reserve(spans, below))?;
        above.map_or(Ok(()), |above| self.high.reserve(spans, above))
    }

    fn memory_bytes(&self) -> usize {
        self.low.memory_bytes().saturating_add(self.high.memory_bytes())
    }

    fn release_all(&mut self, spans: &mut dyn Iterator<Item = Span>) -> Result<(), FreelistError> {
        if self.ceiling == NONE {
            return self.low.release_all(spans);
        }
        for span in spans {
            self.release(span)?;
        }
        Ok(())
    }

    fn release_bits(&mut self, words: &mut dyn Iterator<Item = u64>) -> Result<(), FreelistError> {
        if self.ceiling == NONE { self.low.release_bits(words) } else { self.release_all(&mut BitSpans::new(words)) }
    }

    fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        self.low.for_each_span(visit);
        self.high.for_each_span(visit);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use kv_testkit::Random;

    use super::*;

    const PAGES: u64 = 60;

    fn span(start: u64, len: u64) -> Span {
        Span::new(PageId::new(start), len).unwrap()
    }

    fn pages(set: &LowFirst) -> BTreeSet<u64> {
        let mut pages = BTreeSet::new();
        set.for_each_span(&mut |span| pages.extend(span.pages().map(PageId::get)));
        pages
    }

    /// Random calls beside a set of page numbers: the ceiling changes what is handed out, and nothing else.
    #[test]
    fn a_ceiling_loses_no_page_and_gives_low_ones_first() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut below = |bound: u64| random.below_u64(bound);
            let mut set = LowFirst::new(Box::new(SpanMaps::new()));
            let mut model: BTreeSet<u64> = BTreeSet::new();
            for _ in 0..200 {
                match below(4) {
                    0 => {
                        let start = 1 + below(PAGES - 1);
                        let some = span(start, 1 + below(PAGES - start));
                        if some.pages().all(|page| !model.contains(&page.get())) {
                            set.release(some).unwrap();
                            model.extend(some.pages().map(PageId::get));
                        } else {
                            assert!(set.release(some).is_err());
                        }
                    }
                    1 => {
                        let to = if below(4) == 0 { NONE } else { PageId::new(1 + below(PAGES)) };
                        let there = set.move_ceiling(to, usize::try_from(below(4)).unwrap()).unwrap();
                        assert_eq!(there, set.ceiling() == to);
                    }
                    2 => {
                        let wanted = 1 + below(4);
                        let ceiling = set.ceiling().get();
                        let fits = |from: u64| (from..from + wanted).all(|page| model.contains(&page));
                        let low = (0..PAGES).any(|from| fits(from) && from + wanted <= ceiling);
                        let strict = below(2) == 0;
                        let request = if strict { set.request_below(wanted) } else { Request::new(wanted) };
                        let got = set.allocate_where(request).unwrap();
                        assert_eq!(low, got.is_some_and(|got| got.end().get() <= ceiling), "{got:?} below {ceiling}");
                        assert!(!strict || low || got.is_none());
                        got.into_iter().flat_map(Span::pages).for_each(|page| assert!(model.remove(&page.get())));
                    }
                    _ => {
                        let last = set.last_span();
                        assert_eq!(last.map(|last| last.end().get() - 1), model.last().copied());
                        if let Some(last) = last {
                            set.take(last).unwrap();
                            last.pages().for_each(|page| assert!(model.remove(&page.get())));
                        }
                    }
                }
                assert_eq!(pages(&set), model, "seed {seed}");
                assert_eq!(set.free_pages(), model.len() as u64);
                assert_eq!(set.largest() == 0, model.is_empty());
                let above = model.iter().filter(|&&page| page >= set.ceiling().get()).count();
                assert_eq!(set.free_above(), above as u64);
            }
        }
    }
}
