//! Free pages as fragmented stores have them.

/// A seeded generator, the same on every run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A generator for this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// `count` free pages, none beside another: every second page.
#[must_use]
pub fn isolated(count: u64) -> Vec<(u64, u64)> {
    (0..count).map(|index| (2 + index * 2, 1)).collect()
}

/// `count` free spans of `shortest` to 8 pages, with 1 to 8 pages in use between them.
#[must_use]
pub fn mixed(count: u64, shortest: u64) -> Vec<(u64, u64)> {
    let mut dice = Dice::new(count);
    let mut page = 2;
    (0..count)
        .map(|_| {
            let start = page;
            let pages = shortest + dice.below(9 - shortest);
            page = start + pages + 1 + dice.below(8);
            (start, pages)
        })
        .collect()
}

/// One free span of each length up to `count`.
#[must_use]
pub fn every_length(count: u64) -> Vec<(u64, u64)> {
    let mut page = 2;
    let mut dice = Dice::new(count);
    let mut lengths: Vec<u64> = (1..=count).collect();
    for last in (1..lengths.len()).rev() {
        let other = usize::try_from(dice.below(last as u64 + 1)).unwrap_or(0);
        lengths.swap(last, other);
    }
    lengths
        .into_iter()
        .map(|pages| {
            let start = page;
            page = start + pages + 3;
            (start, pages)
        })
        .collect()
}

/// Random pages in use beside free ones, all different: what a store frees next.
#[must_use]
pub fn neighbours(spans: &[(u64, u64)], count: usize) -> Vec<u64> {
    let mut dice = Dice::new(99);
    let gaps = spans.len() as u64 - 1;
    let mut seen = hashbrown::HashSet::new();
    let mut pages = Vec::with_capacity(count);
    while pages.len() < count {
        let gap = dice.below(gaps);
        let at = usize::try_from(gap).unwrap_or(0);
        let (first, behind) = (spans[at].0 + spans[at].1, spans[at + 1].0);
        let page = if dice.below(2) == 0 { first } else { behind - 1 };
        if seen.insert(gap) {
            pages.push(page);
        }
    }
    pages
}
