//! Threads that share one allocator: no page in two hands, none lost, in many interleavings. The
//! lock is one whose every step the scheduler sees. The scheduler is not there for every target.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[macro_use]
extern crate kv_testkit;

use freelist_core::{FixedRange, FreeSpans, Lock, PageAllocator, PageId, SharedAllocator, Span, SpanMaps};
use shuttle::sync::{Arc, Mutex};

struct ScheduledLock<T>(Mutex<T>);

impl<T> Lock<T> for ScheduledLock<T> {
    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }
}

type Allocator = PageAllocator<FixedRange, SpanMaps>;
type Shared = SharedAllocator<ScheduledLock<Allocator>, FixedRange>;

const PAGES: u64 = 12;

fn shared() -> Arc<Shared> {
    let range = Span::new(PageId::new(100), PAGES).unwrap();
    Arc::new(SharedAllocator::new(ScheduledLock(Mutex::new(PageAllocator::new(FixedRange::new(range))))))
}

/// Notes on a board which pages are held, and fails if two threads hold one.
fn hold(board: &Mutex<Vec<Span>>, span: Span) {
    let mut board = board.lock().unwrap();
    assert!(board.iter().all(|other| !other.overlaps(span)), "{span} is in two hands");
    board.push(span);
}

fn put_down(board: &Mutex<Vec<Span>>, span: Span) {
    board.lock().unwrap().retain(|other| *other != span);
}

fn work(shared: &Shared, board: &Mutex<Vec<Span>>, pages: u64) {
    for _ in 0..3 {
        let Some(span) = shared.allocate(pages).unwrap() else { continue };
        hold(board, span);
        shuttle::thread::yield_now();
        put_down(board, span);
        shared.release(span).unwrap();
    }
}

fn threads_share() {
    let (shared, board) = (shared(), Arc::new(Mutex::new(Vec::new())));
    let threads: Vec<_> = [1, 3, 5]
        .map(|pages| {
            let (shared, board) = (Arc::clone(&shared), Arc::clone(&board));
            shuttle::thread::spawn(move || work(&shared, &board, pages))
        })
        .into();
    for thread in threads {
        thread.join().unwrap();
    }
    shared.with(|allocator| {
        let rest = allocator.source().rest().map_or(0, Span::len);
        assert_eq!(allocator.list().free_pages() + rest, PAGES, "no page is lost");
        assert_eq!(allocator.list().spans().free_spans(), u64::from(rest < PAGES));
    });
}

#[test]
fn random_interleavings() {
    shuttle::check_random(threads_share, 500);
}

#[test]
fn interleavings_with_few_switches() {
    shuttle::check_pct(threads_share, 500, 3);
}

#[cfg(feature = "spin")]
#[test]
fn real_threads_behind_a_spin_lock() {
    let range = Span::new(PageId::new(7), 64).unwrap();
    let allocator: Allocator = PageAllocator::new(FixedRange::new(range));
    let shared = SharedAllocator::new(spin::Mutex::new(allocator));
    std::thread::scope(|scope| {
        for pages in [1, 2, 3, 8] {
            let shared = &shared;
            scope.spawn(move || {
                for _ in 0..2000 {
                    if let Some(span) = shared.allocate(pages).unwrap() {
                        shared.release(span).unwrap();
                    }
                }
            });
        }
    });
    shared.with(|allocator| {
        assert_eq!(allocator.list().free_pages() + allocator.source().rest().map_or(0, Span::len), 64);
    });
}
