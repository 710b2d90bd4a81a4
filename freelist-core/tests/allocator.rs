//! The allocator and its sources: free pages first, new ones only when none fit, and a source that
//! breaks its promises is told so.
#![cfg(feature = "conformance")]

#[macro_use]
extern crate kv_testkit;

mod model;

use std::error::Error;

use freelist_core::{
    AllocError, FixedRange, FreeSpans, FreelistError, NoPages, PageAllocator, PageId, PageSource, Ranges, Request,
    Span, SpanMaps, TxId, conformance,
};
use model::{Dice, span};

/// A file that grows by a fixed step, and fails on demand.
#[derive(Default)]
struct GrowingFile {
    pages: u64,
    step: u64,
    broken: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct DiskFull;

impl std::fmt::Display for DiskFull {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("disk full")
    }
}

impl Error for DiskFull {}

impl PageSource for GrowingFile {
    type Error = DiskFull;

    fn grow(&mut self, request: Request) -> Result<Option<Span>, DiskFull> {
        if self.broken {
            return Err(DiskFull);
        }
        let Some(limit) = Span::between(PageId::new(self.pages), PageId::new(1 << 40)) else { return Ok(None) };
        let Some(fit) = request.fit(limit) else { return Ok(None) };
        let end = fit.end().get().next_multiple_of(self.step.max(1));
        let grown = Span::between(PageId::new(self.pages), PageId::new(end));
        self.pages = end;
        Ok(grown)
    }

    fn shrink(&mut self, free: Span) -> Result<bool, DiskFull> {
        let last = free.end().get() == self.pages;
        if last {
            self.pages = free.start().get();
        }
        Ok(last)
    }
}

#[test]
fn every_source_here_conforms() {
    conformance::page_source(|| NoPages);
    conformance::page_source(|| FixedRange::new(span(3, 777)));
    conformance::page_source(|| FixedRange::new(span(u64::MAX - 300, 300)));
    conformance::page_source(|| Ranges::new([span(500, 40), span(0x8_0000, 9), span(9, 100)]).unwrap());
    conformance::page_source(|| GrowingFile { step: 16, ..GrowingFile::default() });
}

/// One way of breaking the contract.
#[derive(Clone, Copy, Debug)]
enum Lie {
    SamePages,
    TooFew,
    NotAligned,
    OutsideWindow,
    LosesPagesWhenItHasNone,
    TakesStrangers,
    ForgetsWhatItTookBack,
    TakesTooMuchBack,
}

/// A range of pages but for its lie.
struct Liar(FixedRange, Lie);

impl Liar {
    fn new(lie: Lie) -> Self {
        Self(FixedRange::new(span(1001, 500)), lie)
    }
}

impl PageSource for Liar {
    type Error = std::convert::Infallible;

    fn grow(&mut self, request: Request) -> Result<Option<Span>, Self::Error> {
        let plain = Request::new(request.pages());
        match self.1 {
            Lie::SamePages => Ok(Some(span(5, 1000))),
            Lie::TooFew => self.0.grow(Request::new(1)),
            Lie::NotAligned if request.alignment() > 1 => self.0.grow(plain),
            Lie::OutsideWindow if request.window().is_some() => {
                self.0.grow(plain)?;
                self.0.grow(plain)
            }
            Lie::LosesPagesWhenItHasNone => {
                let grown = self.0.grow(request)?;
                if grown.is_none() {
                    self.0.grow(Request::new(1))?;
                }
                Ok(grown)
            }
            _ => self.0.grow(request),
        }
    }

    fn shrink(&mut self, free: Span) -> Result<bool, Self::Error> {
        match self.1 {
            Lie::TakesStrangers => Ok(self.0.shrink(free)? || free.start().get() > 2000),
            Lie::ForgetsWhatItTookBack if free.start().get() > 2000 => {
                self.0 = FixedRange::new(span(1001, 500));
                Ok(false)
            }
            Lie::TakesTooMuchBack if free.start().get() < 2000 => {
                let behind = self.0.rest().map_or(free.end(), Span::start);
                self.0.shrink(Span::between(free.start(), behind).unwrap())
            }
            _ => self.0.shrink(free),
        }
    }
}

#[test]
#[cfg_attr(not(panic = "unwind"), ignore = "it catches panics, which end the program on this target")]
fn the_suite_finds_sources_that_break_the_contract() {
    for (lie, finding) in [
        (Lie::SamePages, "was handed out twice"),
        (Lie::TooFew, "the source handed out"),
        (Lie::NotAligned, "the source handed out"),
        (Lie::OutsideWindow, "the source handed out"),
        (Lie::LosesPagesWhenItHasNone, "after the source had none"),
        (Lie::TakesStrangers, "took back a page that it never had"),
        (Lie::ForgetsWhatItTookBack, "was handed out twice"),
        (Lie::TakesTooMuchBack, "was handed out twice"),
    ] {
        let checked = std::panic::catch_unwind(|| conformance::page_source(|| Liar::new(lie)));
        let found = checked.expect_err("a lie that is not noticed");
        let told = found.downcast_ref::<String>().cloned();
        let told = told.or_else(|| found.downcast_ref::<&str>().map(ToString::to_string)).unwrap();
        assert!(told.contains(finding), "{lie:?}: {told}");
    }
}

#[test]
fn the_last_free_pages_and_new_ones_meet_a_request_together() {
    let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(span(10, 10)));
    assert_eq!(pages.allocate(6), Ok(Some(span(10, 6))));
    pages.release(span(11, 5)).unwrap();
    assert_eq!(pages.allocate(10), Ok(None), "there are 9");
    assert_eq!(pages.list().free_pages(), 5, "as before");
    let aligned = pages.allocate_where(Request::new(8).aligned_to(4));
    assert_eq!(aligned, Ok(Some(span(12, 8))));
    assert_eq!(pages.list().free_pages(), 1);
    assert_eq!(pages.source().rest(), None);
}

#[test]
fn ranges_that_touch_take_back_what_was_merged() {
    let mut pages: PageAllocator<Ranges<3>> =
        PageAllocator::new(Ranges::new([span(10, 10), span(0, 10), span(40, 10)]).unwrap());
    let all: Vec<Span> = (0..3).map(|_| pages.allocate(10).unwrap().unwrap()).collect();
    assert_eq!(all, [span(10, 10), span(0, 10), span(40, 10)]);
    assert_eq!(pages.shrink(), Ok(0));
    pages.release(span(40, 10)).unwrap();
    pages.release(span(3, 17)).unwrap();
    assert_eq!(pages.shrink(), Ok(27));
    assert_eq!(pages.list().free_pages(), 0);
    assert_eq!(pages.allocate(7), Ok(Some(span(10, 7))));
    assert_eq!(pages.allocate(7), Ok(Some(span(3, 7))));
}

#[test]
fn free_pages_come_before_new_ones() {
    let mut pages: PageAllocator<_> = PageAllocator::new(GrowingFile { step: 8, ..GrowingFile::default() });
    assert_eq!(pages.allocate(3), Ok(Some(span(0, 3))));
    assert_eq!(pages.source().pages, 8);
    assert_eq!(pages.allocate(5), Ok(Some(span(3, 5))), "the rest of the step");
    assert_eq!(pages.source().pages, 8);
    pages.release(span(1, 2)).unwrap();
    assert_eq!(pages.allocate(3), Ok(Some(span(8, 3))));
    assert_eq!(pages.allocate(2), Ok(Some(span(1, 2))));
    let aligned = pages.allocate_where(Request::new(4).aligned_to(64));
    assert_eq!(aligned, Ok(Some(span(64, 4))));
    assert_eq!(pages.allocate(40), Ok(Some(span(11, 40))), "what alignment left out is free");
}

#[test]
fn the_end_goes_back_to_the_source() {
    let mut pages: PageAllocator<_> = PageAllocator::new(GrowingFile { step: 10, ..GrowingFile::default() });
    let all = pages.allocate(100).unwrap().unwrap();
    pages.release(span(20, 5)).unwrap();
    pages.release(span(60, 40)).unwrap();
    assert_eq!(pages.shrink(), Ok(40));
    assert_eq!(pages.source().pages, 60);
    assert_eq!(pages.list().free_pages(), 5);
    assert_eq!(pages.shrink(), Ok(0));
    assert_eq!(pages.allocate(6), Ok(Some(span(60, 6))));
    assert_eq!(all.len(), 100);
}

#[test]
fn an_error_of_the_source_loses_nothing() {
    let mut pages: PageAllocator<_> = PageAllocator::new(GrowingFile { step: 4, ..GrowingFile::default() });
    pages.allocate(1).unwrap();
    let broken = GrowingFile { pages: 4, step: 4, broken: true };
    let list = {
        let mut list = freelist_core::Freelist::new(SpanMaps::new());
        list.load([span(1, 3)]).unwrap();
        list
    };
    let mut pages = PageAllocator::with_list(list, broken);
    assert_eq!(pages.allocate(4), Err(AllocError::Source(DiskFull)));
    assert_eq!(pages.allocate(3), Ok(Some(span(1, 3))), "free pages are there all the same");
}

#[test]
fn each_error_in_a_chain_says_something_else() {
    let source = AllocError::Source(DiskFull);
    assert_eq!(source.to_string(), "the page source failed");
    assert_eq!(source.source().unwrap().to_string(), "disk full");
    let list: AllocError<DiskFull> = FreelistError::EmptyRequest.into();
    assert_eq!(list.to_string(), FreelistError::EmptyRequest.to_string());
    assert!(list.source().is_none());
}

#[test]
fn a_source_that_repeats_itself_is_named() {
    let mut pages: PageAllocator<_> = PageAllocator::new(Liar::new(Lie::SamePages));
    assert_eq!(pages.allocate(4), Ok(Some(span(5, 4))));
    let wrong = AllocError::Freelist(FreelistError::BadSource { page: PageId::new(9) });
    assert_eq!(pages.allocate(998), Err(wrong));
    assert_eq!(pages.list().free_pages(), 996, "as before");
    assert_eq!(pages.allocate(996), Ok(Some(span(9, 996))));
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_new_pages_free() {
    let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(span(0, 50)));
    let tx = TxId::new(3);
    let mine = pages.allocate_for(tx, 20).unwrap().unwrap();
    pages.list_mut().free(tx, span(30, 2)).unwrap();
    assert_eq!(pages.release(span(31, 1)), Err(FreelistError::DoubleFree { page: PageId::new(31) }));
    pages.list_mut().rollback(tx).unwrap();
    assert_eq!(pages.list().free_pages(), 20);
    assert_eq!(pages.list().pending_pages(), 0);
    assert_eq!(pages.list().spans().next_span(PageId::new(0)), Some(mine));
}

#[test]
fn pages_of_a_transaction_that_are_released_at_once_are_no_longer_its() {
    let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(span(0, 50)));
    let (one, two) = (TxId::new(1), TxId::new(2));
    let mine = pages.allocate_for(one, 20).unwrap().unwrap();
    pages.release(span(5, 3)).unwrap();
    assert_eq!(pages.allocate_for(two, 3), Ok(Some(span(5, 3))));
    let stranger = FreelistError::NotAllocated { page: PageId::new(5), tx: one };
    assert_eq!(pages.list_mut().give_back(one, mine), Err(stranger));
    pages.list_mut().rollback(one).unwrap();
    assert_eq!(pages.list().free_pages(), 17);
    pages.list_mut().rollback(two).unwrap();
    assert_eq!(pages.list().free_pages(), 20);
}

/// Calls in any order, of any transaction and on any pages, as no store makes them.
fn any_call(pages: &mut PageAllocator<FixedRange>, dice: &mut Dice) {
    let piece = span(dice.below(300), 1 + dice.below(9));
    let (tx, count) = (TxId::new(dice.below(6)), 1 + dice.below(12));
    let list = pages.list_mut();
    let _refused = match dice.below(12) {
        0 => list.allocate(tx, count).map(drop),
        1 => list.allocate_up_to(tx, count).map(drop),
        2 => list.give_back(tx, piece),
        3 | 4 => list.free(tx, piece),
        5 => list.release_unseen(&[TxId::new(dice.below(6)), tx]).map(drop),
        6 => list.rollback(tx),
        7 => {
            list.commit(tx);
            Ok(())
        }
        8 => pages.release(piece),
        9 => pages.allocate(count).map(drop).map_err(|_| FreelistError::EmptyRequest),
        10 => pages.allocate_for(tx, count).map(drop).map_err(|_| FreelistError::EmptyRequest),
        _ => pages.shrink().map(drop).map_err(|_| FreelistError::EmptyRequest),
    };
}

#[test]
fn calls_in_any_order_never_panic_and_no_page_is_free_and_pending() {
    for seed in 1..300 {
        let mut dice = Dice::new(seed);
        let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(span(20, 200)));
        for step in 0..200 {
            any_call(&mut pages, &mut dice);
            let list = pages.list();
            let mut listed = 0;
            list.for_each_span(&mut |span| listed += span.len());
            assert_eq!(listed, list.free_pages() + list.pending_pages(), "seed {seed}, step {step}");
            let both = (0..330).map(PageId::new).find(|page| list.is_free(*page) && list.is_pending(*page));
            assert_eq!(both, None, "seed {seed}, step {step}");
        }
    }
}

#[test]
fn ranges_must_not_overlap() {
    let overlap = Ranges::new([span(10, 5), span(30, 5), span(12, 20)]);
    assert_eq!(overlap, Err(FreelistError::DoubleFree { page: PageId::new(12) }));
}

#[test]
fn a_failed_transaction_gives_back_what_it_took_from_the_source() {
    let all = Span::new(PageId::new(2), 100).unwrap();
    let mut pages: PageAllocator<FixedRange> = PageAllocator::new(FixedRange::new(all));
    let first = pages.allocate(4).unwrap().unwrap();
    pages.release(Span::new(PageId::new(5), 1).unwrap()).unwrap();
    let keep = first.end();
    let tx = TxId::new(1);
    assert_eq!(pages.allocate_for(tx, 6), Ok(Some(Span::new(PageId::new(5), 6).unwrap())), "the free page first");
    pages.list_mut().rollback(tx).unwrap();
    assert_eq!(pages.shrink_to(keep), Ok(6), "all that came from the source");
    assert_eq!(pages.list().free_pages(), 1, "and not what was free before");
    assert_eq!(pages.allocate(1), Ok(Some(Span::new(PageId::new(5), 1).unwrap())));
}
