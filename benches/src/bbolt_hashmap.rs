//! bbolt's second free list as a baseline: three hash maps of spans, and a set of all free ids.
//!
//! Written from the algorithm (bbolt's `hashmap` free list type). Go walks a map from a random place;
//! here a seeded generator picks the place, in a set that costs O(1) to pick from.

use hashbrown::{HashMap, HashSet};
use kv_testkit::Random;

/// A set that gives any member, as Go's maps do.
#[derive(Clone, Debug, Default)]
struct AnySet {
    members: Vec<u64>,
    places: HashMap<u64, usize>,
}

impl AnySet {
    fn insert(&mut self, member: u64) {
        self.places.insert(member, self.members.len());
        self.members.push(member);
    }

    fn remove(&mut self, member: u64) {
        if let Some(place) = self.places.remove(&member) {
            self.members.swap_remove(place);
            if let Some(moved) = self.members.get(place) {
                self.places.insert(*moved, place);
            }
        }
    }

    /// A walk over all members from a random place.
    fn walk(&self, random: u64) -> impl Iterator<Item = u64> {
        let len = self.members.len();
        let from = usize::try_from(random % len.max(1) as u64).unwrap_or(0);
        self.members[from..].iter().chain(&self.members[..from]).copied()
    }
}

/// Free spans by length and by either end.
#[derive(Clone, Debug, Default)]
pub struct BboltHashmap {
    freemaps: HashMap<u64, AnySet>,
    lengths: AnySet,
    forward: HashMap<u64, u64>,
    backward: HashMap<u64, u64>,
    cache: HashSet<u64>,
    random: Random,
}

impl BboltHashmap {
    /// The free pages of these spans (first page, length).
    #[must_use]
    pub fn load(spans: &[(u64, u64)]) -> Self {
        let mut list = Self::default();
        for (start, len) in spans {
            list.add_span(*start, *len);
            list.cache.extend(*start..start + len);
        }
        list
    }

    /// Any span of exactly `pages` pages, else the front of any longer one.
    pub fn allocate(&mut self, pages: u64) -> Option<u64> {
        let random = self.random.next_u64() >> 8;
        let exact = self.freemaps.get(&pages).and_then(|starts| starts.walk(random).next());
        let (start, len) = if let Some(start) = exact {
            (start, pages)
        } else {
            let len = self.lengths.walk(random).find(|len| *len > pages)?;
            (self.freemaps.get(&len)?.walk(random).next()?, len)
        };
        self.remove_span(start, len);
        if len > pages {
            self.add_span(start + pages, len - pages);
        }
        for page in start..start + pages {
            self.cache.remove(&page);
        }
        Some(start)
    }

    /// Merges the pages with the spans that end before and begin behind them.
    ///
    /// # Panics
    /// When a page is free already.
    pub fn release(&mut self, start: u64, pages: u64) {
        for page in start..start + pages {
            assert!(self.cache.insert(page), "page {page} already freed");
        }
        let (mut first, mut len) = (start, pages);
        if let Some(before) = start.checked_sub(1).and_then(|last| self.backward.get(&last).copied()) {
            first -= before;
            len += before;
            self.remove_span(first, before);
        }
        if let Some(behind) = self.forward.get(&(start + pages)).copied() {
            self.remove_span(start + pages, behind);
            len += behind;
        }
        self.add_span(first, len);
    }

    /// Takes exactly these free pages: only to restore a state between measurements.
    pub fn take(&mut self, start: u64, pages: u64) {
        let mut first = start;
        while self.cache.contains(&first.wrapping_sub(1)) {
            first -= 1;
        }
        let Some(len) = self.forward.get(&first).copied() else { return };
        self.remove_span(first, len);
        if first < start {
            self.add_span(first, start - first);
        }
        if start + pages < first + len {
            self.add_span(start + pages, first + len - start - pages);
        }
        for page in start..start + pages {
            self.cache.remove(&page);
        }
    }

    /// How many pages are free.
    #[must_use]
    pub fn free_pages(&self) -> u64 {
        self.cache.len() as u64
    }

    fn add_span(&mut self, start: u64, len: u64) {
        self.forward.insert(start, len);
        self.backward.insert(start + len - 1, len);
        if !self.freemaps.contains_key(&len) {
            self.lengths.insert(len);
        }
        self.freemaps.entry(len).or_default().insert(start);
    }

    fn remove_span(&mut self, start: u64, len: u64) {
        self.forward.remove(&start);
        self.backward.remove(&(start + len - 1));
        if let Some(starts) = self.freemaps.get_mut(&len) {
            starts.remove(start);
            if starts.members.is_empty() {
                self.freemaps.remove(&len);
                self.lengths.remove(len);
            }
        }
    }
}
