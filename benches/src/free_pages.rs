//! What the free list benchmarks ask of every contestant.

use bitmap_allocator::{BitAlloc, BitAlloc256M};
use buddy_system_allocator::FrameAllocator;
use freelist_core::{FreeSpans, PageId, SortedArray, Span, SpanMaps};

use crate::bbolt_array::BboltArray;
use crate::bbolt_hashmap::BboltHashmap;

/// A set of free pages under measurement. Spans are (first page, length), in page order.
pub trait FreePages {
    /// Its name in the tables.
    const NAME: &'static str;
    /// A set of these free spans.
    fn load(spans: &[(u64, u64)]) -> Self;
    /// Takes contiguous pages.
    fn allocate(&mut self, pages: u64) -> Option<u64>;
    /// Puts pages in.
    fn release(&mut self, start: u64, pages: u64);
    /// Undoes a release, outside of the time measured.
    fn take(&mut self, start: u64, pages: u64);
}

fn span(start: u64, pages: u64) -> Span {
    Span::new(PageId::new(start), pages).expect("benchmark spans are valid")
}

fn load_set<S: FreeSpans + Default>(spans: &[(u64, u64)]) -> S {
    let mut set = S::default();
    let mut spans = spans.iter().map(|(start, pages)| span(*start, *pages));
    set.release_all(&mut spans).expect("benchmark spans are disjoint");
    set
}

macro_rules! free_spans_contestant {
    ($set:ty, $name:literal) => {
        impl FreePages for $set {
            const NAME: &'static str = $name;
            fn load(spans: &[(u64, u64)]) -> Self {
                load_set(spans)
            }
            fn allocate(&mut self, pages: u64) -> Option<u64> {
                Some(FreeSpans::allocate(self, pages).expect("memory")?.start().get())
            }
            fn release(&mut self, start: u64, pages: u64) {
                FreeSpans::release(self, span(start, pages)).expect("the pages are in use");
            }
            fn take(&mut self, start: u64, pages: u64) {
                FreeSpans::take(self, span(start, pages)).expect("the pages are free");
            }
        }
    };
}
free_spans_contestant!(SpanMaps, "span maps");
free_spans_contestant!(SortedArray, "sorted array");

macro_rules! baseline_contestant {
    ($set:ty, $name:literal) => {
        impl FreePages for $set {
            const NAME: &'static str = $name;
            fn load(spans: &[(u64, u64)]) -> Self {
                Self::load(spans)
            }
            fn allocate(&mut self, pages: u64) -> Option<u64> {
                self.allocate(pages)
            }
            fn release(&mut self, start: u64, pages: u64) {
                self.release(start, pages);
            }
            fn take(&mut self, start: u64, pages: u64) {
                self.take(start, pages);
            }
        }
    };
}
baseline_contestant!(BboltArray, "bbolt array");
baseline_contestant!(BboltHashmap, "bbolt hashmap");

fn index(page: u64) -> usize {
    usize::try_from(page).expect("benchmark pages fit")
}

/// The `bitmap-allocator` crate: a tree of bits. Lowest address; does not merge, it has no spans.
pub struct Bitmap(Box<BitAlloc256M>);

impl FreePages for Bitmap {
    const NAME: &'static str = "bitmap-allocator";
    fn load(spans: &[(u64, u64)]) -> Self {
        // The tree is 32 MiB and built on the stack before it is boxed.
        let build = || Box::new(BitAlloc256M::DEFAULT);
        let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(build);
        let mut bits = thread.expect("a thread").join().expect("a bitmap");
        for (start, pages) in spans {
            bits.insert(index(*start)..index(start + pages));
        }
        Self(bits)
    }
    fn allocate(&mut self, pages: u64) -> Option<u64> {
        let found = match pages {
            1 => self.0.alloc(),
            pages => self.0.alloc_contiguous(None, index(pages), 0),
        };
        found.map(|page| page as u64)
    }
    fn release(&mut self, start: u64, pages: u64) {
        self.0.insert(index(start)..index(start + pages));
    }
    fn take(&mut self, start: u64, pages: u64) {
        self.0.remove(index(start)..index(start + pages));
    }
}

/// The `buddy_system_allocator` crate's frame allocator: lengths are rounded up to powers of two.
pub struct Buddy(FrameAllocator<32>);

impl FreePages for Buddy {
    const NAME: &'static str = "buddy_system_allocator";
    fn load(spans: &[(u64, u64)]) -> Self {
        let mut frames = FrameAllocator::new();
        for (start, pages) in spans {
            frames.add_frame(index(*start), index(start + pages));
        }
        Self(frames)
    }
    fn allocate(&mut self, pages: u64) -> Option<u64> {
        self.0.alloc(index(pages)).map(|page| page as u64)
    }
    fn release(&mut self, start: u64, pages: u64) {
        self.0.dealloc(index(start), index(pages));
    }
    fn take(&mut self, start: u64, pages: u64) {
        self.0.alloc_at(index(start), index(pages));
    }
}
