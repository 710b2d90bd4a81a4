//! A heap on which exactly the allocation that a test chooses fails, and which counts the bytes that it gave.
//!
//! Everything is counted per thread, so tests may run side by side.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// What happens to allocations.
#[derive(Clone, Copy)]
enum Mode {
    Succeed,
    /// They count down, and the one that gets to 0 fails.
    Count,
    Fail,
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Succeed) };
    static LEFT: Cell<u64> = const { Cell::new(0) };
    /// Bytes given and not yet taken back.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct FailingHeap;

impl FailingHeap {
    fn refuses() -> bool {
        match MODE.get() {
            Mode::Succeed => false,
            Mode::Fail => true,
            Mode::Count if LEFT.get() == 0 => false,
            Mode::Count => {
                LEFT.set(LEFT.get() - 1);
                LEFT.get() == 0
            }
        }
    }
}

// SAFETY: every call goes to the system's allocator with the arguments as they came, or is refused with a null pointer,
// which leaves an old block as it was. The rest changes thread-local numbers, which need neither memory nor a
// destructor.
unsafe impl GlobalAlloc for FailingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses() {
            return ptr::null_mut();
        }
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if Self::refuses() {
            return ptr::null_mut();
        }
        HELD.set(HELD.get().wrapping_add(size).wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `realloc`, and the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static HEAP: FailingHeap = FailingHeap;

/// The `nth` allocation in [`counted`] calls from now on fails, and no other.
pub(crate) fn fail_nth(nth: u64) {
    LEFT.set(nth);
}

/// Whether the allocation chosen by [`fail_nth`] has failed.
pub(crate) fn has_failed() -> bool {
    LEFT.get() == 0
}

/// Bytes that this thread got from the heap and has not given back, modulo the address space.
pub(crate) fn held() -> usize {
    HELD.get()
}

/// Runs `call`, whose allocations count.
pub(crate) fn counted<R>(call: impl FnOnce() -> R) -> R {
    within(Mode::Count, call)
}

/// Runs `call` on a heap where every allocation fails.
pub(crate) fn exhausted<R>(call: impl FnOnce() -> R) -> R {
    within(Mode::Fail, call)
}

fn within<R>(mode: Mode, call: impl FnOnce() -> R) -> R {
    MODE.set(mode);
    let result = call();
    MODE.set(Mode::Succeed);
    result
}
