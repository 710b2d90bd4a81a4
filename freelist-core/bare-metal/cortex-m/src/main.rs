//! The free list on a Cortex-M4: prints through semihosting and exits with the result.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::addr_of_mut;

use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use linked_list_allocator::LockedHeap;

const HEAP_BYTES: usize = 128 * 1024;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

static mut HEAP_SPACE: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];

#[entry]
fn main() -> ! {
    // SAFETY: runs once, before the first allocation; nothing else names HEAP_SPACE.
    unsafe { HEAP.lock().init(addr_of_mut!(HEAP_SPACE).cast(), HEAP_BYTES) };
    match freelist_program::run() {
        Ok(outcome) => {
            hprintln!("cortex-m: {}", outcome);
            debug::exit(debug::EXIT_SUCCESS);
        }
        Err(what) => {
            hprintln!("cortex-m: FAILED: {}", what);
            debug::exit(debug::EXIT_FAILURE);
        }
    }
    loop {}
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
