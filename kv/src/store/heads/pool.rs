//! The frames of one kind of page.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use pagefile_std::prefetch;

use super::super::sync::{AtomicU64, Words};
use super::frame::{Frame, Shape};

/// Where another page is remembered already, one page in so many takes its place. A file that has more pages than there
/// are frames would otherwise fill frames all the time, and find nothing in them.
const REPLACED: u32 = 8;

/// Frames of `WORDS` words, of which `CONTENT` are content, in sets of `WAYS`. A page has a place in one set.
#[derive(Debug)]
pub(super) struct Pool<const WORDS: usize, const CONTENT: usize, const WAYS: usize> {
    words: Words,
    sets: u64,
    /// How many frames have ever been filled.
    filled: AtomicU64,
}

impl<const WORDS: usize, const CONTENT: usize, const WAYS: usize> Pool<WORDS, CONTENT, WAYS> {
    const FRAME_BYTES: usize = size_of::<[u64; WORDS]>();
    const SET_BYTES: usize = size_of::<[[u64; WORDS]; WAYS]>();
    const SET_WORDS: usize = Self::SET_BYTES / size_of::<u64>();
    /// The bits of a hash that say which way.
    const WAY: usize = WAYS.saturating_sub(1);

    /// None if there is no room for one set, or no memory.
    pub(super) fn new(bytes: usize) -> Option<Self> {
        const { assert!(WAYS.is_power_of_two(), "ways are counted by the low bits of a hash") };
        let sets = bytes.checked_div(Self::SET_BYTES).filter(|&sets| sets > 0)?;
        let words = Words::new(sets.checked_mul(Self::SET_WORDS)?).ok()?;
        Some(Self { words, sets: sets as u64, filled: AtomicU64::new(0) })
    }

    /// The set for `page`, and the way in it that it prefers.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a set's number is below that of the sets, which lie in memory")]
    fn place(&self, page: u64) -> (usize, usize) {
        /// 2^64 by the golden ratio: multiplied by it, consecutive numbers spread evenly (Knuth, volume 3, 6.4).
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        if WAYS == 1 {
            // A file of few pages has a frame for each, and uses the first frames only.
            let set = if page < self.sets { page } else { page.checked_rem(self.sets).unwrap_or(0) };
            return (set as usize, 0);
        }
        let hash = page.wrapping_mul(GOLDEN);
        (((hash >> 32).wrapping_mul(self.sets) >> 32) as usize, hash as usize >> 24)
    }

    /// Frame `next` of the set for `page`, the one it prefers being frame 0.
    #[inline]
    fn frame(&self, (set, way): (usize, usize), next: usize) -> Option<Frame<'_, CONTENT>> {
        let at = set.wrapping_mul(WAYS) | way.wrapping_add(next) & Self::WAY;
        self.words.as_slice().as_chunks::<WORDS>().0.get(at).and_then(|words| Frame::at(words))
    }

    /// The frames of the set for `page`.
    #[inline]
    fn set(&self, page: u64) -> impl Iterator<Item = Frame<'_, CONTENT>> {
        let place = self.place(page);
        (0..WAYS).filter_map(move |next| self.frame(place, next))
    }

    /// What `search` finds in what is remembered of `page`.
    #[inline]
    pub(super) fn read<'h, T>(
        &'h self,
        page: u64,
        search: impl FnOnce(Shape, &'h [AtomicU64; CONTENT]) -> Option<T>,
    ) -> Option<T> {
        self.set(page).find(|frame| frame.page() == page)?.read(page, search)
    }

    /// The words of the frame that `page` prefers.
    #[inline]
    fn preferred(&self, page: u64) -> &[AtomicU64] {
        let (set, way) = self.place(page);
        let at = set.wrapping_mul(WAYS) | way & Self::WAY;
        self.words.as_slice().as_chunks::<WORDS>().0.get(at).map_or(&[], |words| words)
    }

    /// Has the frame that `page` prefers brought near.
    #[inline]
    pub(super) fn prefetch(&self, page: u64) {
        prefetch(self.preferred(page));
    }

    /// Reads one word of each cache line of the frame that `page` prefers.
    #[inline]
    pub(super) fn touch(&self, page: u64) -> u64 {
        const LINE: usize = 64 / size_of::<u64>();
        self.preferred(page).iter().step_by(LINE).fold(0, |seen, word| seen ^ word.load(Ordering::Relaxed))
    }

    pub(super) fn knows(&self, page: u64) -> bool {
        self.set(page).any(|frame| frame.page() == page)
    }

    /// Remembers what `summary` says of `page`, where there is a place for it.
    pub(super) fn remember(&self, page: u64, summary: impl FnOnce() -> Option<(Shape, [u64; CONTENT])>) {
        let vacant = self.set(page).find(|frame| [0, page].contains(&frame.page()));
        let Some(frame) = vacant.or_else(|| self.replaced(page)) else { return };
        if let Some((shape, content)) = summary() {
            self.filled.fetch_add(frame.is_new().into(), Ordering::Relaxed);
            frame.fill(page, shape, &content);
        }
    }

    /// The frame of a full set whose page makes room for `page` now; mostly none.
    fn replaced(&self, page: u64) -> Option<Frame<'_, CONTENT>> {
        thread_local! {
            static WANTED: Cell<u32> = const { Cell::new(0) };
        }
        let wanted = WANTED.get().wrapping_add(1);
        WANTED.set(wanted);
        let turn = wanted.is_multiple_of(REPLACED);
        if turn { self.set(page).nth((wanted / REPLACED) as usize & Self::WAY) } else { None }
    }

    pub(super) fn forget(&self, page: u64) {
        self.set(page).for_each(|frame| frame.forget(page));
    }

    /// Bytes of the frames that have been filled.
    pub(super) fn used(&self) -> usize {
        let filled = usize::try_from(self.filled.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        filled.saturating_mul(Self::FRAME_BYTES).min(self.capacity())
    }

    /// Bytes of all frames.
    pub(super) fn capacity(&self) -> usize {
        self.words.as_slice().len().saturating_mul(size_of::<u64>())
    }
}
