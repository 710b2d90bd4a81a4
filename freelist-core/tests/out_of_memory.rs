//! Memory that runs out at every point of every call: an error, nothing changed, and the same call
//! succeeds once there is memory again. After reserving ahead it does not run out at all.
//!
//! Without the test harness: the limit concerns the whole process, and the harness has a thread of its
//! own that needs memory when it likes.

mod model;

use std::alloc::System;

use cap::Cap;
use freelist_core::{
    FixedRange, FreeSpans, Freelist, FreelistError, PageAllocator, Policy, SortedArray, Span, SpanMaps, Spans, TxId,
};
use model::{Dice, span};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Runs `call` with ever more memory, until it succeeds. Each failure must be for want of memory and
/// leave `state` as it was. Returns how many failures there were.
fn with_growing_memory<T, R, D: PartialEq + std::fmt::Debug>(
    target: &mut T,
    call: impl Fn(&mut T) -> Result<R, FreelistError>,
    state: impl Fn(&T) -> D,
) -> (R, u32) {
    let before = state(target);
    let mut failures = 0;
    let mut more = 0;
    loop {
        HEAP.set_limit(HEAP.allocated() + more).unwrap();
        let result = call(target);
        HEAP.set_limit(usize::MAX).unwrap();
        match result {
            Ok(done) => return (done, failures),
            Err(error) => assert_eq!(error, FreelistError::OutOfMemory),
        }
        assert_eq!(state(target), before, "failure {failures} changed something");
        failures += 1;
        // Small steps first, so that each allocation of a call fails in its turn.
        more += 16 + more / 8;
    }
}

fn set_state<S: FreeSpans>(set: &S) -> (Vec<Span>, u64, u64, u64) {
    (Spans::new(set).collect(), set.free_pages(), set.free_spans(), set.largest())
}

fn churn<S: FreeSpans>(
    set: &mut S,
    seed: u64,
    mut step: impl FnMut(&mut S, &dyn Fn(&mut S) -> Result<(), FreelistError>),
) {
    let mut dice = Dice::new(seed);
    for round in 0..400 {
        // Dense pages, pages far apart, and long spans, so that every kind of map grows.
        let base = dice.pick(&[0, 0, 0, 1 << 20, 1 << 40, u64::MAX - (1 << 20)]);
        let scale = dice.pick(&[1, 1, 3, 600]);
        let piece = span(base + dice.below(1500) * scale, 1 + dice.below(40) * (1 + scale / 100));
        if round % 4 == 3 {
            let pages = 1 + dice.below(30);
            step(set, &|set| set.allocate(pages).map(drop));
        } else if set.first_free(piece).is_none() {
            step(set, &|set| set.release(piece));
        } else if let Some(found) = set.next_span(piece.start()) {
            let middle = span(found.start().get() + (found.len() - 1) / 2, 1);
            step(set, &|set| set.take(middle));
        }
    }
}

fn sets_survive<S: FreeSpans>(make: impl Fn() -> S) -> u32 {
    let mut failures = 0;
    for seed in 1..6 {
        let mut set = make();
        churn(&mut set, seed, |set, call| failures += with_growing_memory(set, call, set_state).1);
    }
    failures
}

/// In a window with room reserved no call needs memory.
fn reserved_room_is_enough<S: FreeSpans>(mut set: S, spans: u64, window: Span) {
    set.reserve(spans, window).unwrap();
    HEAP.set_limit(HEAP.allocated()).unwrap();
    for seed in 1..8 {
        let mut dice = Dice::new(seed);
        for _ in 0..3000 {
            let start = window.start().get() + dice.below(window.len());
            let len = (1 + dice.some_len()).min(window.end().get() - start);
            let piece = Span::new(start.into(), len).unwrap();
            let done = if dice.below(3) == 0 {
                set.allocate(len).map(drop)
            } else if set.first_free(piece).is_none() {
                if set.free_spans() < spans { set.release(piece) } else { set.allocate(1).map(drop) }
            } else {
                set.allocate_up_to(1 + len / 2).map(drop)
            };
            if done.is_err() {
                HEAP.set_limit(usize::MAX).unwrap();
                panic!("{done:?} with {} spans, seed {seed}", set.free_spans());
            }
        }
    }
    HEAP.set_limit(usize::MAX).unwrap();
}

impl Dice {
    fn some_len(&mut self) -> u64 {
        let longest = self.pick(&[1, 3, 20, 90]);
        self.below(longest)
    }
}

fn list_state<S: FreeSpans>(list: &Freelist<S>) -> (Vec<Span>, u64, u64) {
    let mut spans = Vec::with_capacity(64);
    list.for_each_span(&mut |span| spans.push(span));
    (spans, list.free_pages(), list.pending_pages())
}

fn transactions_survive() -> u32 {
    let mut failures = 0;
    let mut list = Freelist::new(SpanMaps::new());
    list.load([span(10, 30), span(5000, 700), span(1 << 33, 9)]).unwrap();
    for number in 1..120 {
        let tx = TxId::new(number);
        let readers = [TxId::new(number / 2), TxId::new(number - 1)];
        // A release that stops half-way goes on at the next call; the pages are the same in all.
        let listed = |list: &Freelist<SpanMaps>| list_state(list).0;
        failures += with_growing_memory(&mut list, |list| list.release_unseen(&readers), listed).1;
        let (mine, failed) = with_growing_memory(&mut list, |list| list.allocate(tx, 3 + number % 5), list_state);
        let mine = mine.unwrap();
        failures += failed;
        let extension = span(1_000_000 + number * 40, 7);
        let extend = |list: &mut Freelist<SpanMaps>| list.note_extension(tx, extension);
        failures += with_growing_memory(&mut list, extend, list_state).1;
        let before_free = list_state(&list);
        let middle = span(mine.start().get() + 1, 1);
        failures += with_growing_memory(&mut list, |list| list.free(tx, middle), list_state).1;
        let first = span(mine.start().get(), 1);
        failures += with_growing_memory(&mut list, |list| list.give_back(tx, first), list_state).1;
        if number % 3 == 0 {
            // Rollback goes on where it stopped.
            failures += with_growing_memory(&mut list, |list| list.rollback(tx), |_| ()).1;
            let (listed, free, pending) = list_state(&list);
            assert_eq!(free, before_free.1 + mine.len());
            assert_eq!(pending, before_free.2);
            assert!(listed.iter().all(|span| !span.overlaps(extension)));
        } else {
            list.commit(tx);
        }
    }
    failures
}

fn no_page_of_the_source_is_lost() {
    let all = span(100, 4000);
    let mut pages: PageAllocator<_> = PageAllocator::new(FixedRange::new(all));
    let mut held = Vec::with_capacity(5000);
    for call in 1_usize.. {
        HEAP.set_limit(HEAP.allocated() + call * 64 % 20_000).unwrap();
        let found = pages.allocate(1 + held.len() as u64 % 3);
        HEAP.set_limit(usize::MAX).unwrap();
        match found {
            Ok(Some(span)) => held.push(span),
            Ok(None) => break,
            Err(_) => {}
        }
        if call % 5 == 4 && !held.is_empty() {
            pages.release(held.swap_remove(held.len() / 2)).unwrap();
        }
    }
    let rest = pages.source().rest().map_or(0, Span::len);
    let in_use: u64 = held.iter().map(|span| span.len()).sum();
    assert_eq!(in_use + pages.list().free_pages() + rest, all.len());
}

fn main() {
    // A panic needs memory to be told.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        HEAP.set_limit(usize::MAX).unwrap();
        tell(info);
    }));
    assert!(sets_survive(SpanMaps::new) > 100, "memory ran out often enough to tell");
    assert!(sets_survive(|| SpanMaps::with_policy(Policy::MostRecentlyFreed)) > 100);
    assert!(sets_survive(SortedArray::new) > 5);
    assert!(transactions_survive() > 50);
    no_page_of_the_source_is_lost();
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
        reserved_room_is_enough(SpanMaps::with_policy(Policy::MostRecentlyFreed), spans, window);
        reserved_room_is_enough(SortedArray::new(), spans, window);
    }
    println!("memory that runs out is an error and changes nothing: ok");
}
