//! A suite of checks for authors of a [`PageSource`], to run in a test.

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::page::PageId;
use crate::request::Request;
use crate::sorted_array::SortedArray;
use crate::source::PageSource;
use crate::span::Span;

/// Checks the contract of [`PageSource`] on new sources that `make` builds, all with the same number of
/// pages. Give them at least a hundred pages: with fewer the checks find little.
///
/// The suite does not check the behaviour after an error, since it does not know how to make your
/// source fail.
///
/// ```
/// use freelist_core::{FixedRange, PageId, Span, conformance};
///
/// let range = Span::new(PageId::new(7), 500)?;
/// conformance::page_source(|| FixedRange::new(range));
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
///
/// # Panics
/// If the source breaks the contract. The message says how.
pub fn page_source<P: PageSource>(make: impl Fn() -> P) {
    pages_are_new_and_enough(make());
    requests_are_met(&make);
    exhaustion_is_not_an_error(make());
    pages_given_back_come_again(make());
    parts_are_taken_back(&make);
    what_is_refused_changes_nothing(&make);
}

/// The pages that the source has supplied, each once.
#[derive(Default)]
struct Handed(SortedArray);

impl Handed {
    fn add(&mut self, span: impl Into<Option<Span>>) {
        let Some(span) = span.into() else { return };
        match self.0.release(span) {
            Err(FreelistError::DoubleFree { page }) => panic!("page {page} was handed out twice"),
            other => other.expect("memory for the suite"),
        }
    }
}

fn grow<P: PageSource>(source: &mut P, request: Request) -> Option<Span> {
    let grown = source.grow(request).expect("the source grows without an error");
    if let Some(span) = grown {
        assert!(request.fit(span).is_some(), "asked for {request:?}, the source handed out {span}");
    }
    grown
}

fn pages_are_new_and_enough<P: PageSource>(mut source: P) {
    let mut handed = Handed::default();
    for pages in [1, 1, 2, 7, 1, 16, 3] {
        handed.add(grow(&mut source, Request::new(pages)));
    }
}

fn requests_are_met<P: PageSource>(make: &impl Fn() -> P) {
    for align in [2, 8, 64] {
        let mut source = make();
        let mut handed = Handed::default();
        for pages in [1, 3, 8] {
            let request = Request::new(pages).aligned_to(align);
            handed.add(grow(&mut source, request));
        }
    }
    let Some(first) = grow(&mut make(), Request::new(8)) else { return };
    let window = first.prefix(4).expect("four pages");
    grow(&mut make(), Request::new(4).within(window));
    let impossible = Request::new(5).within(window);
    assert_eq!(grow(&mut make(), impossible), None, "a window of 4 pages has no 5");
}

fn exhaustion_is_not_an_error<P: PageSource>(mut source: P) {
    let mut handed = Handed::default();
    assert_eq!(grow(&mut source, Request::new(u64::MAX)), None, "nobody has all pages there are");
    // After a refusal smaller requests are met as before.
    for _ in 0..1000 {
        match grow(&mut source, Request::new(3)) {
            Some(span) => handed.add(span),
            None => break,
        }
    }
}

fn pages_given_back_come_again<P: PageSource>(mut source: P) {
    let mut handed = Handed::default();
    for pages in [4, 2, 6] {
        handed.add(grow(&mut source, Request::new(pages)));
    }
    let mut tries: Vec<Span> = Vec::new();
    handed.0.for_each_span(&mut |span| tries.push(span));
    for span in tries.into_iter().rev() {
        give_back(&mut source, &mut handed, span);
    }
    if let Some(stranger) = stranger(&handed) {
        assert!(!source.shrink(stranger).unwrap_or(false), "took back a page that it never had");
    }
    for _ in 0..4 {
        handed.add(grow(&mut source, Request::new(2)));
    }
}

/// The front, the middle and the end of the span supplied last.
fn parts_are_taken_back<P: PageSource>(make: &impl Fn() -> P) {
    for (skipped, pages) in [(0, 4), (4, 4), (8, 4), (1, 11)] {
        let mut source = make();
        let mut handed = Handed::default();
        handed.add(grow(&mut source, Request::new(3)));
        let Some(last) = grow(&mut source, Request::new(12)) else { return };
        handed.add(last);
        // From 12 pages before its end: the span may be longer than requested.
        let start = last.end().checked_sub(12 - skipped).expect("a span of 12 pages");
        give_back(&mut source, &mut handed, Span::new(start, pages).expect("a part of it"));
        for _ in 0..12 {
            handed.add(grow(&mut source, Request::new(1)));
        }
    }
}

/// A source that refused has as many pages as one that was never asked.
fn what_is_refused_changes_nothing<P: PageSource>(make: &impl Fn() -> P) {
    let supply = |annoy: &dyn Fn(&mut P, &Handed)| {
        let (mut source, mut handed) = (make(), Handed::default());
        for _ in 0..1000 {
            annoy(&mut source, &handed);
            let Some(span) = grow(&mut source, Request::new(1)) else { break };
            handed.add(span);
        }
        handed.0.free_pages()
    };
    let untouched = supply(&|_, _| ());
    let after_none = supply(&|source, _| {
        assert_eq!(grow(source, Request::new(u64::MAX)), None, "nobody has all pages there are");
    });
    assert_eq!(after_none, untouched, "pages are missing or too many after the source had none");
    let after_shrink = supply(&|source, handed| {
        let refused = stranger(handed).is_none_or(|page| !source.shrink(page).unwrap_or(false));
        assert!(refused, "took back a page that it never had");
    });
    assert_eq!(after_shrink, untouched, "pages are missing or too many after the source took none back");
}

fn give_back<P: PageSource>(source: &mut P, handed: &mut Handed, span: Span) {
    if source.shrink(span).expect("the source shrinks without an error") {
        handed.0.take(span).expect("it was handed out");
    }
}

/// A page that the source has not supplied, as far away as possible.
fn stranger(handed: &Handed) -> Option<Span> {
    let page = Span::single(PageId::new(u64::MAX - 1)).ok()?;
    (!handed.0.contains(page.start())).then_some(page)
}
