//! A unikernel's page frames: the usable ranges of a memory map, single frames, huge pages, and
//! memory for a device that reaches only the first 16 MiB.
//!
//! `cargo run -p freelist-core --features spin --example frame_allocator`

use freelist_core::{FreeSpans, Freelist, NoPages, PageAllocator, PageId, Request, SharedAllocator, Span, SpanMaps};

const FRAME_SHIFT: u32 = 12;

/// The memory map from a boot loader: address, bytes, usable or not.
const MEMORY_MAP: [(u64, u64, bool); 4] = [
    (0x0000_0000, 0x0009_f000, true),
    (0x0009_f000, 0x0006_1000, false),
    (0x0010_0000, 0x7ff0_0000, true),
    (0x1_0000_0000, 0x8000_0000, true),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut frames = SpanMaps::new();
    for (address, bytes, usable) in MEMORY_MAP {
        if usable {
            frames.release(Span::new(PageId::new(address >> FRAME_SHIFT), bytes >> FRAME_SHIFT)?)?;
        }
    }
    let null = Span::single(PageId::new(0))?;
    frames.take(null)?; // address 0 stays invalid
    println!(
        "{} frames in {} ranges, {} bytes of tables",
        frames.free_pages(),
        frames.free_spans(),
        frames.memory_bytes()
    );

    let allocator: PageAllocator<NoPages> = PageAllocator::with_list(Freelist::new(frames), NoPages);
    let shared = SharedAllocator::new(spin::Mutex::new(allocator));

    let stack = shared.allocate(16)?.ok_or("no memory")?;
    let huge = shared.allocate_where(Request::new(512).aligned_to(512))?.ok_or("no huge page")?;
    assert_eq!(huge.start().get() % 512, 0);
    let low = Span::new(PageId::new(0), (16 << 20) >> FRAME_SHIFT)?;
    let ring = shared.allocate_where(Request::new(32).aligned_to(16).within(low))?.ok_or("no low memory")?;
    assert!(low.covers(ring));
    println!("stack {stack}, huge page {huge}, device ring {ring}");

    std::thread::scope(|cores| {
        for _ in 0..4 {
            cores.spawn(|| {
                for pages in 1..100 {
                    let span = shared.allocate(pages % 9 + 1).expect("memory").expect("frames");
                    shared.release(span).expect("it was ours");
                }
            });
        }
    });
    for span in [stack, huge, ring] {
        shared.release(span)?;
    }
    shared.with(|allocator| {
        assert_eq!(allocator.list().spans().free_spans(), 3, "everything merged again");
        let statistics = allocator.list().spans().statistics();
        println!("largest free range: {} frames", statistics.largest);
    });
    Ok(())
}
