//! Free pages as fragmented stores have them.

use kv_testkit::Random;

/// `count` free pages, none beside another: every second page.
#[must_use]
pub fn isolated(count: u64) -> Vec<(u64, u64)> {
    (0..count).map(|index| (2 + index * 2, 1)).collect()
}

/// `count` free spans of `shortest` to 8 pages, with 1 to 8 pages in use between them.
#[must_use]
pub fn mixed(count: u64, shortest: u64) -> Vec<(u64, u64)> {
    let mut random = Random::new(count);
    let mut page = 2;
    (0..count)
        .map(|_| {
            let start = page;
            let pages = shortest + random.below_u64(9 - shortest);
            page = start + pages + 1 + random.below_u64(8);
            (start, pages)
        })
        .collect()
}

/// One free span of each length up to `count`.
#[must_use]
pub fn every_length(count: u64) -> Vec<(u64, u64)> {
    let mut page = 2;
    let mut random = Random::new(count);
    let mut lengths: Vec<u64> = (1..=count).collect();
    for last in (1..lengths.len()).rev() {
        let other = usize::try_from(random.below_u64(last as u64 + 1)).unwrap_or(0);
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
    let mut random = Random::new(99);
    let gaps = spans.len() as u64 - 1;
    let mut seen = hashbrown::HashSet::new();
    let mut pages = Vec::with_capacity(count);
    while pages.len() < count {
        let gap = random.below_u64(gaps);
        let at = usize::try_from(gap).unwrap_or(0);
        let (first, behind) = (spans[at].0 + spans[at].1, spans[at + 1].0);
        let page = if random.below_u64(2) == 0 { first } else { behind - 1 };
        if seen.insert(gap) {
            pages.push(page);
        }
    }
    pages
}
