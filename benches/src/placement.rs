//! Where free lists put pages: how far a file grows beyond what lives in it.

use std::collections::VecDeque;
use std::mem;

use kv_testkit::Random;

use crate::free_pages::FreePages;

/// A kind of store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// 20,000 keys, and 1,000 pages of the tree above them. Each transaction appends a new value of a random key (a
    /// page; one in 500 is large, 16 to 128 pages) and rewrites three tree pages. Every 500 transactions the values
    /// that are no longer current are compacted away, 100 in a transaction.
    EtcdLike,
    /// Each transaction replaces one of 2,000 objects by one of 1 to 16 pages.
    Uniform,
}

/// How full the file is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fullness {
    /// Pages in the file for each that is in use, over the second half of the run.
    pub ratio: f64,
    /// The same for a free list that wastes nothing: its file is as large as the most pages that were ever in use, or
    /// freed by the transaction before.
    pub floor: f64,
}

/// A file with a free list. What a transaction frees can be used again from the next one on.
struct Store<P> {
    free: P,
    end: u64,
    live: u64,
    freed: Vec<(u64, u64)>,
}

impl<P: FreePages> Store<P> {
    fn allocate(&mut self, pages: u64) -> (u64, u64) {
        self.live += pages;
        let start = self.free.allocate(pages).unwrap_or_else(|| {
            self.end += pages;
            self.end - pages
        });
        (start, pages)
    }

    fn free(&mut self, (start, pages): (u64, u64)) {
        self.live -= pages;
        self.freed.push((start, pages));
    }

    fn begin(&mut self) {
        for (start, pages) in self.freed.drain(..) {
            self.free.release(start, pages);
        }
    }
}

/// Who lives in the file.
struct Tenants {
    tree: Vec<(u64, u64)>,
    values: Vec<(u64, u64)>,
    /// Values that are no longer current and wait for compaction.
    old: VecDeque<(u64, u64)>,
    /// How many of them the compaction under way has still to drop.
    compacting: usize,
}

/// The mean of runs of `transactions` transactions on the free list `P`, one for each seed.
///
/// Single runs differ by 1 %: when the large values come matters.
#[must_use]
pub fn simulate<P: FreePages>(load: Load, transactions: u32, seeds: u32) -> Fullness {
    let runs = (1..=seeds).map(|seed| run::<P>(load, transactions, u64::from(seed)));
    let sum = runs.fold((0.0, 0.0), |sum, run| (sum.0 + run.ratio, sum.1 + run.floor));
    Fullness { ratio: sum.0 / f64::from(seeds), floor: sum.1 / f64::from(seeds) }
}

fn run<P: FreePages>(load: Load, transactions: u32, seed: u64) -> Fullness {
    let mut store = Store { free: P::load(&[]), end: 2, live: 0, freed: Vec::new() };
    let mut random = Random::new(seed);
    let (keys, tree) = if load == Load::EtcdLike { (20_000, 1000) } else { (2000, 0) };
    let mut tenants = Tenants { tree: Vec::new(), values: Vec::new(), old: VecDeque::new(), compacting: 0 };
    tenants.values.extend((0..keys).map(|_| store.allocate(pages_of(load, &mut random))));
    tenants.tree.extend((0..tree).map(|_| store.allocate(1)));
    let (mut file, mut live, mut peak) = (0.0, 0.0, 0);
    for tx in 0..transactions {
        store.begin();
        match load {
            Load::EtcdLike => etcd_like(&mut store, &mut random, &mut tenants, tx),
            Load::Uniform => {
                let pages = pages_of(load, &mut random);
                let old = replace(&mut store, &mut random, &mut tenants.values, pages);
                store.free(old);
            }
        }
        let freed: u64 = store.freed.iter().map(|(_, pages)| pages).sum();
        peak = peak.max(store.live + freed);
        if tx >= transactions / 2 {
            file += float(store.end);
            live += float(store.live);
        }
    }
    let half = f64::from(transactions - transactions / 2);
    Fullness { ratio: file / live, floor: float(peak) * half / live }
}

fn pages_of(load: Load, random: &mut Random) -> u64 {
    match load {
        Load::EtcdLike if random.below_u64(500) == 0 => 16 + random.below_u64(113),
        Load::EtcdLike => 1,
        Load::Uniform => 1 + random.below_u64(16),
    }
}

fn float(pages: u64) -> f64 {
    f64::from(u32::try_from(pages).unwrap_or(u32::MAX))
}

fn etcd_like<P: FreePages>(store: &mut Store<P>, random: &mut Random, tenants: &mut Tenants, tx: u32) {
    for _ in 0..3 {
        let old = replace(store, random, &mut tenants.tree, 1);
        store.free(old);
    }
    let pages = pages_of(Load::EtcdLike, random);
    tenants.old.push_back(replace(store, random, &mut tenants.values, pages));
    if tx % 500 == 499 {
        tenants.compacting = tenants.old.len();
    }
    let now = tenants.compacting.min(100);
    tenants.compacting -= now;
    for old in tenants.old.drain(..now) {
        store.free(old);
    }
}

/// Writes a new version of a random object; returns the old one, which is still in the file.
fn replace<P: FreePages>(
    store: &mut Store<P>,
    random: &mut Random,
    objects: &mut [(u64, u64)],
    pages: u64,
) -> (u64, u64) {
    let at = usize::try_from(random.below_u64(objects.len() as u64)).unwrap_or(0);
    let new = store.allocate(pages);
    mem::replace(&mut objects[at], new)
}
