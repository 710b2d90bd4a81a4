//! Sets of free pages when memory runs out: a program of calls is run with its first allocation failing, again with
//! its second, and so on until none fails. The call that is hit must say so and leave everything as it was; then it is
//! made again, and the rest of the program must go on as the model says. After reserving ahead nothing fails at all.

#[macro_use]
extern crate kv_testkit;

mod failing_heap;
mod model;

use std::collections::BTreeSet;

use failing_heap::{counted, exhausted, fail_nth, has_failed};
use freelist_core::{FreeSpans, FreelistError, PageId, Request, SortedArray, Span, SpanMaps, Spans, Statistics};
use model::{Dice, Fit, Model, span};

/// Every public call on a set that can fail.
#[derive(Clone, Debug)]
enum Call {
    Release(Span),
    ReleaseAll(Vec<Span>),
    ReleaseBits(Vec<Span>),
    Clear,
    Take(Span),
    Allocate(u64),
    AllocateWhere(Request),
    AllocateUpTo(u64),
    Reserve(u64, Span),
}

/// All but `clear`, which needs no memory.
const SET_CALLS: [&str; 8] =
    ["allocate", "allocate_up_to", "allocate_where", "release", "release_all", "release_bits", "reserve", "take"];

impl Call {
    fn name(&self) -> &'static str {
        match self {
            Self::Release(_) => "release",
            Self::ReleaseAll(_) => "release_all",
            Self::ReleaseBits(_) => "release_bits",
            Self::Clear => "clear",
            Self::Take(_) => "take",
            Self::Allocate(_) => "allocate",
            Self::AllocateWhere(_) => "allocate_where",
            Self::AllocateUpTo(_) => "allocate_up_to",
            Self::Reserve(..) => "reserve",
        }
    }

    /// A call that makes sense in the state of the model.
    fn any(dice: &mut Dice, model: &Model, favourite: u64) -> Self {
        let piece = anywhere(dice);
        let kind = if dice.below(3) == 0 { favourite } else { dice.below(8) };
        match kind {
            0 => Self::Allocate(1 + dice.below(30)),
            1 => Self::AllocateUpTo(1 + dice.below(300)),
            2 => Self::AllocateWhere(Request::new(1 + dice.below(9)).aligned_to(2 << dice.below(7))),
            3 if dice.below(6) == 0 => Self::Clear,
            4 => match many(dice, model) {
                few if few.last().is_some_and(|last| last.end().get() < 1 << 14) => Self::ReleaseBits(joined(few)),
                spans => Self::ReleaseAll(spans),
            },
            5 => Self::Reserve(model.spans().len() as u64 + dice.below(40), piece),
            6 if !model.pages.is_empty() => {
                let spans = model.spans();
                let found = spans[usize::try_from(dice.below(spans.len() as u64)).unwrap()];
                Self::Take(span(found.start().get() + found.len() / 2, 1 + dice.below(found.len().div_ceil(2))))
            }
            _ if model.is_in_use(piece) => Self::Release(piece),
            _ => Self::Allocate(1),
        }
    }

    fn on_set(&self, set: &mut impl FreeSpans) -> Result<Option<Span>, FreelistError> {
        match self {
            Self::Release(span) => set.release(*span).map(|()| None),
            Self::ReleaseAll(spans) => set.release_all(&mut spans.iter().copied()).map(|()| None),
            Self::ReleaseBits(spans) => set.release_bits(&mut words(spans)).map(|()| None),
            Self::Clear => {
                set.clear();
                Ok(None)
            }
            Self::Take(span) => set.take(*span).map(|()| None),
            Self::Allocate(pages) => set.allocate(*pages),
            Self::AllocateWhere(request) => set.allocate_where(*request),
            Self::AllocateUpTo(pages) => set.allocate_up_to(*pages),
            Self::Reserve(spans, window) => set.reserve(*spans, *window).map(|()| None),
        }
    }

    fn on_model(&self, model: &mut Model) -> Result<Option<Span>, FreelistError> {
        match self {
            Self::Release(span) => model.release(*span).map(|()| None),
            Self::ReleaseAll(spans) | Self::ReleaseBits(spans) => {
                spans.iter().try_for_each(|span| model.release(*span)).map(|()| None)
            }
            Self::Clear => {
                model.clear();
                Ok(None)
            }
            Self::Take(span) => model.take(*span).map(|()| None),
            Self::Allocate(pages) => model.allocate(Request::new(*pages)),
            Self::AllocateWhere(request) => model.allocate(*request),
            Self::AllocateUpTo(pages) => model.allocate_up_to(*pages),
            Self::Reserve(..) => Ok(None),
        }
    }
}

/// Dense pages, pages far apart, and long spans, so that every kind of map grows.
fn anywhere(dice: &mut Dice) -> Span {
    let base = dice.pick(&[0, 0, 0, 1 << 20, 1 << 40, u64::MAX - (1 << 20)]);
    let scale = dice.pick(&[1, 1, 3, 300]);
    span(base + dice.below(1500) * scale, 1 + dice.below(30) * (1 + scale / 50))
}

/// Spans in use in page order, mostly after all free ones; some touch.
fn many(dice: &mut Dice, model: &Model) -> Vec<Span> {
    let last = model.pages.last().filter(|last| **last < 1 << 50 && dice.below(4) > 0);
    let mut at = last.map_or(0, |last| last + dice.below(3));
    let (gap, longest) = (dice.pick(&[1, 3, 600, 5000]), dice.pick(&[1, 20, 200]));
    let spans = (0..=dice.below(12)).map(|_| {
        let next = span(at + dice.below(1 + gap), 1 + dice.below(longest));
        at = next.end().get();
        next
    });
    spans.collect::<Vec<Span>>().into_iter().filter(|span| model.is_in_use(*span)).collect()
}

/// Ascending spans, with those that touch as one.
fn joined(spans: Vec<Span>) -> Vec<Span> {
    let mut model = Model::new(Fit::First);
    for span in spans {
        model.release(span).unwrap();
    }
    model.spans()
}

/// Spans as bits. What goes through them needs no memory.
fn words(spans: &[Span]) -> impl Iterator<Item = u64> {
    let end = spans.last().map_or(0, |last| last.end().get());
    let bit = |page| u64::from(spans.iter().any(|span| span.contains(PageId::new(page))));
    (0..end.div_ceil(64)).map(move |word| (0..64).fold(0, |bits, at| bits | bit(64 * word + at) << at))
}

fn compare<S: FreeSpans>(set: &S, model: &Model, context: &dyn Fn() -> String) {
    let spans = model.spans();
    assert_eq!(Spans::new(set).collect::<Vec<Span>>(), spans, "{}", context());
    assert_eq!(set.free_pages(), model.pages.len() as u64, "{}", context());
    assert_eq!(set.free_spans(), spans.len() as u64, "{}", context());
    assert_eq!(set.statistics(), spans.iter().copied().collect::<Statistics>(), "{}", context());
    assert_eq!(set.largest(), set.statistics().largest, "{}", context());
    assert_eq!(set.last_span(), spans.last().copied(), "{}", context());
    for (index, span) in spans.iter().enumerate() {
        assert_eq!(set.next_span(span.last()), Some(*span), "{}", context());
        assert_eq!(set.next_span(span.end()), spans.get(index + 1).copied(), "{}", context());
    }
    for pages in (1..20).chain([40, 100, 700]) {
        let request = Request::new(pages);
        assert_eq!(set.find(request), Ok(model.find(request)), "{}", context());
    }
}

/// Memory ran out in a `release_all`: which of its spans are in? Brings the model to the same state.
fn catch_up<S: FreeSpans>(set: &S, model: &mut Model, spans: &[Span], context: &dyn Fn() -> String) -> Vec<Span> {
    let is_same = |model: &Model| Spans::new(set).eq(model.spans());
    let mut rest = spans;
    while !is_same(model) {
        let (first, others) = rest
            .split_first()
            .unwrap_or_else(|| panic!("{} left neither the state before nor a state between", context()));
        model.release(*first).unwrap();
        rest = others;
    }
    rest.to_vec()
}

/// Calls in a program.
const STEPS: u64 = 40;

/// Runs the program of `seed` with its `nth` allocation failing. Returns the name of the call that was hit.
fn run<S: FreeSpans>(mut set: S, fit: Fit, seed: u64, nth: u64) -> Option<&'static str> {
    let mut model = Model::new(fit);
    let mut dice = Dice::new(seed);
    let mut hit = None;
    fail_nth(nth);
    for step in 0..STEPS {
        let mut call = Call::any(&mut dice, &model, seed % 8);
        let context = || format!("seed {seed}, allocation {nth}, step {step}");
        let had_failed = has_failed();
        let mut result = counted(|| call.on_set(&mut set));
        if has_failed() && !had_failed {
            hit = Some(call.name());
            assert_eq!(result, Err(FreelistError::OutOfMemory), "{}: {call:?}", context());
            if let Call::ReleaseAll(spans) | Call::ReleaseBits(spans) = &mut call {
                *spans = catch_up(&set, &mut model, spans, &context);
            }
            compare(&set, &model, &context);
            result = call.on_set(&mut set);
        }
        assert_eq!(result, call.on_model(&mut model), "{}", context());
        if hit.is_some() && (step % 4 == 3 || step == STEPS - 1) {
            compare(&set, &model, &context);
        }
    }
    hit
}

/// Runs many programs with every allocation failing in its turn: which calls were hit?
fn run_all<S: FreeSpans>(make: impl Fn() -> S, fit: Fit) -> BTreeSet<&'static str> {
    let hits = |seed| (1..).map_while(|nth| run(make(), fit, seed, nth)).collect::<Vec<_>>();
    (1..65).flat_map(hits).collect()
}

#[test]
fn every_allocation_of_the_span_maps_may_fail() {
    let hits = run_all(SpanMaps::new, Fit::Best);
    assert_eq!(hits.into_iter().collect::<Vec<_>>(), SET_CALLS);
}

#[test]
fn every_allocation_of_the_sorted_array_may_fail() {
    let hits = run_all(SortedArray::new, Fit::First);
    // First fit without alignment cuts at the front, which needs no memory.
    let hits: Vec<_> = hits.into_iter().collect();
    assert_eq!(hits, ["allocate_where", "release", "release_all", "release_bits", "reserve", "take"]);
}

/// In a window with room reserved no call needs memory.
fn reserved_room_is_enough<S: FreeSpans>(mut set: S, spans: u64, window: Span) {
    set.reserve(spans, window).unwrap();
    for seed in 1..8 {
        let mut dice = Dice::new(seed);
        for _ in 0..3000 {
            let start = window.start().get() + dice.below(window.len());
            let longest = dice.pick(&[1, 3, 20, 90]);
            let len = (1 + dice.below(longest)).min(window.end().get() - start);
            let piece = span(start, len);
            let in_use = set.first_free(piece).is_none();
            let room = set.free_spans() < spans;
            let done = exhausted(|| match dice.below(3) {
                0 => set.allocate(len).map(drop),
                _ if in_use && room => set.release(piece),
                _ if in_use => set.allocate(1).map(drop),
                1 if room => set.allocate_where(Request::new(len).aligned_to(4)).map(drop),
                _ => set.allocate_up_to(1 + len / 2).map(drop),
            });
            assert_eq!(done, Ok(()), "{} spans of {spans} in {window}, seed {seed}", set.free_spans());
        }
    }
    let found: Vec<Span> = Spans::new(&set).collect();
    for whole in found {
        assert_eq!(exhausted(|| set.take(whole)), Ok(()));
    }
    let ascending =
        (0..spans).map(|index| window.start().get() + 2 * index).take_while(|page| *page < window.end().get());
    let mut singles = ascending.map(|page| span(page, 1));
    assert_eq!(exhausted(|| set.release_all(&mut singles)), Ok(()), "{spans} in {window}");
}

#[test]
fn after_reserving_memory_does_not_run_out() {
    for (spans, window) in [
        (60, span(1000, 400)),
        (200, span((1 << 27) - 3000, 6000)),
        (2000, span(u64::MAX - 100_000, 100_000)),
        (40, span(0, 1 << 40)),
        (1, span(7, 100)),
        (1000, span(500, 2040)),
        (1 << 19, span(0x8_0000, 1 << 20)),
    ] {
        reserved_room_is_enough(SpanMaps::new(), spans, window);
        reserved_room_is_enough(SortedArray::new(), spans, window);
    }
}

#[test]
fn room_that_nobody_has_is_refused() {
    let everything = span(0, u64::MAX);
    let mut set = SpanMaps::new();
    set.release(span(5, 5)).unwrap();
    assert_eq!(set.reserve(u64::MAX, everything), Err(FreelistError::OutOfMemory));
    assert_eq!(SortedArray::new().reserve(u64::MAX, everything), Err(FreelistError::OutOfMemory));
    assert_eq!(set.next_span(PageId::new(0)), Some(span(5, 5)));
}
