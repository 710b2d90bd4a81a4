//! A set of free pages so simple that it is evidently right, and a seeded generator.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeSet;

use freelist_core::{FreelistError, PageId, Request, Span};

/// A span that the test knows to be valid.
pub(crate) fn span(start: u64, len: u64) -> Span {
    Span::new(PageId::new(start), len).unwrap()
}

/// Which span the model takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    /// The lowest pages that are long enough.
    First,
    /// The shortest span that is long enough, among equals the lowest.
    Best,
}

/// One entry per free page.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) pages: BTreeSet<u64>,
    fit: Fit,
}

impl Model {
    pub(crate) fn new(fit: Fit) -> Self {
        Self { pages: BTreeSet::new(), fit }
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for page in &self.pages {
            match spans.last_mut().filter(|last| last.end().get() == *page) {
                Some(last) => *last = span(last.start().get(), last.len() + 1),
                None => spans.push(span(*page, 1)),
            }
        }
        spans
    }

    /// Whether no page of it is free.
    pub(crate) fn is_in_use(&self, span: Span) -> bool {
        self.pages.range(span.start().get()..span.end().get()).next().is_none()
    }

    pub(crate) fn clear(&mut self) {
        self.pages.clear();
    }

    pub(crate) fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        let mut pages = span.pages();
        if let Some(page) = pages.find(|page| self.pages.contains(&page.get())) {
            return Err(FreelistError::DoubleFree { page });
        }
        self.pages.extend(span.pages().map(PageId::get));
        Ok(())
    }

    pub(crate) fn take(&mut self, span: Span) -> Result<(), FreelistError> {
        let mut pages = span.pages();
        if let Some(page) = pages.find(|page| !self.pages.contains(&page.get())) {
            return Err(FreelistError::NotFree { page });
        }
        for page in span.pages() {
            assert!(self.pages.remove(&page.get()));
        }
        Ok(())
    }

    pub(crate) fn allocate(&mut self, request: Request) -> Result<Option<Span>, FreelistError> {
        request.check()?;
        let found = self.find(request);
        if let Some(found) = found {
            self.take(found)?;
        }
        Ok(found)
    }

    pub(crate) fn allocate_up_to(&mut self, pages: u64) -> Result<Option<Span>, FreelistError> {
        let largest = self.spans().iter().map(|span| span.len()).max().unwrap_or(0);
        if pages > 0 && largest == 0 {
            return Ok(None);
        }
        self.allocate(Request::new(pages.min(largest)))
    }

    pub(crate) fn find(&self, request: Request) -> Option<Span> {
        let spans = self.spans();
        let fits = spans.iter().filter_map(|span| Some((span, request.fit(*span)?)));
        if self.fit == Fit::First || request.window().is_some() {
            return fits.map(|(_, fit)| fit).next();
        }
        let order = |whole: &Span| (whole.len(), whole.start());
        if request.is_plain() {
            return fits.min_by_key(|(whole, _)| order(whole)).map(|(_, fit)| fit);
        }
        // Spans that only fit by luck are tried from the lowest, a few of them; then one that fits
        // for certain is taken as if it were not aligned.
        let certain = request.pages() + request.alignment() - 1;
        let mut tight: Vec<&Span> =
            spans.iter().filter(|span| (request.pages()..certain).contains(&span.len())).collect();
        tight.sort_by_key(|span| (span.len(), span.start()));
        let few = tight.iter().take(32).find_map(|span| request.fit(**span));
        let sure = || spans.iter().filter(|span| span.len() >= certain).min_by_key(|span| order(span));
        few.or_else(|| request.fit(*sure()?)).or_else(|| tight.iter().find_map(|span| request.fit(**span)))
    }
}

/// A seeded generator, the same on every target.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}
