//! The log beside a set of page numbers: whatever commits do, what is read from the file is what is free.

use std::collections::BTreeSet;
use std::io::IoSlice;

use freelist_core::{PageId, SpanMaps, TxId};
use pagefile_std::{MemStore, PageStore};
use proptest::prelude::*;

use super::super::{Carry, FreeSpace, FreelistOrigin, NO_CEILING, Written};
use super::*;
use crate::format::{Meta, NO_FREELIST, SECTOR};
use crate::store::{PageSet, Pages, page_span};

const PAGE: u32 = 1024;

/// A file with its free space, and the pages that some tree uses.
struct File {
    store: MemStore,
    meta: Meta,
    space: FreeSpace,
    tree: BTreeSet<u64>,
}

/// A commit: which pages of the tree it frees, the lengths of the nodes that it writes, and what it carries.
#[derive(Clone, Debug)]
struct Commit {
    frees: Vec<prop::sample::Index>,
    /// How many of the tree's last pages it frees as well.
    frees_last: usize,
    /// The ceiling is moved there before it, and the free pages at the end of the file are given back.
    ceiling: Option<prop::sample::Index>,
    lengths: Vec<u64>,
    /// Lengths of what it has written behind the end, and of the gaps before each.
    early: Vec<(u64, u64)>,
    carry: Carry,
    /// It fails after its plan.
    fails: bool,
    /// The database is opened again after it.
    reopens: bool,
}

fn load(store: &MemStore, meta: &Meta) -> (FreeSpace, bool) {
    let view = store.view();
    let pages = Pages::new(&view, &[], PAGE, meta.high_water);
    let mut walked = false;
    let walk = || {
        walked = true;
        Ok(PageSet::new(meta.high_water))
    };
    let space = FreeSpace::load(Box::new(SpanMaps::new()), pages, meta, None, walk).unwrap();
    (space, walked)
}

fn listed(space: &FreeSpace) -> BTreeSet<u64> {
    let mut pages = BTreeSet::new();
    space.for_each_span(&mut |span| pages.extend(span.pages().map(PageId::get)));
    pages
}

impl File {
    /// Of so many pages, of which a tree uses those that are multiples of `step`.
    fn new(high_water: u64, step: usize) -> Self {
        let store = MemStore::new();
        store.grow(high_water * u64::from(PAGE)).unwrap();
        let extension = Extension::NONE;
        let freelist = NO_FREELIST;
        let meta =
            Meta { page_size: PAGE, flags: 0, root: 3, root_sequence: 0, freelist, high_water, tx: 1, extension };
        let tree: BTreeSet<u64> = (3..high_water).step_by(step).collect();
        let view = store.view();
        let mut used = PageSet::new(high_water);
        for &page in &tree {
            used.add(page);
        }
        let pages = Pages::new(&view, &[], PAGE, high_water);
        let space = FreeSpace::load(Box::new(SpanMaps::new()), pages, &meta, None, || Ok(used)).unwrap();
        Self { store, meta, space, tree }
    }

    /// How many pages the commit has written beside those of the tree.
    fn commit(&mut self, commit: &Commit) -> usize {
        let tx = TxId::new(self.meta.tx + 1);
        self.space.retire(&[TxId::new(self.meta.tx)]).unwrap();
        if let Some(at) = commit.ceiling {
            let to = 4 + at.index(usize::try_from(self.meta.high_water).unwrap()) as u64;
            self.space.move_ceiling(to, 4000).unwrap();
            self.space.give_back_end().unwrap();
        } else {
            self.space.move_ceiling(NO_CEILING, usize::MAX).unwrap();
        }
        let pages: Vec<u64> = self.tree.iter().copied().filter(|&page| page != self.meta.root).collect();
        let freed = commit.frees.iter().filter(|_| !pages.is_empty()).map(|at| *at.get(&pages));
        let freed: BTreeSet<u64> = freed.chain(pages.iter().rev().take(commit.frees_last).copied()).collect();
        let spans: Vec<Span> = freed.iter().map(|&page| page_span(page, 1).unwrap()).collect();
        self.space.free(tx, &spans).unwrap();
        let mut early = Vec::new();
        let mut end = self.meta.high_water;
        for &(gap, pages) in &commit.early {
            early.push(page_span(end + gap, pages).unwrap());
            end += gap + pages;
        }
        self.space.claim(tx, &early).unwrap();
        let placed =
            if commit.lengths.is_empty() { Vec::new() } else { self.space.place(tx, &commit.lengths).unwrap() };
        let written = self.space.write(tx, commit.carry).unwrap();
        if commit.fails {
            self.space.rollback(tx).unwrap();
            return 0;
        }
        let high_water = self.space.planned_high_water();
        if high_water * u64::from(PAGE) > self.store.len() {
            self.store.grow(high_water * u64::from(PAGE)).unwrap();
        }
        for (page, bytes) in written.images() {
            self.space.assert_writable(page, bytes.len());
            self.store.write_at(page * u64::from(PAGE), &[IoSlice::new(bytes)]).unwrap();
        }
        self.tree.retain(|page| !freed.contains(page));
        for (&first, &pages) in placed.iter().zip(&commit.lengths) {
            self.tree.extend(first..first + pages);
        }
        self.tree.extend(early.into_iter().flat_map(Span::pages).map(PageId::get));
        let extension = written.extension();
        self.meta = Meta { tx: tx.get(), high_water, freelist: written.field(), extension, ..self.meta };
        let mut sector = vec![0; SECTOR];
        self.meta.write(self.meta.slot(), &mut sector);
        assert_eq!(Meta::parse(&sector), Ok(self.meta));
        self.space.commit(tx, &written);
        self.check(&written);
        written.images().len()
    }

    /// Every page is used by the tree or by the log, or free, in memory and as it is read.
    fn check(&self, written: &Written) {
        let mut free: BTreeSet<u64> = (2..self.meta.high_water).filter(|page| !self.tree.contains(page)).collect();
        for page in self.space.own_pages(written).into_iter().flat_map(Span::pages) {
            assert!(free.remove(&page.get()), "page {page} of the log is used twice");
        }
        assert!(listed(&self.space) == free, "in memory");
        if matches!(written, Written::Log(_)) {
            let (space, walked) = load(&self.store, &self.meta);
            assert!(!walked, "{:?}", space.origin());
            let read = listed(&space);
            let wrong: Vec<_> = read.symmetric_difference(&free).collect();
            assert!(wrong.is_empty(), "as it is read: {wrong:?}");
        }
    }

    fn reopen(&mut self) {
        let (space, walked) = load(&self.store, &self.meta);
        if !walked {
            self.space = space;
        }
    }
}

fn commits() -> impl Strategy<Value = Vec<Commit>> {
    let size = prop_oneof![20 => 1..8_usize, 2 => 60..200_usize, 1 => 1000..2500_usize];
    let index = any::<prop::sample::Index>();
    let anywhere = size.clone().prop_flat_map(move |size| prop::collection::vec(index.clone(), size));
    let length = prop_oneof![20 => Just(1), 1 => 2..40_u64];
    let lengths = size.prop_flat_map(move |size| prop::collection::vec(length.clone(), size - 1));
    let carry = prop_oneof![30 => Just(Carry::Log), 1 => Just(Carry::List), 1 => Just(Carry::Nothing)];
    let chance = |one_in: u32| (0..one_in).prop_map(|number| number == 0);
    let last = prop_oneof![6 => Just(0_usize), 1 => 1..100_usize, 1 => 500..20_000_usize];
    let ceiling = prop::option::weighted(0.4, any::<prop::sample::Index>());
    let early = prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec((0..4_u64, 1..900_u64), 1..20)];
    let what = (anywhere, last, ceiling, lengths, early);
    let commit = (what, carry, chance(20), chance(10)).prop_map(|(what, carry, fails, reopens)| {
        let (frees, frees_last, ceiling, lengths, early) = what;
        Commit { frees, frees_last, ceiling, lengths, early, carry, fails, reopens }
    });
    prop::collection::vec(commit, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_read_is_what_is_free(high_water in 300..30_000_u64, step in 1..5_usize, commits in commits()) {
        let mut file = File::new(high_water, step);
        for commit in &commits {
            file.commit(commit);
            if commit.reopens {
                file.reopen();
            }
        }
    }
}

/// So many commits of a few pages each, at random places.
fn small_commits(file: &mut File, count: usize) -> Vec<usize> {
    let mut random = 7_u64;
    let mut index = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let mut pages: Vec<u64> = file.tree.iter().copied().filter(|&page| page != file.meta.root).collect();
    let mut commit = || {
        let frees: Vec<u64> = (0..4).map(|_| pages.swap_remove(index() % pages.len())).collect();
        let tx = TxId::new(file.meta.tx + 1);
        file.space.retire(&[TxId::new(file.meta.tx)]).unwrap();
        let spans: Vec<Span> = frees.iter().map(|&page| page_span(page, 1).unwrap()).collect();
        file.space.free(tx, &spans).unwrap();
        let placed = file.space.place(tx, &vec![1; frees.len()]).unwrap();
        let written = file.space.write(tx, Carry::Log).unwrap();
        for (page, bytes) in written.images() {
            file.store.write_at(page * u64::from(PAGE), &[IoSlice::new(bytes)]).unwrap();
        }
        assert!(frees.iter().all(|page| file.tree.remove(page)));
        pages.extend(&placed);
        file.tree.extend(placed);
        file.meta = Meta { tx: tx.get(), extension: written.extension(), ..file.meta };
        assert_eq!(file.space.planned_high_water(), file.meta.high_water, "there is room");
        file.space.commit(tx, &written);
        written.images().len()
    };
    (0..count).map(|_| commit()).collect()
}

/// The log stays short, no commit writes more than a few pages, and most write none.
#[test]
fn no_commit_writes_all() {
    let mut file = File::new(200_000, 2);
    let first = small_commits(&mut file, 1)[0];
    assert_eq!(first, 26, "25 regions and the index");
    let pages = small_commits(&mut file, 6000);
    let regions = usize::try_from(200_000_u64.div_ceil(1008 * 8)).unwrap();
    assert!(pages.iter().all(|&pages| pages <= 4), "{:?}", pages.iter().max());
    assert!(pages.iter().filter(|&&pages| pages > 0).count() < 6000 / 8);
    assert!(pages.iter().sum::<usize>() < 6000 / 3, "{}", pages.iter().sum::<usize>());
    let log = file.space.log.as_ref().unwrap();
    assert!(log.pages.len() <= regions + 2, "{} log pages", log.pages.len());
    let (space, walked) = load(&file.store, &file.meta);
    assert!(!walked && listed(&space) == listed(&file.space));
}

/// Each byte of each page of the log counts, and each bit of a page that was written over is noticed.
#[test]
fn a_page_that_is_another_is_noticed() {
    let mut file = File::new(20_000, 2);
    small_commits(&mut file, 400);
    let own = file.space.log.as_ref().unwrap().own_pages();
    assert!(file.space.log.as_ref().unwrap().pages.len() > 1, "there are log pages of each age");
    for page in own.into_iter().flat_map(Span::pages).map(PageId::get) {
        for at in (0..u64::from(PAGE)).step_by(37) {
            let mut byte = [0];
            file.store.read_at(page * u64::from(PAGE) + at, &mut byte).unwrap();
            file.store.write_at(page * u64::from(PAGE) + at, &[IoSlice::new(&[byte[0] ^ 4])]).unwrap();
            let (space, walked) = load(&file.store, &file.meta);
            assert!(walked, "byte {at} of page {page}");
            assert!(matches!(space.origin().0, FreelistOrigin::LogLost(_)));
            file.store.write_at(page * u64::from(PAGE) + at, &[IoSlice::new(&byte)]).unwrap();
        }
    }
    assert!(!load(&file.store, &file.meta).1);
}
