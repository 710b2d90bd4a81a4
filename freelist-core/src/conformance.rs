//! A suite for authors of a [`PageSource`]: run it in a test of yours.

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::page::{PageId, Span};
use crate::request::Request;
use crate::sorted_array::SortedArray;
use crate::source::PageSource;

/// Checks the contract of [`PageSource`] on fresh sources that `make` builds. A source should have at
/// least a hundred pages, or the checks see little.
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
/// With what the source did wrong.
pub fn page_source<P: PageSource>(make: impl Fn() -> P) {
    pages_are_new_and_enough(make());
    requests_are_met(&make);
    exhaustion_is_not_an_error(make());
    pages_given_back_come_again(make());
}

/// Everything that was handed out, each page once.
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
        let taken = source.shrink(span).expect("the source shrinks without an error");
        if taken {
            handed.0.take(span).expect("it was handed out");
        }
    }
    let stranger = Span::single(PageId::new(u64::MAX - 1)).expect("a page");
    if !handed.0.contains(stranger.start()) {
        assert!(!source.shrink(stranger).unwrap_or(false), "took back a page that it never had");
    }
    for _ in 0..4 {
        handed.add(grow(&mut source, Request::new(2)));
    }
}
