//! A list says how much memory it holds, to the byte: the figure is compared with what the heap gave after every call of
//! random programs.

#[macro_use]
extern crate kv_testkit;

mod failing_heap;
mod model;

use failing_heap::held;
use freelist_core::{FreeSpans, Freelist, SortedArray, Span, SpanMaps, TxId};
use model::{Dice, span};

const PAGES: u64 = 4000;

#[test]
fn span_maps_say_how_much_memory_they_hold() {
    says_how_much_it_holds(SpanMaps::new);
}

#[test]
fn a_sorted_array_says_how_much_memory_it_holds() {
    says_how_much_it_holds(SortedArray::new);
}

fn says_how_much_it_holds<S: FreeSpans>(new: impl Fn() -> S) {
    for seed in 1..=8 {
        let mut dice = Dice::new(seed);
        let before = held();
        let mut list = Freelist::new(new());
        list.load([span(0, PAGES)]).unwrap();
        // Not on the heap that is measured.
        let (mut used, mut readers) = ([None; 256], [TxId::new(0); 4]);
        let mut most = 0;
        for number in 1..400 {
            let tx = TxId::new(number);
            for _ in 0..dice.below(13) {
                let place = &mut used[index(&mut dice, 256)];
                *place = change(&mut list, tx, *place, dice.below(10) + 1);
                assert_eq!(list.memory_bytes(), held().wrapping_sub(before), "seed {seed}, transaction {number}");
            }
            list.commit(tx);
            readers[index(&mut dice, 4)] = tx;
            readers.sort_unstable();
            list.release_unseen(&readers).unwrap();
            assert_eq!(list.memory_bytes(), held().wrapping_sub(before), "seed {seed}, readers {readers:?}");
            most = most.max(list.memory_bytes());
        }
        assert!(most > 1000, "the programs make lists of some size: {most} bytes");
    }
}

/// Frees what a place has, or allocates for it.
fn change<S: FreeSpans>(list: &mut Freelist<S>, tx: TxId, place: Option<Span>, pages: u64) -> Option<Span> {
    match place {
        Some(span) => list.free(tx, span).map(|()| None).unwrap(),
        None => list.allocate(tx, pages).unwrap(),
    }
}

/// Any index of so many.
fn index(dice: &mut Dice, count: u64) -> usize {
    usize::try_from(dice.below(count)).unwrap()
}
