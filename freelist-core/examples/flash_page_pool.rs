//! Erase blocks of a flash chip as pages: logs and settings come and go. The pool is saved in a reserved
//! block, and loaded again after a restart.
//!
//! `cargo run -p freelist-core --features image --example flash_page_pool`

use freelist_core::{
    FixedRange, FreeSpans, FreelistError, ImageWriter, PageAllocator, PageId, Span, SpanMaps, Spans, load_image,
};

/// 256 erase blocks of 4 KiB; the first holds the pool's own state.
const BLOCKS: u64 = 256;

type Pool = PageAllocator<FixedRange>;

/// Saves all free pages in order: those that came back to the pool, then those that its source still has.
fn save(pool: &Pool, flash: &mut [u8]) -> usize {
    let mut at = 0;
    let mut image = ImageWriter::new(|bytes: &[u8]| {
        flash[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    });
    let mut rest = pool.source().rest();
    pool.list().for_each_span(&mut |span| match rest.filter(|rest| rest.start() == span.end()) {
        // They touch: one span.
        Some(unused) => rest = Span::between(span.start(), unused.end()),
        None => image.add(span),
    });
    if let Some(unused) = rest {
        image.add(unused);
    }
    image.finish();
    at
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flash = vec![0xff_u8; 4096];
    let usable = Span::new(PageId::new(1), BLOCKS - 1)?;
    let mut pool = Pool::new(FixedRange::new(usable));

    // Reserve for the worst case at the start, so that no later call runs out of memory.
    pool.list_mut().reserve(BLOCKS / 2, usable)?;
    println!("{} bytes of memory reserved for {BLOCKS} blocks", pool.list().memory_bytes());

    let boot_log = pool.allocate(12)?.ok_or("flash is full")?;
    let settings = pool.allocate(1)?.ok_or("flash is full")?;
    let samples = pool.allocate(40)?.ok_or("flash is full")?;
    pool.release(boot_log)?;
    pool.release(Span::new(samples.start(), 3)?)?;
    println!("settings in {settings}, samples in {samples}, {} blocks free again", pool.list().free_pages());

    // Before the power goes off.
    let bytes = save(&pool, &mut flash);
    println!("state saved in {bytes} bytes");

    // After a restart.
    let mut again = SpanMaps::new();
    load_image(&mut again, &flash)?;
    let mut free: Vec<Span> = Spans::new(pool.list().spans()).collect();
    free.extend(pool.source().rest());
    assert!(Spans::new(&again).eq(free), "the same blocks are free as before");
    let crash_log = again.allocate(12)?.ok_or("flash is full")?;
    assert_eq!(crash_log, boot_log, "the tightest place");

    // A damaged image is an error. The free blocks are then all those that no log and no setting uses.
    flash[9] ^= 1;
    match load_image(&mut again, &flash) {
        Err(FreelistError::BadImage { .. }) => println!("damaged state noticed"),
        other => return Err(format!("not noticed: {other:?}").into()),
    }
    Ok(())
}
