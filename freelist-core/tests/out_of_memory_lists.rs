//! The transactional list and the allocator when memory runs out: a program of transactions is run with its first
//! allocation failing, again with its second, and so on until none fails. A twin, whose memory never fails, tells what
//! each call must have done once it has been made again.

#[macro_use]
extern crate kv_testkit;

mod failing_heap;
mod model;

use std::collections::BTreeSet;
use std::fmt::Debug;

use failing_heap::{counted, fail_nth, has_failed};
use freelist_core::{
    AllocError, FixedRange, FreeSpans, Freelist, FreelistError, PageAllocator, Request, SortedArray, Span, SpanMaps,
    Spans, TxId,
};
use model::{Dice, span};

type Pages<S> = PageAllocator<FixedRange, S>;
/// The span allocated, if any, and the number of pages that changed hands, if the call returns it.
type Answer = Result<(Option<Span>, u64), FreelistError>;

/// Every public call on a list or an allocator that can be out of memory.
#[derive(Clone, Debug)]
enum Call {
    Load(Vec<Span>),
    Reserve(u64, Span),
    // Of the list.
    Allocate(u64),
    AllocateWhere(Request),
    AllocateUpTo(u64),
    Free(Span),
    GiveBack(Span),
    Rollback,
    ReleaseUnseen(Vec<TxId>),
    // Of the allocator.
    AllocateNow(u64),
    AllocateNowWhere(Request),
    AllocateFor(u64),
    ReleaseNow(Span),
    Shrink,
}

impl Call {
    fn name(&self) -> String {
        let shown = format!("{self:?}");
        shown.split('(').next().unwrap_or_default().to_owned()
    }

    fn on<S: FreeSpans>(&self, pages: &mut Pages<S>, tx: TxId) -> Answer {
        let list = pages.list_mut();
        let found = |span| (span, 0);
        let done = |()| (None, 0);
        match self {
            Self::Load(spans) => list.load(spans.iter().copied()).map(done),
            Self::Reserve(spans, window) => list.reserve(*spans, *window).map(done),
            Self::Allocate(pages) => list.allocate(tx, *pages).map(found),
            Self::AllocateWhere(request) => list.allocate_where(tx, *request).map(found),
            Self::AllocateUpTo(pages) => list.allocate_up_to(tx, *pages).map(found),
            Self::Free(span) => list.free(tx, *span).map(done),
            Self::GiveBack(span) => list.give_back(tx, *span).map(done),
            Self::Rollback => list.rollback(tx).map(done),
            Self::ReleaseUnseen(readers) => list.release_unseen(readers).map(|released| (None, released)),
            Self::AllocateNow(count) => pages.allocate(*count).map(found).map_err(of_list),
            Self::AllocateNowWhere(request) => pages.allocate_where(*request).map(found).map_err(of_list),
            Self::AllocateFor(count) => pages.allocate_for(tx, *count).map(found).map_err(of_list),
            Self::ReleaseNow(span) => pages.release(*span).map(done),
            Self::Shrink => pages.shrink().map(|taken| (None, taken)).map_err(of_list),
        }
    }

    /// Whether it may have done a part when it fails, and does the rest when it is made again.
    fn goes_on(&self) -> bool {
        let with_source = matches!(self, Self::AllocateNow(_) | Self::AllocateNowWhere(_) | Self::AllocateFor(_));
        with_source || matches!(self, Self::Load(_) | Self::Rollback | Self::ReleaseUnseen(_) | Self::Shrink)
    }
}

fn of_list(error: AllocError<std::convert::Infallible>) -> FreelistError {
    match error {
        AllocError::Freelist(error) => error,
        AllocError::Source(never) => match never {},
    }
}

#[derive(PartialEq, Debug)]
struct State {
    free: Vec<Span>,
    free_or_pending: Vec<Span>,
    counts: [u64; 2],
    rest: Option<Span>,
}

fn state<S: FreeSpans>(pages: &Pages<S>) -> State {
    let list = pages.list();
    let mut free_or_pending = Vec::new();
    list.for_each_span(&mut |span| {
        assert!((free_or_pending.len() as u64) < list.free_pages() + list.pending_pages(), "more spans than pages");
        free_or_pending.push(span);
    });
    State {
        free: Spans::new(list.spans()).collect(),
        free_or_pending,
        counts: [list.free_pages(), list.pending_pages()],
        rest: pages.source().rest(),
    }
}

/// Chooses calls as a store makes them.
struct Writer {
    dice: Dice,
    tx: u64,
    /// Spans in use, with the transaction that allocated them.
    used: Vec<(Span, u64)>,
    /// Pages that no list has seen.
    beyond: u64,
}

impl Writer {
    fn choose(&mut self) -> Call {
        let pages = 1 + self.dice.below(12);
        let request = Request::new(pages).aligned_to(1 << self.dice.below(5));
        match self.dice.below(if self.tx == 1 { 15 } else { 40 }) {
            0 => Call::Load((0..=self.dice.below(40)).map(|index| span(3 + index * 70, 2 + index % 50)).collect()),
            1 => Call::Reserve(10 + self.dice.below(50), span(0, 4000)),
            2 => Call::AllocateUpTo(pages * 20),
            3 | 4 => Call::AllocateWhere(request),
            20..26 => self.give_up_neighbours().unwrap_or(Call::Allocate(pages)),
            7 => Call::AllocateNow(pages * 9),
            8 => Call::AllocateNowWhere(request),
            9 => Call::AllocateFor(pages * 3),
            10 => Call::Shrink,
            11 => Call::Rollback,
            12 | 13 => Call::ReleaseUnseen(vec![TxId::new(self.tx / 2), TxId::new(self.tx - 1)]),
            14 => {
                self.beyond += 700;
                Call::ReleaseNow(span(self.beyond, pages))
            }
            5 | 6 | 15..20 => Call::Allocate(pages),
            _ => self.give_up().unwrap_or(Call::Allocate(pages)),
        }
    }

    /// Frees a piece of a span in use.
    fn give_up(&mut self) -> Option<Call> {
        let index = self.dice.below(self.used.len().max(1) as u64);
        let (whole, by) = *self.used.get(usize::try_from(index).unwrap())?;
        self.used.swap_remove(usize::try_from(index).unwrap());
        let from = self.dice.below(whole.len());
        let piece = span(whole.start().get() + from, 1 + self.dice.below(whole.len() - from));
        let rest = [Span::between(whole.start(), piece.start()), Span::between(piece.end(), whole.end())];
        self.used.extend(rest.into_iter().flatten().map(|span| (span, by)));
        Some(match by {
            0 => Call::ReleaseNow(piece),
            by if by == self.tx && self.dice.below(2) == 0 => Call::GiveBack(piece),
            _ => Call::Free(piece),
        })
    }

    /// Frees all spans in use from one on that touch each other, of all transactions at once.
    fn give_up_neighbours(&mut self) -> Option<Call> {
        let index = self.dice.below(self.used.len().max(1) as u64);
        let (mut all, _) = *self.used.get(usize::try_from(index).unwrap())?;
        while let Some((more, _)) = self.used.iter().find(|(more, _)| more.start() == all.end()) {
            all = span(all.start().get(), all.len() + more.len());
        }
        self.used.retain(|(part, _)| !all.overlaps(*part));
        Some(Call::Free(all))
    }

    /// Notes what the call did.
    fn note(&mut self, call: &Call, answer: Answer) {
        let (found, _) = answer.unwrap();
        match call {
            Call::AllocateNow(_) | Call::AllocateNowWhere(_) => self.used.extend(found.map(|span| (span, 0))),
            // What was in use may be free again.
            Call::Load(_) | Call::Rollback => self.used.clear(),
            _ => self.used.extend(found.map(|span| (span, self.tx))),
        }
    }
}

/// Runs the program of `seed` with its `nth` allocation failing. Returns the name of the call that was hit.
fn run<S: FreeSpans>(make: impl Fn() -> S, seed: u64, nth: u64) -> Option<String> {
    let source = FixedRange::new(span(1 << 20, 2000));
    let [mut pages, mut twin] = [(); 2].map(|()| Pages::with_list(Freelist::new(make()), source));
    let mut writer = Writer { dice: Dice::new(seed), tx: 1, used: Vec::new(), beyond: 1 << 30 };
    let mut hit = None;
    fail_nth(nth);
    for step in 0..80 {
        let call = writer.choose();
        let context = format!("seed {seed}, allocation {nth}, step {step}: {call:?}");
        let tx = TxId::new(writer.tx);
        let expected = call.on(&mut twin, tx);
        let (before, had_failed) = (state(&pages), has_failed());
        let mut answer = counted(|| call.on(&mut pages, tx));
        if has_failed() && !had_failed {
            hit = Some(call.name());
            assert_eq!(answer, Err(FreelistError::OutOfMemory), "{context}");
            if !call.goes_on() {
                assert_eq!(state(&pages), before, "{context}");
            }
            answer = call.on(&mut pages, tx);
        }
        match (&call, answer) {
            // The count is of what was left to do.
            (Call::ReleaseUnseen(_) | Call::Shrink, Ok((None, left))) if hit.is_some() && !had_failed => {
                assert!(expected.is_ok_and(|(_, all)| left <= all), "{context}");
            }
            _ => assert_eq!(answer, expected, "{context}"),
        }
        assert_eq!(state(&pages), state(&twin), "{context}");
        writer.note(&call, expected);
        if matches!(call, Call::ReleaseUnseen(_)) {
            pages.list_mut().commit(tx);
            twin.list_mut().commit(tx);
            writer.tx += 1;
        }
    }
    hit
}

fn run_all<S: FreeSpans>(make: impl Fn() -> S) -> BTreeSet<String> {
    let hits = |seed| (1..).map_while(|nth| run(&make, seed, nth)).collect::<Vec<_>>();
    (1..40).flat_map(hits).collect()
}

fn check(hits: impl IntoIterator<Item = String> + Debug, expected: &[&str]) {
    let hits: Vec<String> = hits.into_iter().collect();
    assert_eq!(hits, expected);
}

/// All but `Shrink`, which takes whole spans and needs no memory.
const NEED_MEMORY: [&str; 13] = [
    "Allocate",
    "AllocateFor",
    "AllocateNow",
    "AllocateNowWhere",
    "AllocateUpTo",
    "AllocateWhere",
    "Free",
    "GiveBack",
    "Load",
    "ReleaseNow",
    "ReleaseUnseen",
    "Reserve",
    "Rollback",
];

#[test]
fn every_allocation_of_a_list_on_span_maps_may_fail() {
    check(run_all(SpanMaps::new), &NEED_MEMORY);
}

#[test]
fn every_allocation_of_a_list_on_the_sorted_array_may_fail() {
    check(run_all(SortedArray::new), &NEED_MEMORY);
}

/// A transaction whose growth had no memory for the new pages gives them back to the source.
#[test]
fn new_pages_that_the_list_had_no_memory_for_go_back_to_the_source() {
    let (all, tx) = (span(2, 10_000), TxId::new(1));
    let mut failures = 0;
    for nth in 1.. {
        let mut pages: Pages<SpanMaps> = PageAllocator::new(FixedRange::new(all));
        let kept = pages.allocate(3).unwrap().unwrap();
        fail_nth(nth);
        if counted(|| pages.allocate_for(tx, 5)).is_ok() {
            break;
        }
        failures += 1;
        pages.list_mut().rollback(tx).unwrap();
        pages.shrink_to(kept.end()).unwrap();
        assert_eq!(pages.source().rest(), Span::between(kept.end(), all.end()), "failure {nth}");
        assert_eq!(pages.list().free_pages(), 0, "failure {nth}");
        assert_eq!(pages.allocate_for(tx, 5), Ok(Some(span(5, 5))), "failure {nth}");
    }
    assert!(failures > 0, "some call needs memory");
}
