//! The pages of the snapshot that a write transaction no longer uses.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use freelist_core::{PageId, Span};

/// Pages, each of them at most once. Nearly all nodes take one page: those are kept apart from the longer spans, and adding
/// one costs O(1).
#[derive(Debug, Default)]
pub(super) struct FreedPages {
    singles: HashSet<u64, BuildHasherDefault<PageHasher>>,
    /// The spans of two pages and more, by their first pages. No two overlap, and none has a page of `singles`.
    runs: BTreeMap<PageId, Span>,
}

impl FreedPages {
    /// Adds `span`; false, and nothing has changed, if one of its pages is here already. O(1) for one page, else O(its
    /// pages).
    pub(super) fn add(&mut self, span: Span) -> bool {
        if self.run_before(span.end()).is_some_and(|run| run.end() > span.start()) {
            return false;
        }
        if span.len() == 1 {
            return self.singles.insert(span.start().get());
        }
        let new = self.singles.is_empty() || !span.pages().any(|page| self.singles.contains(&page.get()));
        if new {
            self.runs.insert(span.start(), span);
        }
        new
    }

    pub(super) fn has(&self, page: PageId) -> bool {
        let in_run = self.runs.range(..=page).next_back().is_some_and(|(_, run)| run.end() > page);
        in_run || self.singles.contains(&page.get())
    }

    /// All spans as they were added, ascending. O(n log n).
    pub(super) fn ascending(&self) -> Vec<Span> {
        let singles = self.singles.iter().filter_map(|&page| Span::new(PageId::new(page), 1).ok());
        let mut spans: Vec<Span> = singles.chain(self.runs.values().copied()).collect();
        spans.sort_unstable_by_key(|span| span.start());
        debug_assert!(spans.is_sorted_by(|one, next| one.end() <= next.start()), "no two spans overlap");
        spans
    }

    /// How many pages these are. O(longer spans).
    pub(super) fn pages(&self) -> u64 {
        self.runs.values().map(|run| run.len()).fold(self.singles.len() as u64, u64::saturating_add)
    }

    /// The last of the longer spans that begins before `end`.
    fn run_before(&self, end: PageId) -> Option<&Span> {
        self.runs.range(..end).next_back().map(|(_, run)| run)
    }
}

/// Spreads page numbers by the golden ratio (Knuth, volume 3, 6.4). A file with numbers that collide costs its own changes
/// time, as any tree of its could.
#[derive(Debug, Default)]
struct PageHasher(u64);

impl Hasher for PageHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 << 8 | u64::from(byte));
        }
    }

    fn write_u64(&mut self, page: u64) {
        let spread = page.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ spread >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside a set of numbers.
        #[test]
        fn a_page_is_added_once(spans in prop::collection::vec((2..200u64, 1..5u64), 0..60)) {
            let (mut freed, mut pages, mut kept) = (FreedPages::default(), BTreeSet::new(), Vec::new());
            for (start, len) in spans {
                let span = Span::new(PageId::new(start), len).unwrap();
                let new = (start..start + len).all(|page| !pages.contains(&page));
                prop_assert_eq!(freed.add(span), new);
                if new {
                    pages.extend(start..start + len);
                    kept.push(span);
                }
            }
            kept.sort_unstable_by_key(|span| span.start());
            prop_assert_eq!(freed.ascending(), kept);
            prop_assert_eq!(freed.pages(), pages.len() as u64);
            prop_assert!((0..210).all(|page| freed.has(PageId::new(page)) == pages.contains(&page)));
        }
    }
}
