//! Where free lists put pages: how far a file grows beyond what lives in it.

use std::collections::VecDeque;

use crate::free_layouts::Dice;
use crate::free_pages::FreePages;

/// A kind of store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// On 50,000 pages: each transaction appends a page and rewrites three; one in 500 writes a large value of 16 to
    /// 256 pages; every 1,000 transactions the oldest nine tenths of what was appended are dropped,
    /// in a hundred transactions.
    EtcdLike,
    /// Each transaction replaces four objects of 1 to 16 pages, out of 10,000.
    Uniform,
}

/// How full the file is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fullness {
    /// Pages in the file, averaged over the second half of the run.
    pub file_pages: f64,
    /// Pages in use, averaged likewise.
    pub live_pages: f64,
    /// The most pages ever in use, or freed by the transaction before: no free list can have a
    /// smaller file.
    pub peak_pages: f64,
}

impl Fullness {
    /// Pages in the file for each that is in use.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.file_pages / self.live_pages
    }

    /// The ratio of a free list that wastes nothing.
    #[must_use]
    pub fn floor(&self) -> f64 {
        self.peak_pages / self.live_pages
    }
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

/// Runs `transactions` transactions on the free list `P`.
#[must_use]
pub fn simulate<P: FreePages>(load: Load, transactions: u32) -> Fullness {
    let mut store = Store { free: P::load(&[]), end: 2, live: 0, freed: Vec::new() };
    let mut dice = Dice::new(42);
    let mut objects: Vec<(u64, u64)> = Vec::new();
    let mut log: VecDeque<(u64, u64)> = VecDeque::new();
    let (count, longest) = if load == Load::Uniform { (10_000, 16) } else { (50_000, 1) };
    for _ in 0..count {
        let pages = 1 + dice.below(longest);
        objects.push(store.allocate(pages));
    }
    let (mut file, mut live, mut peak, mut dropping) = (0.0, 0.0, 0, 0);
    for tx in 0..transactions {
        store.begin();
        match load {
            Load::EtcdLike => etcd_like(&mut store, &mut dice, &mut objects, &mut log, tx, &mut dropping),
            Load::Uniform => (0..4).for_each(|_| replace(&mut store, &mut dice, &mut objects, 16)),
        }
        let freed: u64 = store.freed.iter().map(|(_, pages)| pages).sum();
        peak = peak.max(store.live + freed);
        if tx >= transactions / 2 {
            file += float(store.end);
            live += float(store.live);
        }
    }
    let half = f64::from(transactions - transactions / 2);
    Fullness { file_pages: file / half, live_pages: live / half, peak_pages: float(peak) }
}

fn float(pages: u64) -> f64 {
    f64::from(u32::try_from(pages).unwrap_or(u32::MAX))
}

fn etcd_like<P: FreePages>(
    store: &mut Store<P>,
    dice: &mut Dice,
    objects: &mut [(u64, u64)],
    log: &mut VecDeque<(u64, u64)>,
    tx: u32,
    dropping: &mut usize,
) {
    for _ in 0..3 {
        replace(store, dice, objects, 1);
    }
    let pages = if dice.below(500) == 0 { 16 + dice.below(241) } else { 1 };
    log.push_back(store.allocate(pages));
    if tx % 1000 == 999 {
        *dropping = log.len() * 9 / 10 / 100 + 1;
    }
    if tx % 1000 == 99 {
        *dropping = 0;
    }
    for _ in 0..*dropping {
        if let Some(old) = log.pop_front() {
            store.free(old);
        }
    }
}

/// A copy-on-write change: the new version is written before the old one is freed.
fn replace<P: FreePages>(store: &mut Store<P>, dice: &mut Dice, objects: &mut [(u64, u64)], longest: u64) {
    let at = usize::try_from(dice.below(objects.len() as u64)).unwrap_or(0);
    let new = store.allocate(1 + dice.below(longest));
    store.free(std::mem::replace(&mut objects[at], new));
}
