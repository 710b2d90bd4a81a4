//! Allocates and frees page frames through `freelist-core` beside a model, without an operating
//! system.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::fmt;

use freelist_core::{
    FixedRange, FreeSpans, PageAllocator, PageId, Request, SharedAllocator, Span, SpanMaps, Spans, load_image,
    save_image,
};

/// Frames of 4 KiB from 2 GiB on, as many machines have them.
const FIRST_FRAME: u64 = 0x8000_0000 >> 12;
const FRAMES: usize = 3000;
const STEPS: u32 = 20_000;

/// What was done.
#[derive(Debug)]
pub struct Outcome {
    /// Allocations that succeeded.
    pub allocated: u32,
    /// Allocations that found no span.
    pub refused: u32,
    /// Releases.
    pub released: u32,
    /// Frames free at the end, and the spans that they form.
    pub free: (u64, u64),
    /// Heap bytes of the free list at the end.
    pub heap_bytes: usize,
    /// Bytes of the saved image.
    pub image_bytes: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} allocations, {} refused, {} releases; {} frames free in {} spans, {} heap bytes, image of {} bytes",
            self.allocated,
            self.refused,
            self.released,
            self.free.0,
            self.free.1,
            self.heap_bytes,
            self.image_bytes
        )
    }
}

/// One flag per frame: free or not, and the model that every answer is compared with.
struct Frames([bool; FRAMES]);

impl Frames {
    fn index(page: PageId) -> Result<usize, &'static str> {
        let distance = page.distance_from(PageId::new(FIRST_FRAME)).ok_or("a frame before the first")?;
        usize::try_from(distance).ok().filter(|index| *index < FRAMES).ok_or("a frame after the last")
    }

    fn set(&mut self, span: Span, free: bool) -> Result<(), &'static str> {
        for page in span.pages() {
            let flag = &mut self.0[Self::index(page)?];
            if *flag == free {
                return Err("a frame in two hands");
            }
            *flag = free;
        }
        Ok(())
    }

    /// The maximal spans, by looking at every frame.
    fn agree_with(&self, set: &SpanMaps) -> Result<(), &'static str> {
        let mut spans = Spans::new(set);
        let mut index = 0;
        while let Some(start) = (index..FRAMES).find(|index| self.0[*index]) {
            index = (start..FRAMES).find(|index| !self.0[*index]).unwrap_or(FRAMES);
            let span = spans.next().ok_or("a free span is missing")?;
            if Self::index(span.start())? != start || span.len() != (index - start) as u64 {
                return Err("a free span has other bounds");
            }
        }
        if spans.next().is_some() { Err("a free span too many") } else { Ok(()) }
    }
}

/// Runs the program.
///
/// # Errors
/// What did not agree with the model.
pub fn run() -> Result<Outcome, &'static str> {
    let range = Span::new(PageId::new(FIRST_FRAME), FRAMES as u64).map_err(|_| "the range")?;
    let mut all = SpanMaps::new();
    all.release(range).map_err(|_| "memory")?;
    let list = freelist_core::Freelist::new(all);
    let nothing_new = FixedRange::new(Span::single(PageId::new(0)).map_err(|_| "page 0")?);
    let shared = SharedAllocator::new(spin::Mutex::new(PageAllocator::with_list(list, nothing_new)));

    let mut frames = Frames([true; FRAMES]);
    let mut held: Vec<Span> = Vec::new();
    let mut outcome = Outcome { allocated: 0, refused: 0, released: 0, free: (0, 0), heap_bytes: 0, image_bytes: 0 };
    let mut dice = 0x9e37_79b9_u32;
    for step in 0..STEPS {
        dice ^= dice << 13;
        dice ^= dice >> 17;
        dice ^= dice << 5;
        if dice % 5 < 3 {
            let request = Request::new(u64::from(1 + (dice >> 8) % 12)).aligned_to(1 << ((dice >> 16) % 4)).within(range);
            if let Some(span) = shared.allocate_where(request).map_err(|_| "memory")? {
                if span.start().get() % request.alignment() != 0 || span.len() != request.pages() {
                    return Err("a span that was not asked for");
                }
                frames.set(span, false)?;
                held.push(span);
                outcome.allocated += 1;
            } else {
                outcome.refused += 1;
            }
        } else if !held.is_empty() {
            let span = held.swap_remove((dice >> 8) as usize % held.len());
            shared.release(span).map_err(|_| "a release was refused")?;
            if shared.release(span).is_ok() {
                return Err("a double free was not noticed");
            }
            frames.set(span, true)?;
            outcome.released += 1;
        }
        if step % 100 == 0 {
            shared.with(|allocator| frames.agree_with(allocator.list().spans()))?;
        }
    }
    shared.with(|allocator| {
        let set = allocator.list().spans();
        frames.agree_with(set)?;
        let mut image = Vec::new();
        save_image(set, |bytes| image.extend_from_slice(bytes));
        let mut again = SpanMaps::new();
        load_image(&mut again, &image).map_err(|_| "the image does not load")?;
        frames.agree_with(&again)?;
        outcome.free = (set.free_pages(), set.free_spans());
        outcome.heap_bytes = set.memory_bytes();
        outcome.image_bytes = image.len();
        Ok(outcome)
    })
}
