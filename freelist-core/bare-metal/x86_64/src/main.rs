//! The free list in a machine of its own, as a unikernel would use it: prints on the serial port and
//! exits with the result.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::addr_of_mut;

use linked_list_allocator::LockedHeap;

global_asm!(include_str!("boot.s"), options(att_syntax));

const HEAP_BYTES: usize = 256 * 1024;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

static mut HEAP_SPACE: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];

/// The first serial port.
struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: writing to the serial port's data register touches no memory.
            unsafe { asm!("out dx, al", in("dx") 0x3f8_u16, in("al") byte, options(nomem, nostack)) };
        }
        Ok(())
    }
}

/// Ends QEMU with `2 * value + 1`.
fn exit(value: u32) -> ! {
    // SAFETY: the port belongs to QEMU's exit device, or to nobody; no memory is touched.
    unsafe { asm!("out dx, eax", in("dx") 0xf4_u16, in("eax") value, options(nomem, nostack)) };
    loop {}
}

/// Called by the boot code, once, with a stack.
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    // SAFETY: runs once, before the first allocation; nothing else names HEAP_SPACE.
    unsafe { HEAP.lock().init(addr_of_mut!(HEAP_SPACE).cast(), HEAP_BYTES) };
    match freelist_program::run() {
        Ok(outcome) => {
            let _ = writeln!(Serial, "x86_64: {outcome}");
            exit(16)
        }
        Err(what) => {
            let _ = writeln!(Serial, "x86_64: FAILED: {what}");
            exit(1)
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "{info}");
    exit(1)
}
