//! Both sets of free spans beside a naive one: every answer and every count, after every call.

#[macro_use]
extern crate kv_testkit;

mod model;

use freelist_core::{BitSpans, FreeSpans, FreelistError, PageId, Request, SortedArray, Span, SpanMaps, Spans};
use model::{Dice, Fit, Model, span};

/// Everything that can be asked about a set, compared with the model.
fn compare(set: &dyn FreeSpans, model: &Model, pages: impl Iterator<Item = u64>) {
    let spans = model.spans();
    let mut seen = Vec::new();
    set.for_each_span(&mut |span| {
        assert!(seen.len() <= spans.len(), "more free spans than there are: {seen:?}");
        seen.push(span);
    });
    assert_eq!(seen, spans);
    assert_eq!(set.free_pages(), model.pages.len() as u64);
    assert_eq!(set.free_spans(), spans.len() as u64);
    assert_eq!(set.largest(), spans.iter().map(|span| span.len()).max().unwrap_or(0));
    assert_eq!(set.statistics(), spans.iter().copied().collect());
    for page in pages {
        let page = PageId::new(page);
        assert_eq!(set.contains(page), model.pages.contains(&page.get()));
        assert_eq!(set.next_span(page), spans.iter().find(|span| span.end() > page).copied());
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Allocate(u64),
    Where(Request),
    UpTo(u64),
    Take(Span),
    Release(Span),
}

fn call(set: &mut dyn FreeSpans, call: Call) -> Result<Option<Span>, FreelistError> {
    match call {
        Call::Allocate(pages) => set.allocate(pages),
        Call::Where(request) => {
            let found = set.find(request);
            let taken = set.allocate_where(request);
            assert_eq!(found, taken, "find tells what allocate_where takes");
            taken
        }
        Call::UpTo(pages) => set.allocate_up_to(pages),
        Call::Take(span) => set.take(span).map(|()| None),
        Call::Release(span) => set.release(span).map(|()| None),
    }
}

fn call_model(model: &mut Model, call: Call) -> Result<Option<Span>, FreelistError> {
    match call {
        Call::Allocate(pages) => model.allocate(Request::new(pages)),
        Call::Where(request) => model.allocate(request),
        Call::UpTo(pages) => model.allocate_up_to(pages),
        Call::Take(span) => model.take(span).map(|()| None),
        Call::Release(span) => model.release(span).map(|()| None),
    }
}

/// Runs every program of `depth` calls out of `calls`.
fn every_program(calls: &[Call], depth: u32, make: &dyn Fn() -> (Box<dyn FreeSpans>, Model)) {
    let programs = calls.len().pow(depth);
    for program in 0..programs {
        let (mut set, mut model) = make();
        let mut rest = program;
        for _ in 0..depth {
            let next = calls[rest % calls.len()];
            rest /= calls.len();
            assert_eq!(call(&mut set, next), call_model(&mut model, next), "{next:?} in program {program}");
        }
        compare(&set, &model, 508..520);
    }
}

/// Spans that meet, overlap and cross the edge of a block of 512 pages.
fn small_calls() -> Vec<Call> {
    let mut calls = vec![Call::Allocate(1), Call::Allocate(2), Call::Allocate(3), Call::UpTo(4)];
    for (start, len) in [(509, 2), (510, 1), (511, 1), (511, 2), (512, 1), (513, 3), (514, 1)] {
        calls.push(Call::Release(span(start, len)));
    }
    calls.extend([(510, 3), (511, 1), (512, 1)].map(|(start, len)| Call::Take(span(start, len))));
    calls.push(Call::Where(Request::new(1).aligned_to(2)));
    calls.push(Call::Where(Request::new(2).aligned_to(2)));
    calls
}

#[test]
fn every_small_program_on_span_maps() {
    every_program(&small_calls(), 4, &|| (Box::new(SpanMaps::new()), Model::new(Fit::Best)));
}

#[test]
fn every_small_program_on_the_sorted_array() {
    every_program(&small_calls(), 4, &|| (Box::new(SortedArray::new()), Model::new(Fit::First)));
}

fn window(dice: &mut Dice, base: u64, pages: u64) -> Span {
    let start = base + dice.below(pages);
    span(start, (1 + dice.below(pages)).min(u64::MAX - start))
}

fn random_request(dice: &mut Dice, base: u64, pages: u64) -> Request {
    let mut request = Request::new(1 + dice.below(9));
    if dice.below(2) == 0 {
        request = request.aligned_to(1 << dice.below(5));
    }
    if dice.below(3) == 0 {
        request = request.within(window(dice, base, pages));
    }
    request
}

fn random_programs(fit: Fit, make: &dyn Fn() -> Box<dyn FreeSpans>) {
    // The lowest pages, the highest, and the middle of a machine's memory.
    for base in [0, 0x8000_0000 - 700, u64::MAX - 1500] {
        for seed in 1..25 {
            let mut dice = Dice::new(seed);
            let (mut set, mut model) = (make(), Model::new(fit));
            let pages = dice.pick(&[40, 400, 1500]);
            for step in 0..1200 {
                let start = base + dice.below(pages);
                let len = 1 + dice.below(12).min(base + pages - 1 - start);
                let next = match dice.below(if step < 700 { 12 } else { 7 }) {
                    0 | 1 => Call::Allocate(1 + dice.below(6)),
                    2 => Call::UpTo(1 + dice.below(60)),
                    3 => Call::Where(random_request(&mut dice, base, pages)),
                    4 => Call::Take(span(start, len)),
                    _ => Call::Release(span(start, len)),
                };
                let context = format!("{next:?}, step {step}, base {base}, seed {seed}");
                assert_eq!(call(&mut set, next), call_model(&mut model, next), "{context}");
                if step % 16 == 0 {
                    compare(&set, &model, start.saturating_sub(8)..start.saturating_add(8));
                }
            }
            let windows = (0..20).map(|_| window(&mut dice, base, pages));
            for window in windows {
                let inside: Vec<Span> = Spans::within(&set, window).collect();
                let cut = model.spans().into_iter().filter_map(|span| span.intersection(window));
                assert_eq!(inside, cut.collect::<Vec<_>>());
            }
            set.clear();
            assert_eq!((set.free_pages(), set.free_spans(), set.largest()), (0, 0, 0));
            assert_eq!(set.next_span(PageId::new(0)), None);
        }
    }
}

#[test]
fn random_programs_on_span_maps() {
    random_programs(Fit::Best, &|| Box::new(SpanMaps::new()));
}

#[test]
fn random_programs_on_the_sorted_array() {
    random_programs(Fit::First, &|| Box::new(SortedArray::new()));
}

/// Bits of many kinds: single pages, runs of some words, whole blocks, blocks without any, a run up to the last bit.
fn random_words(dice: &mut Dice) -> Vec<u64> {
    let mut words = Vec::new();
    for _ in 0..dice.below(12) {
        let kind = dice.below(6);
        for _ in 0..dice.pick(&[1, 3, 8, 20]) {
            let random = dice.below(u64::MAX);
            words.push(match kind {
                0 => 0,
                1 => u64::MAX,
                2 => 0x5555_5555_5555_5555,
                3 => random & dice.below(u64::MAX) & dice.below(u64::MAX),
                4 => random | dice.below(u64::MAX),
                _ => random,
            });
        }
    }
    words
}

/// A set that was given bits has the pages of these bits, and goes on like one that was given its spans.
fn bits_are_pages(fit: Fit, make: &dyn Fn() -> Box<dyn FreeSpans>) {
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let words = random_words(&mut dice);
        let (mut set, mut model) = (make(), Model::new(fit));
        let is_set = |page: &u64| words[usize::try_from(page / 64).unwrap()] >> (page % 64) & 1 == 1;
        model.pages.extend((0..64 * words.len() as u64).filter(is_set));
        assert_eq!(BitSpans::new(words.iter().copied()).collect::<Vec<_>>(), model.spans());
        if seed % 4 == 0 {
            // The set is not empty; what it has may touch what comes.
            let before = span(64 * words.len() as u64 + dice.below(3), 5);
            assert_eq!(set.release(before), model.release(before));
        }
        set.release_bits(&mut words.iter().copied()).unwrap();
        let edges = model.spans().into_iter().flat_map(|span| [span.start().get(), span.end().get()]);
        compare(&set, &model, edges.take(200));
        for step in 0..60 {
            let piece = span(dice.below(64 * words.len() as u64 + 3), 1 + dice.below(70));
            let next = match dice.below(4) {
                0 => Call::Allocate(1 + dice.below(40)),
                1 => Call::Take(piece),
                _ => Call::Release(piece),
            };
            assert_eq!(call(&mut set, next), call_model(&mut model, next), "{next:?}, step {step}, seed {seed}");
        }
        compare(&set, &model, 0..2);
    }
}

#[test]
fn bits_are_pages_of_span_maps() {
    bits_are_pages(Fit::Best, &|| Box::new(SpanMaps::new()));
}

#[test]
fn bits_are_pages_of_the_sorted_array() {
    bits_are_pages(Fit::First, &|| Box::new(SortedArray::new()));
}

#[test]
fn the_three_maps_agree_with_the_spans() {
    let mut dice = Dice::new(7);
    let (mut set, mut model) = (SpanMaps::new(), Model::new(Fit::Best));
    for _ in 0..2000 {
        let piece = span(dice.below(1500), 1 + dice.below(5));
        assert_eq!(set.release(piece), model.release(piece));
        if dice.below(3) == 0 {
            assert_eq!(set.allocate(2), model.allocate(Request::new(2)));
        }
    }
    let spans = model.spans();
    for page in (0..1510).map(PageId::new) {
        let starting = spans.iter().find(|span| span.start() == page);
        assert_eq!(set.forward_map(page), starting.map(|span| span.len()));
        let ending = spans.iter().find(|span| span.last() == page);
        assert_eq!(set.backward_map(page), ending.map(|span| span.len()));
    }
    for (len, count) in set.lengths() {
        assert_eq!(count, spans.iter().filter(|span| span.len() == len).count() as u64);
    }
    assert_eq!(set.lengths().map(|(_, count)| count).sum::<u64>(), set.free_spans());
    assert_eq!(set.iter().collect::<Vec<_>>(), spans);
}

/// Spans of 2 pages at odd pages, in which no 2 pages begin at a multiple of 4: more than are tried one by one.
fn tight_spans() -> SpanMaps {
    let mut set = SpanMaps::new();
    for index in 0..40 {
        set.release(span(4 * index + 1, 2)).unwrap();
    }
    set
}

#[test]
fn an_aligned_request_tries_a_few_tight_spans_then_one_that_is_long_enough_then_all() {
    let request = Request::new(2).aligned_to(4);
    let (lucky, certain) = (span(1000, 2), span(2001, 5));
    // A tight span that fits is taken, if it is among the first.
    let mut set = SpanMaps::new();
    set.release_all(&mut [certain, lucky].into_iter()).unwrap();
    assert_eq!(set.allocate_where(request), Ok(Some(lucky)));

    // After 32 tight spans that do not fit, a span is cut that is long enough wherever it begins.
    let mut set = tight_spans();
    set.release_all(&mut [lucky, certain].into_iter()).unwrap();
    assert_eq!(set.allocate_where(request), Ok(Some(span(2004, 2))));
    assert!(set.contains(lucky.start()));

    // If there is none, the search goes on among the tight ones.
    let mut set = tight_spans();
    set.release(lucky).unwrap();
    assert_eq!(set.allocate_where(request), Ok(Some(lucky)));
    assert_eq!(set.allocate_where(request), Ok(None));
    assert_eq!(set.free_spans(), 40);
}

#[test]
fn no_argument_panics_or_overflows() {
    for set in [&mut SpanMaps::new() as &mut dyn FreeSpans, &mut SortedArray::new()] {
        let (all, top) = (span(0, u64::MAX), span(u64::MAX - 1, 1));
        assert_eq!(set.allocate(0), Err(FreelistError::EmptyRequest));
        assert_eq!(set.allocate_up_to(0), Err(FreelistError::EmptyRequest));
        for align in [0, 3, u64::MAX] {
            let request = Request::new(1).aligned_to(align);
            assert_eq!(set.allocate_where(request), Err(FreelistError::InvalidAlignment { pages: align }));
        }
        for pages in [1, 2, u64::MAX] {
            assert_eq!(set.allocate(pages), Ok(None));
            assert_eq!(set.allocate_up_to(pages), Ok(None));
        }
        assert_eq!(set.take(all), Err(FreelistError::NotFree { page: PageId::new(0) }));
        set.release(all).unwrap();
        assert_eq!(set.release(all), Err(FreelistError::DoubleFree { page: PageId::new(0) }));
        assert_eq!(set.release(top), Err(FreelistError::DoubleFree { page: top.start() }));
        assert_eq!(set.next_span(PageId::new(u64::MAX)), None);
        assert!(!set.contains(PageId::new(u64::MAX)));
        assert!(set.contains(top.start()));
        let half = Request::new(1).aligned_to(1 << 63);
        assert_eq!(set.allocate_where(half.within(span(1, u64::MAX - 1))), Ok(Some(span(1 << 63, 1))));
        set.release(span(1 << 63, 1)).unwrap();
        assert_eq!(set.largest(), u64::MAX);
        assert_eq!(set.allocate(u64::MAX), Ok(Some(all)));
        set.release(top).unwrap();
        set.release(span(0, 1)).unwrap();
        assert_eq!(set.statistics().free_pages, 2);
        assert_eq!(set.free_spans(), 2);
        assert_eq!(set.next_span(PageId::new(1)), Some(top));
    }
}

#[test]
fn an_error_names_the_page() {
    for set in [&mut SpanMaps::new() as &mut dyn FreeSpans, &mut SortedArray::new()] {
        set.release(span(100, 10)).unwrap();
        let double = |page| Err(FreelistError::DoubleFree { page: PageId::new(page) });
        assert_eq!(set.release(span(105, 1)), double(105));
        assert_eq!(set.release(span(90, 11)), double(100));
        assert_eq!(set.release(span(50, 500)), double(100));
        assert_eq!(set.release(span(109, 5)), double(109));
        let used = |page| Err(FreelistError::NotFree { page: PageId::new(page) });
        assert_eq!(set.take(span(99, 2)), used(99));
        assert_eq!(set.take(span(105, 6)), used(110));
        assert_eq!(set.take(span(110, 1)), used(110));
        assert_eq!(Spans::new(set).collect::<Vec<_>>(), [span(100, 10)]);
        assert_eq!(set.first_free(span(0, 100)), None);
        assert_eq!(set.first_free(span(0, 101)), Some(PageId::new(100)));
        assert_eq!(set.first_free(span(107, 50)), Some(PageId::new(107)));
    }
}

#[test]
fn spans_added_together_merge_with_what_is_there_and_with_each_other() {
    fn check(mut set: impl FreeSpans) {
        set.release(span(5, 5)).unwrap();
        set.release_all(&mut [span(10, 2), span(12, 1), span(20, 1), span(1000, 3), span(1003, 1)].into_iter())
            .unwrap();
        let mut found = Vec::new();
        set.for_each_span(&mut |span| found.push(span));
        assert_eq!(found, [span(5, 8), span(20, 1), span(1000, 4)]);
    }
    check(SpanMaps::new());
    check(SortedArray::new());
}
