//! Saved images when memory runs out: each allocation of a load fails in its turn.
#![cfg(feature = "image")]

#[macro_use]
extern crate kv_testkit;

mod failing_heap;
mod model;

use failing_heap::{counted, fail_nth, has_failed};
use freelist_core::{
    FreeSpans, FreelistError, ImageWriter, SortedArray, Span, SpanMaps, Spans, load_image, read_image,
};
use model::{Dice, Fit, Model, span};

fn image(spans: &[Span]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut model = Model::new(Fit::First);
    spans.iter().try_for_each(|span| model.release(*span)).unwrap();
    let mut image = ImageWriter::new(|piece: &[u8]| bytes.extend_from_slice(piece));
    for span in model.spans() {
        image.add(span);
    }
    image.finish();
    bytes
}

/// Spans of all lengths in page order, close together and far apart.
fn some_spans(dice: &mut Dice) -> Vec<Span> {
    let mut model = Model::new(Fit::First);
    for _ in 0..=dice.below(60) {
        let base = dice.pick(&[0, 0, 1 << 20, 1 << 40, u64::MAX - (1 << 20)]);
        let longest = dice.pick(&[1, 5, 40]);
        // What is free already stays so.
        let _ = model.release(span(base + dice.below(3000), 1 + dice.below(longest)));
    }
    model.spans()
}

/// Loads an image into a set that has other pages, with each allocation failing in its turn. Returns how many failed.
fn load_with_failures<S: FreeSpans>(make: impl Fn() -> S) -> u64 {
    let mut failures = 0;
    for seed in 1..30 {
        let mut dice = Dice::new(seed);
        let (old, new) = (some_spans(&mut dice), some_spans(&mut dice));
        let bytes = image(&new);
        for nth in 1.. {
            let mut set = make();
            set.release_all(&mut old.iter().copied()).unwrap();
            fail_nth(nth);
            let loaded = counted(|| load_image(&mut set, &bytes));
            let failed = has_failed();
            if failed {
                assert_eq!(loaded, Err(FreelistError::OutOfMemory), "seed {seed}, allocation {nth}");
                assert_eq!((set.free_pages(), set.free_spans(), set.last_span()), (0, 0, None), "seed {seed}");
                failures += 1;
                load_image(&mut set, &bytes).unwrap();
            }
            assert!(Spans::new(&set).eq(new.iter().copied()), "seed {seed}, allocation {nth}");
            if !failed {
                break;
            }
        }
    }
    failures
}

#[test]
fn a_load_that_fails_leaves_an_empty_set_and_can_be_repeated() {
    assert!(load_with_failures(SpanMaps::new) > 100);
    assert!(load_with_failures(SortedArray::new) > 30);
}

#[test]
fn reading_an_image_may_fail() {
    let spans: Vec<Span> = (0..100).map(|index| span(index * 10, 3)).collect();
    let bytes = image(&spans);
    let mut failures = 0;
    for nth in 1.. {
        fail_nth(nth);
        let read = counted(|| read_image(&bytes));
        if !has_failed() {
            assert_eq!(read, Ok(spans));
            break;
        }
        assert_eq!(read, Err(FreelistError::OutOfMemory));
        failures += 1;
    }
    assert!(failures > 1, "an array that grows");
}
