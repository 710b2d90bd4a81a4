//! bbolt's first free list as a baseline: one sorted array of page ids, and a set of the same ids.
//!
//! Written from the algorithm (bbolt's `array` free list type): allocation scans for a run of
//! consecutive ids and moves the tail of the array over the hole; release merges sorted arrays.

use hashbrown::HashSet;

/// Sorted ids of free pages.
#[derive(Clone, Debug, Default)]
pub struct BboltArray {
    ids: Vec<u64>,
    /// Every free id once more, to catch pages that are freed twice.
    cache: HashSet<u64>,
}

impl BboltArray {
    /// The free pages of these spans (first page, length), in page order.
    #[must_use]
    pub fn load(spans: &[(u64, u64)]) -> Self {
        let ids: Vec<u64> = spans.iter().flat_map(|(start, len)| *start..start + len).collect();
        let cache = ids.iter().copied().collect();
        Self { ids, cache }
    }

    /// The first run of `pages` consecutive ids.
    pub fn allocate(&mut self, pages: u64) -> Option<u64> {
        let mut run_start = 0;
        let mut previous = None;
        for (index, id) in self.ids.iter().copied().enumerate() {
            if previous.is_none_or(|previous: u64| previous + 1 != id) {
                run_start = id;
            }
            if id - run_start + 1 == pages {
                let first = index + 1 - usize::try_from(pages).ok()?;
                self.ids.drain(first..=index);
                for page in run_start..=id {
                    self.cache.remove(&page);
                }
                return Some(run_start);
            }
            previous = Some(id);
        }
        None
    }

    /// Merges the pages in.
    ///
    /// # Panics
    /// When a page is free already.
    pub fn release(&mut self, start: u64, pages: u64) {
        let mut merged = Vec::with_capacity(self.ids.len() + 1);
        let at = self.ids.partition_point(|id| *id < start);
        merged.extend_from_slice(&self.ids[..at]);
        for page in start..start + pages {
            assert!(self.cache.insert(page), "page {page} already freed");
            merged.push(page);
        }
        merged.extend_from_slice(&self.ids[at..]);
        self.ids = merged;
    }

    /// Takes exactly these free pages: only to restore a state between measurements.
    pub fn take(&mut self, start: u64, pages: u64) {
        self.ids.retain(|id| !(start..start + pages).contains(id));
        for page in start..start + pages {
            self.cache.remove(&page);
        }
    }

    /// How many pages are free.
    #[must_use]
    pub fn free_pages(&self) -> u64 {
        self.ids.len() as u64
    }
}
