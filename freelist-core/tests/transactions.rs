//! The transactional free list beside a model that knows of every page who allocated and who freed
//! it: which pages come back, when, and what rollback restores.

#[macro_use]
extern crate kv_testkit;

mod model;

use std::collections::BTreeMap;

use freelist_core::{FreeSpans, Freelist, FreelistError, PageId, Request, SortedArray, Span, SpanMaps, TxId};
use model::{Dice, Fit, Model, span};

/// Pages below `end` are free, pending, or in use.
#[derive(Clone, Debug)]
struct Store {
    free: Model,
    /// Each pending page: who allocated it, who freed it.
    pending: BTreeMap<u64, (u64, u64)>,
    /// Each page that is in use: who allocated it.
    used: BTreeMap<u64, u64>,
    end: u64,
}

impl Store {
    fn new(fit: Fit, end: u64) -> Self {
        let used = (0..end).map(|page| (page, 0)).collect();
        Self { free: Model::new(fit), pending: BTreeMap::new(), used, end }
    }

    fn use_pages(&mut self, tx: u64, span: impl Into<Option<Span>>) {
        for page in span.into().into_iter().flat_map(Span::pages) {
            assert_eq!(self.used.insert(page.get(), tx), None);
        }
    }

    fn free(&mut self, tx: u64, span: Span) -> Result<(), FreelistError> {
        let taken = |page: &u64| self.free.pages.contains(page) || self.pending.contains_key(page);
        if let Some(page) = span.pages().find(|page| taken(&page.get())) {
            return Err(FreelistError::DoubleFree { page });
        }
        for page in span.pages().map(PageId::get) {
            let by = self.used.remove(&page).unwrap_or(0);
            self.pending.insert(page, (by, tx));
        }
        Ok(())
    }

    fn give_back(&mut self, tx: u64, span: Span) -> Result<(), FreelistError> {
        if let Some(page) = span.pages().find(|page| self.used.get(&page.get()) != Some(&tx)) {
            return Err(FreelistError::NotAllocated { page, tx: TxId::new(tx) });
        }
        for page in span.pages() {
            self.used.remove(&page.get());
        }
        self.free.release(span)
    }

    fn release_unseen(&mut self, readers: &[u64]) -> u64 {
        let seen = |by: u64, until: u64| readers.iter().any(|reader| (by..until).contains(reader));
        let unseen: Vec<u64> =
            self.pending.iter().filter(|(_, (by, until))| !seen(*by, *until)).map(|(page, _)| *page).collect();
        for page in &unseen {
            self.pending.remove(page);
            self.free.release(span(*page, 1)).unwrap();
        }
        unseen.len() as u64
    }

    fn listed(&self) -> Vec<Span> {
        let mut both = self.free.clone();
        both.pages.extend(self.pending.keys());
        both.spans()
    }
}

fn compare<S: FreeSpans>(list: &Freelist<S>, store: &Store, context: &str) {
    assert_eq!(list.free_pages(), store.free.pages.len() as u64, "{context}");
    assert_eq!(list.pending_pages(), store.pending.len() as u64, "{context}");
    let mut listed = Vec::new();
    list.for_each_span(&mut |span| {
        assert!((listed.len() as u64) < store.end, "{context}: more spans than pages");
        listed.push(span);
    });
    assert_eq!(listed, store.listed(), "{context}");
    for page in 0..store.end + 2 {
        assert_eq!(list.is_free(PageId::new(page)), store.free.pages.contains(&page), "{context}, page {page}");
        assert_eq!(list.is_pending(PageId::new(page)), store.pending.contains_key(&page), "{context}, page {page}");
    }
}

struct Run<S> {
    list: Freelist<S>,
    store: Store,
    dice: Dice,
    /// The number of the write transaction.
    tx: u64,
    readers: Vec<u64>,
}

impl<S: FreeSpans> Run<S> {
    fn tx(&self) -> TxId {
        TxId::new(self.tx)
    }

    fn change(&mut self) -> String {
        let (tx, pages) = (self.tx, 1 + self.dice.below(7));
        let somewhere = self.dice.below(self.store.end);
        let piece = span(somewhere, pages.min(self.store.end - somewhere));
        match self.dice.below(7) {
            0 | 1 => {
                let expected = self.store.free.allocate(Request::new(pages)).unwrap();
                assert_eq!(self.list.allocate(self.tx(), pages), Ok(expected));
                self.store.use_pages(tx, expected);
                format!("allocate {pages}: {expected:?}")
            }
            2 => {
                let expected = self.store.free.allocate_up_to(pages * 9).unwrap();
                assert_eq!(self.list.allocate_up_to(self.tx(), pages * 9), Ok(expected));
                self.store.use_pages(tx, expected);
                format!("up to {}: {expected:?}", pages * 9)
            }
            3 => {
                assert_eq!(self.list.give_back(self.tx(), piece), self.store.give_back(tx, piece), "{piece}");
                format!("give back {piece}")
            }
            _ => {
                assert_eq!(self.list.free(self.tx(), piece), self.store.free(tx, piece), "{piece}");
                format!("free {piece}")
            }
        }
    }

    fn open_or_close_readers(&mut self) {
        if self.dice.below(3) == 0 {
            self.readers.push(self.tx - 1);
        }
        if !self.readers.is_empty() && self.dice.below(3) == 0 {
            let at = usize::try_from(self.dice.below(self.readers.len() as u64)).unwrap();
            self.readers.swap_remove(at);
        }
    }

    fn transaction(&mut self, context: &str) {
        self.open_or_close_readers();
        let readers: Vec<TxId> = self.readers.iter().copied().map(TxId::new).collect();
        let released = self.store.release_unseen(&self.readers);
        assert_eq!(self.list.release_unseen(&readers), Ok(released), "{context}");
        compare(&self.list, &self.store, context);
        let before = self.store.clone();
        for _ in 0..self.dice.below(12) {
            let change = self.change();
            compare(&self.list, &self.store, &format!("{context}: {change}"));
        }
        self.open_or_close_readers();
        if self.dice.below(4) == 0 {
            assert_eq!(self.list.rollback(self.tx()), Ok(()));
            self.store = before;
        } else {
            self.list.commit(self.tx());
            assert_eq!(self.list.rollback(self.tx()), Ok(()), "nothing to undo");
            self.tx += 1;
        }
        compare(&self.list, &self.store, &format!("{context} ended"));
    }
}

fn random_histories<S: FreeSpans>(fit: Fit, make: impl Fn() -> S) {
    for seed in 1..40 {
        let mut store = Store::new(fit, 60);
        let mut list = Freelist::new(make());
        let loaded = [span(40, 9), span(5, 1), span(8, 12), span(20, 2)];
        list.load(loaded).unwrap();
        for piece in loaded {
            store.free.release(piece).unwrap();
            store.used.retain(|page, _| !piece.contains(PageId::new(*page)));
        }
        let mut run = Run { list, store, dice: Dice::new(seed), tx: 1, readers: Vec::new() };
        for step in 0..60 {
            run.transaction(&format!("seed {seed}, transaction {step}"));
        }
        run.readers.clear();
        run.list.release_unseen(&[]).unwrap();
        assert_eq!(run.list.pending_pages(), 0);
    }
}

#[test]
fn random_histories_over_span_maps() {
    random_histories(Fit::Best, SpanMaps::new);
}

#[test]
fn random_histories_over_the_sorted_array() {
    random_histories(Fit::First, SortedArray::new);
}

#[test]
fn either_set_serves_behind_a_box() {
    random_histories(Fit::Best, || -> Box<dyn FreeSpans> { Box::new(SpanMaps::new()) });
}

#[test]
fn pages_freed_between_two_readers_come_back() {
    let tx = TxId::new;
    let mut list = Freelist::new(SpanMaps::new());
    list.load([span(10, 1)]).unwrap();
    let readers = [tx(1), tx(4), tx(1)];
    // 2 writes page 10, and 3 replaces it: seen by states 2 only, and nobody reads that.
    list.release_unseen(&readers).unwrap();
    assert_eq!(list.allocate(tx(2), 1), Ok(Some(span(10, 1))));
    list.commit(tx(2));
    list.release_unseen(&readers).unwrap();
    list.free(tx(3), span(10, 1)).unwrap();
    list.free(tx(3), span(20, 1)).unwrap(); // old: the reader of 1 sees it
    list.commit(tx(3));
    assert_eq!(list.release_unseen(&readers), Ok(1));
    assert!(list.is_free(PageId::new(10)));
    assert!(list.is_pending(PageId::new(20)));
    assert_eq!(list.release_unseen(&[tx(4)]), Ok(1));
    assert!(list.is_free(PageId::new(20)));
}

#[test]
fn a_part_of_an_allocated_span_is_freed_with_its_allocator() {
    let tx = TxId::new;
    let mut list = Freelist::new(SpanMaps::new());
    list.release_unseen(&[tx(1)]).unwrap();
    list.load([span(100, 10)]).unwrap();
    assert_eq!(list.allocate(tx(2), 10), Ok(Some(span(100, 10))));
    list.commit(tx(2));
    list.release_unseen(&[tx(1)]).unwrap();
    for page in [103, 104, 109] {
        list.free(tx(3), span(page, 1)).unwrap();
    }
    list.free(tx(3), span(98, 4)).unwrap(); // two pages of unknown origin, two of transaction 2
    list.commit(tx(3));
    assert_eq!(list.release_unseen(&[tx(1)]), Ok(5));
    assert!(list.is_pending(PageId::new(99)) && list.is_free(PageId::new(101)));
}

#[test]
fn a_long_reader_holds_back_what_it_sees_until_it_is_gone() {
    let tx = TxId::new;
    let mut list = Freelist::new(SpanMaps::new());
    for number in 2..2000 {
        list.release_unseen(&[tx(1)]).unwrap();
        list.free(tx(number), span(number * 3, 1)).unwrap();
        list.commit(tx(number));
    }
    assert_eq!(list.pending_pages(), 1998);
    assert_eq!(list.release_unseen(&[tx(1999)]), Ok(1998));
    assert_eq!(list.pending_pages(), 0);
}

#[test]
fn misuse_is_an_error_and_changes_nothing() {
    let tx = TxId::new;
    let mut list = Freelist::new(SpanMaps::new());
    list.load([span(10, 5)]).unwrap();
    list.free(tx(1), span(30, 3)).unwrap();
    let double = |page| Err(FreelistError::DoubleFree { page: PageId::new(page) });
    assert_eq!(list.free(tx(1), span(32, 4)), double(32));
    assert_eq!(list.free(tx(1), span(8, 40)), double(10));
    assert_eq!(list.free(tx(1), span(25, 40)), double(30));
    assert_eq!(list.allocate(tx(1), 0), Err(FreelistError::EmptyRequest));
    assert_eq!(list.allocate_up_to(tx(1), 0), Err(FreelistError::EmptyRequest));
    let mine = list.allocate(tx(1), 2).unwrap().unwrap();
    let stranger = FreelistError::NotAllocated { page: mine.start(), tx: tx(2) };
    assert_eq!(list.give_back(tx(2), mine), Err(stranger));
    let beyond = span(mine.start().get(), 3);
    let not_mine = FreelistError::NotAllocated { page: mine.end(), tx: tx(1) };
    assert_eq!(list.give_back(tx(1), beyond), Err(not_mine));
    list.commit(tx(1));
    assert!(list.give_back(tx(1), mine).is_err(), "committed pages can have readers");
    assert_eq!((list.free_pages(), list.pending_pages()), (3, 3));
    assert_eq!(list.load([span(5, 3), span(9, 1), span(7, 1)]), double(7));
    assert_eq!((list.free_pages(), list.pending_pages()), (0, 0));
}

#[test]
fn without_readers_nothing_is_remembered() {
    let tx = TxId::new;
    let mut list = Freelist::new(SortedArray::new());
    list.load([span(0, 100_000)]).unwrap();
    let mut most = 0;
    for number in 1..500 {
        list.release_unseen(&[]).unwrap();
        let mine = list.allocate(tx(number), 20).unwrap().unwrap();
        list.commit(tx(number));
        list.release_unseen(&[]).unwrap();
        list.free(tx(number + 1), mine).unwrap();
        list.commit(tx(number + 1));
        most = most.max(list.memory_bytes());
    }
    assert!(most < 4096, "{most} bytes for a list that holds one span");
}
