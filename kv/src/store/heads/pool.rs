//! The frames of one kind of page.

use std::cell::Cell;
use std::sync::OnceLock;

use super::frame::{Frame, Narrowed, Shape};

/// Frames are allocated so many at a time, when the first of them is filled: a small database takes little memory.
const CHUNK: usize = 64;

/// Where another page is remembered already, one page in so many takes its place. A file that has more pages than there
/// are frames would otherwise fill frames all the time, and find nothing in them.
const REPLACED: u32 = 8;

/// Frames in sets of `WAYS`. A page has a place in one set.
#[derive(Debug)]
pub(super) struct Pool<const WORDS: usize, const WAYS: usize> {
    chunks: Box<[OnceLock<Box<[Frame<WORDS>]>>]>,
    sets: u64,
}

impl<const WORDS: usize, const WAYS: usize> Pool<WORDS, WAYS> {
    pub(super) fn new(bytes: usize) -> Self {
        const { assert!(CHUNK.is_multiple_of(WAYS), "a set lies in one chunk") };
        let chunks = bytes.checked_div(size_of::<Frame<WORDS>>().saturating_mul(CHUNK)).unwrap_or(0);
        let sets = chunks.saturating_mul(CHUNK).checked_div(WAYS).unwrap_or(0) as u64;
        Self { chunks: (0..chunks).map(|_| OnceLock::new()).collect(), sets }
    }

    /// The number of the first frame of the set for `page`.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a frame's number is below that of the frames")]
    fn place(&self, page: u64) -> Option<usize> {
        /// 2^64 by the golden ratio: multiplied by it, consecutive numbers spread evenly (Knuth, volume 3, 6.4).
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        // With one way, a file of few pages has a frame for each, and uses the first frames only.
        let spread = if WAYS == 1 { page } else { page.wrapping_mul(GOLDEN) >> 32 };
        let set = spread.checked_rem(self.sets)? as usize;
        Some(set.saturating_mul(WAYS))
    }

    /// The frames of the set for `page`, if they are allocated.
    #[inline]
    fn set(&self, page: u64) -> &[Frame<WORDS>] {
        let Some(first) = self.place(page) else { return &[] };
        let chunk = self.chunks.get(first / CHUNK).and_then(OnceLock::get);
        chunk.and_then(|frames| frames.get(first % CHUNK..)?.get(..WAYS)).unwrap_or(&[])
    }

    #[inline]
    pub(super) fn narrow(&self, page: u64, key: &[u8]) -> Option<Narrowed> {
        self.set(page).iter().find_map(|frame| frame.narrow(page, key))
    }

    /// Reads one word of each cache line of the first frame for `page`.
    #[inline]
    pub(super) fn touch(&self, page: u64) -> u64 {
        self.set(page).first().map_or(0, Frame::touch)
    }

    pub(super) fn knows(&self, page: u64) -> bool {
        self.set(page).iter().any(|frame| frame.page() == page)
    }

    /// Remembers what `summary` says of `page`, where there is a place for it.
    pub(super) fn remember(&self, page: u64, summary: impl FnOnce() -> Option<(Shape, [u32; WORDS])>) {
        let Some(first) = self.place(page) else { return };
        let Some(chunk) = self.chunks.get(first / CHUNK) else { return };
        let frames = chunk.get_or_init(|| (0..CHUNK).map(|_| Frame::new()).collect());
        let Some(set) = frames.get(first % CHUNK..).and_then(|frames| frames.get(..WAYS)) else { return };
        let vacant = set.iter().find(|frame| [0, page].contains(&frame.page()));
        let Some(frame) = vacant.or_else(|| replaced(set)) else { return };
        if let Some((shape, words)) = summary() {
            frame.fill(page, shape, &words);
        }
    }

    pub(super) fn forget(&self, page: u64) {
        self.set(page).iter().for_each(|frame| frame.forget(page));
    }

    /// Bytes of the frames that are allocated.
    pub(super) fn used(&self) -> usize {
        let chunks = self.chunks.iter().filter(|chunk| chunk.get().is_some()).count();
        chunks.saturating_mul(CHUNK).saturating_mul(size_of::<Frame<WORDS>>())
    }

    /// Bytes of all frames.
    pub(super) fn capacity(&self) -> usize {
        self.chunks.len().saturating_mul(CHUNK).saturating_mul(size_of::<Frame<WORDS>>())
    }
}

/// The frame of a full set whose page makes room for another now; mostly none.
fn replaced<const WORDS: usize>(set: &[Frame<WORDS>]) -> Option<&Frame<WORDS>> {
    thread_local! {
        static WANTED: Cell<u32> = const { Cell::new(0) };
    }
    let wanted = WANTED.get().wrapping_add(1);
    WANTED.set(wanted);
    assert!(!set.is_empty(), "a place is a set of frames");
    let turn = wanted.checked_rem(REPLACED)? == 0;
    let way = (wanted / REPLACED) as usize;
    if turn { set.get(way.checked_rem(set.len())?) } else { None }
}
