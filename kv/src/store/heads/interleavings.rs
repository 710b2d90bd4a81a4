//! A frame that is filled, read and emptied at once, in every order that the memory model allows.
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loom::model::Builder;
use loom::thread;

use super::super::sync::AtomicU64;
use super::frame::{Frame, Shape};

fn memory() -> Memory {
    [(); 5].map(|()| AtomicU64::new(0))
}

/// The frame's readers look for these.
const PAGES: [u16; 2] = [7, 9];

/// Three words of a frame's header, and two of content.
type Memory = [AtomicU64; 5];

fn frame(memory: &Memory) -> Frame<'_, 2> {
    Frame::at(memory).unwrap()
}

/// Remembers a content in which everything says which page it is.
fn fill(memory: &Memory, page: u16) {
    let shape = Shape { count: 1, overflow: page, stride: 1, places: true, ..Shape::default() };
    frame(memory).fill(page.into(), shape, &[page.into(), page.into()]);
}

/// Whether the frame tells of `page`; and then the whole of it.
fn told(memory: &Memory, page: u16) -> bool {
    let read = |shape: Shape, content: &[AtomicU64; 2]| {
        Some((shape.overflow, content.each_ref().map(|word| word.load(Ordering::Relaxed))))
    };
    let found = frame(memory).read(page.into(), read);
    if let Some((overflow, words)) = found {
        assert_eq!(overflow, page, "the shape is another page's");
        assert_eq!(words, [page.into(); 2], "the words are another page's");
    }
    found.is_some()
}

fn model(program: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(program);
}

#[test]
fn interleavings_show_a_whole_page_or_none() {
    model(|| {
        let frame = Arc::new(memory());
        fill(&frame, PAGES[0]);
        let filler = thread::spawn({
            let frame = Arc::clone(&frame);
            move || fill(&frame, PAGES[1])
        });
        let other = thread::spawn({
            let frame = Arc::clone(&frame);
            move || fill(&frame, PAGES[0])
        });
        let _ = PAGES.map(|page| told(&frame, page));
        filler.join().unwrap();
        other.join().unwrap();
    });
}

/// As the commit does it: the page is forgotten, written, and then its new state is shown.
#[test]
fn interleavings_forget_before_the_new_state_is_seen() {
    model(|| {
        let (frame, state) = (Arc::new(memory()), Arc::new(AtomicU64::new(1)));
        fill(&frame, PAGES[0]);
        // A reader of another page wants the frame meanwhile.
        let other = thread::spawn({
            let frame = Arc::clone(&frame);
            move || fill(&frame, PAGES[1])
        });
        let writer = thread::spawn({
            let (frame, state) = (Arc::clone(&frame), Arc::clone(&state));
            move || {
                self::frame(&frame).forget(PAGES[0].into());
                state.store(2, Ordering::Release);
            }
        });
        if state.load(Ordering::Acquire) == 2 {
            assert!(!told(&frame, PAGES[0]), "a reader of the new state is told of the old page");
        }
        other.join().unwrap();
        writer.join().unwrap();
    });
}
