//! Tests that every [`PageStore`] must pass: run them on yours.
//!
//! They cover the contract while the power is on. A process cannot see what its store would lose in a
//! power cut.
//!
//! ```
//! use pagefile_std::{MemStore, conformance};
//!
//! conformance::page_store(MemStore::new);
//! ```

use std::io::IoSlice;
use std::thread;

use crate::error::{Operation, StoreError};
use crate::random::Random;
use crate::store::{PageStore, View};

/// Runs all cases. Each gets a new store from `fresh`: writable, of any length and content.
///
/// # Panics
/// At the first broken promise.
pub fn page_store<S: PageStore>(mut fresh: impl FnMut() -> S) {
    grows_to_what_was_asked_or_more(&fresh());
    new_bytes_are_zero(&fresh());
    shows_what_was_written(&fresh());
    shows_what_was_written_durably(&fresh());
    gathers_many_buffers(&fresh());
    refuses_what_lies_outside(&fresh());
    mistakes_of_the_caller_poison_nothing(&fresh());
    a_view_outlasts_growth(&fresh());
    becomes_shorter_and_grows_again(&fresh());
    an_owned_view_outlasts_the_store(fresh());
    readers_go_on_while_it_grows(&fresh());
}

fn grows_to_what_was_asked_or_more(store: &dyn PageStore) {
    for more in [1, 4096, 100_000, 1 << 20] {
        let asked = store.len() + more;
        store.grow(asked).expect("growth");
        let len = store.len();
        assert!(len >= asked, "grew to {len}, asked for {asked}");
        for enough in [0, asked, len] {
            store.grow(enough).expect("growth to less");
            assert_eq!(store.len(), len, "a store that is long enough does not grow");
        }
        assert_eq!(store.is_empty(), len == 0);
        assert!(store.view().len() >= len, "a new view has all bytes of the store");
    }
}

fn new_bytes_are_zero(store: &dyn PageStore) {
    let before = store.len();
    store.grow(before + 70_000).expect("growth");
    let mut new = vec![0xff; length(store.len() - before)];
    store.read_at(before, &mut new).expect("a read of new bytes");
    assert!(new.iter().all(|byte| *byte == 0), "new bytes read as zero");
    assert_eq!(store.view().bytes(before, new.len()), Some(&new[..]));
}

/// Writes at random offsets, into the store and into a `Vec` as its model.
fn shows_what_was_written(store: &dyn PageStore) {
    store.grow(50_000).expect("growth");
    let mut model = vec![0; length(store.len())];
    store.read_at(0, &mut model).expect("a read of everything");
    let mut random = Random::seeded(1);
    for round in 0..200_u8 {
        let start = below(&mut random, model.len());
        let len = below(&mut random, (model.len() - start).min(9000) + 1);
        let cut = below(&mut random, len + 1);
        let bytes: Vec<u8> = (0..len).map(|_| random.byte()).collect();
        model[start..start + len].copy_from_slice(&bytes);
        let (head, tail) = bytes.split_at(cut);
        let bufs = [head, &[], tail].map(IoSlice::new);
        store.write_at(start as u64, &bufs).expect("a write inside the store");
        if round % 50 == 0 {
            store.sync().expect("a sync");
        }
        let mut read = vec![0; len];
        store.read_at(start as u64, &mut read).expect("a read inside the store");
        assert_eq!(read, bytes, "read_at shows the last write");
        assert_eq!(store.view().bytes(0, model.len()), Some(&model[..]), "a new view shows all writes");
    }
}

/// Durable writes between others, over them and under them.
fn shows_what_was_written_durably(store: &dyn PageStore) {
    store.grow(20_000).expect("growth");
    let mut model = vec![0; length(store.len())];
    store.read_at(0, &mut model).expect("a read of everything");
    let mut random = Random::seeded(2);
    for round in 0..100_u8 {
        let start = below(&mut random, model.len());
        let len = below(&mut random, (model.len() - start).min(3000) + 1);
        model[start..start + len].fill(round);
        let bytes = vec![round; len];
        let (head, tail) = bytes.split_at(below(&mut random, len + 1));
        let bufs = [head, &[], tail].map(IoSlice::new);
        let written = match round % 3 {
            0 => store.write_at(start as u64, &bufs),
            _ => store.write_durable_at(start as u64, &bufs),
        };
        written.expect("a write inside the store");
        assert_eq!(store.view().bytes(0, model.len()), Some(&model[..]), "a new view shows all writes");
    }
    store.sync().expect("a sync");
    let mut read = vec![0; model.len()];
    store.read_at(0, &mut read).expect("a read of everything");
    assert_eq!(read, model, "the last write to a byte wins, durable or not");
}

fn gathers_many_buffers(store: &dyn PageStore) {
    let bytes: Vec<u8> = (0..30_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    store.grow(1 + bytes.len() as u64).expect("growth");
    let bufs: Vec<_> = bytes.chunks(7).map(IoSlice::new).collect();
    store.write_at(1, &bufs).expect("a write from thousands of buffers");
    assert_eq!(store.view().bytes(1, bytes.len()), Some(&bytes[..]));
}

fn refuses_what_lies_outside(store: &dyn PageStore) {
    store.grow(1).expect("growth");
    let end = store.len();
    let before = store.view().bytes(end - 1, 1).map(<[u8]>::to_vec);
    store.write_at(end, &[]).expect("nothing, at the end");
    store.read_at(end, &mut []).expect("nothing, at the end");
    for (at, count) in [(end, 1), (end - 1, 2), (end + 1, 0), (u64::MAX, 1), (u64::MAX, 0)] {
        let mut buf = vec![0xaa; count];
        let written = store.write_at(at, &[IoSlice::new(&buf)]);
        expect_out_of_bounds(written, Operation::Write, at, count, end);
        let written = store.write_durable_at(at, &[IoSlice::new(&buf)]);
        expect_out_of_bounds(written, Operation::Write, at, count, end);
        let read = store.read_at(at, &mut buf);
        expect_out_of_bounds(read, Operation::Read, at, count, end);
    }
    let view = store.view();
    assert_eq!(view.bytes(end - 1, 1).map(<[u8]>::to_vec), before, "a refused write changes nothing");
    assert_eq!(view.bytes(view.len(), 1), None);
    assert_eq!(view.bytes(view.len() + 1, 0), None);
    assert_eq!(view.bytes(u64::MAX, 1), None);
    assert_eq!(view.bytes(1, usize::MAX), None);
}

fn expect_out_of_bounds(result: Result<(), StoreError>, operation: Operation, offset: u64, len: usize, end: u64) {
    let error = result.expect_err("a range outside the store");
    let StoreError::OutOfBounds { operation: was, offset: at, len: count, end: at_end } = &error else {
        panic!("not an out-of-bounds error: {error}");
    };
    assert_eq!((*was, *at, *count, *at_end), (operation, offset, len as u64, end), "{error}");
}

fn mistakes_of_the_caller_poison_nothing(store: &dyn PageStore) {
    store.grow(10).expect("growth");
    store.write_at(u64::MAX, &[IoSlice::new(b"x")]).expect_err("outside");
    assert!(!store.poisoned());
    store.write_at(0, &[IoSlice::new(b"x")]).expect("a write after a refused one");
    store.sync().expect("a sync after a refused write");
}

fn a_view_outlasts_growth(store: &dyn PageStore) {
    store.grow(8192).expect("growth");
    store.write_at(100, &[IoSlice::new(b"old bytes")]).expect("a write");
    let early = store.view();
    let slice = early.bytes(100, 9).expect("bytes inside");
    for _ in 0..6 {
        let end = store.len();
        store.grow(end + 1).expect("growth");
        store.write_at(end, &[IoSlice::new(b"!")]).expect("a write to new bytes");
        assert_eq!(store.view().bytes(end, 1), Some(&b"!"[..]));
        assert_eq!(store.view().bytes(100, 9), Some(slice), "growth keeps the bytes");
    }
    assert_eq!(slice, b"old bytes");
    assert_eq!(early.clone().bytes(100, 9), Some(slice));
}

/// A store that does not become shorter keeps all its bytes.
fn becomes_shorter_and_grows_again(store: &dyn PageStore) {
    store.grow(300_000).expect("growth");
    let long = store.len();
    store.write_at(0, &[IoSlice::new(&vec![7; length(long)])]).expect("a write");
    store.sync().expect("a sync");
    let early = store.view();
    for enough in [long, long + 1, u64::MAX] {
        store.truncate(enough).expect("a truncation to more");
        assert_eq!(store.len(), long, "a store that is short enough stays as it is");
    }
    store.truncate(100_000).expect("a truncation");
    let short = store.len();
    assert!((100_000..=long).contains(&short), "truncated to {short}, asked for 100000");
    let kept = vec![7; length(short)];
    assert_eq!(early.bytes(0, kept.len()), Some(&kept[..]), "an early view keeps what the store keeps");
    assert_eq!(store.view().bytes(0, kept.len()), Some(&kept[..]), "a truncation keeps the bytes before the end");
    if short == long {
        return;
    }
    assert_eq!(store.view().bytes(short, 1), None, "no view has what is gone");
    assert_eq!(early.bytes(short, 1), None, "no view has what is gone");
    store.write_at(short, &[IoSlice::new(b"x")]).expect_err("a write past the new end");
    store.read_at(short, &mut [0]).expect_err("a read past the new end");
    store.write_at(short - 1, &[IoSlice::new(b"y")]).expect("a write before the new end");
    for asked in [short + 1, long] {
        store.grow(asked).expect("growth after a truncation");
        let mut bytes = vec![0xff; length(store.len() - short)];
        store.read_at(short, &mut bytes).expect("a read of new bytes");
        assert!(bytes.iter().all(|byte| *byte == 0), "new bytes read as zero, not as what was there before");
        assert_eq!(store.view().bytes(short, bytes.len()), Some(&bytes[..]));
    }
    assert_eq!(store.view().bytes(short - 1, 1), Some(&b"y"[..]));
    store.sync().expect("a sync");
}

fn an_owned_view_outlasts_the_store<S: PageStore>(store: S) {
    store.grow(8192).expect("growth");
    store.write_at(0, &[IoSlice::new(b"kept")]).expect("a write");
    let view: View<'static> = store.view_owned();
    drop(store);
    assert_eq!(view.bytes(0, 4), Some(&b"kept"[..]));
}

/// Readers check pages under views, old and new, while a writer grows the store and fills it.
fn readers_go_on_while_it_grows(store: &dyn PageStore) {
    const PAGE: usize = 1024;
    const PAGES: u64 = 160;
    store.grow(PAGE as u64).expect("growth");
    store.write_at(0, &[IoSlice::new(&[1; PAGE])]).expect("a write");
    thread::scope(|threads| {
        let (publish, published) = std::sync::mpsc::channel::<(View<'_>, u64)>();
        threads.spawn(move || {
            let mut held = Vec::new();
            for (view, page) in published {
                held.push(view);
                for view in &held {
                    // A view may show pages that are newer than the view, but only whole ones.
                    if let Some(bytes) = view.bytes(page / 2 * PAGE as u64, PAGE) {
                        let first = bytes[0];
                        assert!(bytes.iter().all(|byte| *byte == first), "a page is of one write");
                    }
                }
            }
        });
        for page in 0..PAGES {
            let at = page * PAGE as u64;
            store.grow(at + PAGE as u64).expect("growth");
            let fill = [page.to_le_bytes()[0]; PAGE];
            if page > 0 {
                store.write_at(at, &[IoSlice::new(&fill)]).expect("a write to new bytes");
            }
            publish.send((store.view(), page)).expect("a reader that has not failed");
        }
    });
}

fn length(len: u64) -> usize {
    usize::try_from(len).expect("a store for tests is small")
}

fn below(random: &mut Random, bound: usize) -> usize {
    length(random.next() % bound as u64)
}
