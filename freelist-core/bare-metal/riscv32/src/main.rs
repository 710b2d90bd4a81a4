//! The free list on a 32-bit RISC-V: prints through semihosting and exits with the result.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::addr_of_mut;

use linked_list_allocator::LockedHeap;
use riscv_rt::entry;
use semihosting::{println, process};

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
            println!("riscv32: {outcome}");
            process::exit(0)
        }
        Err(what) => {
            println!("riscv32: FAILED: {what}");
            process::exit(1)
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    process::exit(101)
}
