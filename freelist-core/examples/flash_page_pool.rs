//! Erase blocks of a flash chip as pages: logs and settings come and go, and the pool is saved in a
//! block of its own and loaded again after a restart.
//!
//! `cargo run -p freelist-core --example flash_page_pool`

use freelist_core::{
    FixedRange, FreeSpans, FreelistError, PageAllocator, PageId, Span, SpanMaps, load_image, save_image,
};

/// 256 erase blocks of 4 KiB; the first holds the pool's own state.
const BLOCKS: u64 = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flash = vec![0xff_u8; 4096];
    let usable = Span::new(PageId::new(1), BLOCKS - 1)?;
    let mut pool: PageAllocator<_> = PageAllocator::new(FixedRange::new(usable));

    // Room for the worst case is taken at start, so that nothing fails for want of memory later.
    let mut free = SpanMaps::new();
    free.reserve(BLOCKS / 2, usable)?;
    println!("{} bytes of memory reserved for {BLOCKS} blocks", free.memory_bytes());

    let boot_log = pool.allocate(12)?.ok_or("flash is full")?;
    let settings = pool.allocate(1)?.ok_or("flash is full")?;
    let samples = pool.allocate(40)?.ok_or("flash is full")?;
    pool.release(boot_log)?;
    println!("settings in {settings}, samples in {samples}, {} blocks free again", pool.list().free_pages());

    // Before power goes: everything that is free, also what was never used.
    free.release(boot_log)?;
    if let Some(rest) = pool.source().rest() {
        free.release(rest)?;
    }
    let mut at = 0;
    save_image(&free, |bytes| {
        flash[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    });
    println!("state saved in {at} bytes");

    // After a restart.
    let mut again = SpanMaps::new();
    load_image(&mut again, &flash)?;
    assert_eq!(again.free_pages(), BLOCKS - 1 - 1 - 40);
    let crash_log = again.allocate(12)?.ok_or("flash is full")?;
    assert_eq!(crash_log, boot_log, "the tightest place");

    // A damaged image is noticed; the free blocks are then those that no record names.
    flash[9] ^= 1;
    match load_image(&mut again, &flash) {
        Err(FreelistError::BadImage { .. }) => println!("damaged state noticed"),
        other => return Err(format!("not noticed: {other:?}").into()),
    }
    Ok(())
}
