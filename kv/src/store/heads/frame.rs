//! The place of one page: a sequence lock around what is remembered of it.

use std::sync::atomic::Ordering;

use super::super::sync::{AtomicU64, fence};
use super::Below;
use crate::format::{Header, Kind};

/// Words before the content.
pub(super) const HEADER: usize = 3;

/// What is said of a page beside its heads, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Shape {
    pub(super) count: u16,
    pub(super) overflow: u16,
    /// Every so manieth element has its head here.
    pub(super) stride: u8,
    /// Where in the keys the heads begin, see `Columns`: in bits if they are one run of them, else in bytes.
    pub(super) prefix: u16,
    pub(super) run: bool,
    /// Whether the places of the elements follow the heads.
    pub(super) places: bool,
    /// Whether the children are known to be leaves, or to be branches.
    pub(super) below: (bool, bool),
}

impl Shape {
    fn to_word(self) -> u64 {
        let flags = [self.places, self.below.0, self.below.1, self.run];
        let flags = flags.iter().rev().fold(0u8, |bits, &flag| bits << 1 | u8::from(flag));
        u64::from(self.count)
            | u64::from(self.overflow) << 16
            | u64::from(self.prefix) << 32
            | u64::from(self.stride) << 48
            | u64::from(flags) << 56
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "each field is cut out of the word")]
    const fn from_word(word: u64) -> Self {
        let flags = (word >> 56) as u8;
        Self {
            count: word as u16,
            overflow: (word >> 16) as u16,
            prefix: (word >> 32) as u16,
            stride: (word >> 48) as u8,
            places: flags & 1 != 0,
            below: (flags & 2 != 0, flags & 4 != 0),
            run: flags & 8 != 0,
        }
    }

    #[inline]
    pub(super) const fn below(self) -> Below {
        match self.below {
            (true, _) => Below::Leaves,
            (_, true) => Below::Branches,
            _ => Below::Unknown,
        }
    }

    /// How many elements have their heads here.
    #[inline]
    pub(super) fn heads(self) -> usize {
        let count = usize::from(self.count);
        if self.stride == 1 { count } else { count.div_ceil(usize::from(self.stride).max(1)) }
    }

    /// The elements that may equal the key, of which so many heads are less than the key's, and so many not greater.
    #[inline]
    pub(super) fn range(self, less: usize, not_greater: usize) -> (usize, usize) {
        let (count, stride) = (usize::from(self.count), usize::from(self.stride));
        // Between a head that is less and the next that is here, the others may be anything from the one to the other.
        let low = if stride == 1 {
            less
        } else {
            less.checked_sub(1).map_or(0, |last| last.wrapping_mul(stride).wrapping_add(1))
        };
        (low.min(count), not_greater.wrapping_mul(stride).min(count))
    }

    /// The header of page `id`.
    #[inline]
    pub(super) fn header(self, id: u64, kind: Kind) -> Header {
        Header { id, kind, count: self.count, overflow: self.overflow.into() }
    }
}

/// A page's place: its sequence, odd while somebody fills it; the page, 0 while there is none; the shape; the content.
/// Readers see one whole content or none.
#[derive(Debug)]
pub(super) struct Frame<'h, const CONTENT: usize>(&'h [AtomicU64; HEADER], &'h [AtomicU64; CONTENT]);

impl<'h, const CONTENT: usize> Frame<'h, CONTENT> {
    /// None if the words are too few.
    #[inline]
    pub(super) fn at(words: &'h [AtomicU64]) -> Option<Self> {
        let (header, content) = words.split_first_chunk()?;
        Some(Self(header, content.first_chunk()?))
    }

    /// The page that is remembered here, or 0. It may change at any time.
    #[inline]
    pub(super) fn page(&self) -> u64 {
        let [_, page, _] = self.0;
        page.load(Ordering::Relaxed)
    }

    /// Whether nothing has ever been remembered here.
    pub(super) fn is_new(&self) -> bool {
        let [sequence, ..] = self.0;
        sequence.load(Ordering::Relaxed) == 0
    }

    /// What `search` finds in what is remembered of `page`, if that is here. It may be shown the words of two contents:
    /// then what it answers is thrown away.
    #[inline]
    pub(super) fn read<T>(
        &self,
        page: u64,
        search: impl FnOnce(Shape, &'h [AtomicU64; CONTENT]) -> Option<T>,
    ) -> Option<T> {
        let [sequence, _, shape] = self.0;
        let before = sequence.load(Ordering::Acquire);
        if before & 1 != 0 || self.page() != page {
            return None;
        }
        let found = search(Shape::from_word(shape.load(Ordering::Relaxed)), self.1);
        fence(Ordering::Acquire);
        if sequence.load(Ordering::Relaxed) == before { found } else { None }
    }

    /// Remembers `page` here, unless somebody else is filling the frame.
    pub(super) fn fill(&self, page: u64, shape: Shape, content: &[u64; CONTENT]) {
        let [sequence, of_page, of_shape] = self.0;
        let before = sequence.load(Ordering::Relaxed);
        let odd = before.wrapping_add(1);
        let free = before & 1 == 0;
        if !free || sequence.compare_exchange(before, odd, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return;
        }
        fence(Ordering::Release);
        of_page.store(page, Ordering::Relaxed);
        of_shape.store(shape.to_word(), Ordering::Relaxed);
        for (word, &value) in self.1.iter().zip(content) {
            word.store(value, Ordering::Relaxed);
        }
        debug_assert_eq!(Shape::from_word(shape.to_word()), shape, "a shape is read as it was written");
        sequence.store(before.wrapping_add(2), Ordering::Release);
    }

    /// Forgets `page` if it is here. Nobody is filling the frame with it: that takes a reader who sees it.
    pub(super) fn forget(&self, page: u64) {
        let [sequence, of_page, _] = self.0;
        let before = sequence.load(Ordering::Relaxed);
        if before & 1 != 0 || self.page() != page {
            return;
        }
        // If it fails, another page has taken the place.
        let odd = before.wrapping_add(1);
        if sequence.compare_exchange(before, odd, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            fence(Ordering::Release);
            of_page.store(0, Ordering::Relaxed);
            sequence.store(before.wrapping_add(2), Ordering::Release);
        }
    }
}
