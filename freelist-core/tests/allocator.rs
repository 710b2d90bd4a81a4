//! The allocator and its sources: free pages first, new ones only when none fit, and a source that
//! breaks its promises is told so.
#![cfg(feature = "conformance")]

mod model;

use freelist_core::{
    AllocError, FixedRange, FreeSpans, FreelistError, NoPages, PageAllocator, PageId, PageSource, Ranges, Request,
    Span, SpanMaps, TxId, conformance,
};
use model::span;

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

impl std::error::Error for DiskFull {}

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

/// Breaks the contract in one way or another.
struct Liar(fn(u64) -> Span, u64);

impl PageSource for Liar {
    type Error = std::convert::Infallible;
    fn grow(&mut self, _request: Request) -> Result<Option<Span>, Self::Error> {
        self.1 += 1;
        Ok(Some((self.0)(self.1)))
    }
}

#[test]
#[cfg_attr(not(panic = "unwind"), ignore = "it catches panics, which end the program on this target")]
fn the_suite_finds_sources_that_break_the_contract() {
    let lies: [fn(u64) -> Span; 3] = [
        |_| span(5, 1000),                  // the same pages every time
        |call| span(call * 10, 1),          // too few
        |call| span(call * 1000 + 1, 1000), // neither aligned nor in the window, but enough
    ];
    for lie in lies.into_iter().take(2) {
        let checked = std::panic::catch_unwind(|| conformance::page_source(|| Liar(lie, 0)));
        assert!(checked.is_err());
    }
    let checked = std::panic::catch_unwind(|| conformance::page_source(|| Liar(lies[2], 0)));
    assert!(checked.is_err(), "a window is a part of the request");
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
    assert_eq!(AllocError::Source(DiskFull).to_string(), "page source: disk full");
}

#[test]
fn a_source_that_repeats_itself_is_named() {
    let mut pages: PageAllocator<_> = PageAllocator::new(Liar(|_| span(5, 10), 0));
    assert_eq!(pages.allocate(4), Ok(Some(span(5, 4))));
    let wrong = AllocError::Freelist(FreelistError::BadSource { page: PageId::new(9) });
    assert_eq!(pages.allocate(8), Err(wrong));
    assert_eq!(pages.list().free_pages(), 6, "as before");
    assert_eq!(pages.allocate(6), Ok(Some(span(9, 6))));
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
fn ranges_must_not_overlap() {
    let overlap = Ranges::new([span(10, 5), span(30, 5), span(12, 20)]);
    assert_eq!(overlap, Err(FreelistError::DoubleFree { page: PageId::new(12) }));
}
