//! What is remembered of one page.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::sync::atomic::Ordering;

use super::super::sync::{AtomicU32, AtomicU64, fence};
use crate::format::{Header, Kind, head};

/// The kind of the pages below a branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    Unknown,
    Branches,
    Leaves,
}

/// Where a key is in a page: behind all elements before `low`, and before all from `high` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Narrowed {
    pub(crate) low: usize,
    pub(crate) high: usize,
    /// The header of the page.
    pub(crate) header: Header,
    /// The page of the child that the key leads to, where that is remembered.
    pub(crate) child: Option<u64>,
    /// Where in a leaf the one key that the key may be equal to begins, where that is remembered.
    pub(crate) key_at: Option<usize>,
    pub(crate) below: Below,
}

/// The form of a frame's words.
///
/// The words are the bytes of the common prefix, four in a word; then the heads of elements 0, `stride`,
/// 2 x `stride` and so on; then, if there is room for it, the *places*: of a branch the page numbers of the children, of a
/// leaf where in it the keys begin, two in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Shape {
    pub(super) count: u16,
    pub(super) overflow: u16,
    pub(super) stride: u16,
    /// Bytes of the prefix that all keys share.
    pub(super) prefix: u8,
    pub(super) branch: bool,
    pub(super) places: bool,
    /// Whether the children are known to be leaves, or to be branches.
    pub(super) below: (bool, bool),
}

impl Shape {
    fn to_word(self) -> u64 {
        let flags = [self.branch, self.places, self.below.0, self.below.1];
        let flags = flags.iter().rev().fold(0u8, |bits, &flag| bits << 1 | u8::from(flag));
        u64::from(self.count)
            | u64::from(self.overflow) << 16
            | u64::from(self.stride) << 32
            | u64::from(self.prefix) << 48
            | u64::from(flags) << 56
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "each field is cut out of the word")]
    const fn from_word(word: u64) -> Self {
        let flags = (word >> 56) as u8;
        Self {
            count: word as u16,
            overflow: (word >> 16) as u16,
            stride: (word >> 32) as u16,
            prefix: (word >> 48) as u8,
            branch: flags & 1 != 0,
            places: flags & 2 != 0,
            below: (flags & 4 != 0, flags & 8 != 0),
        }
    }

    #[inline]
    const fn below(self) -> Below {
        match self.below {
            (true, _) => Below::Leaves,
            (_, true) => Below::Branches,
            _ => Below::Unknown,
        }
    }

    pub(super) fn prefix_words(self) -> usize {
        usize::from(self.prefix).div_ceil(4)
    }

    /// How many elements have their heads in the frame.
    fn heads(self) -> usize {
        let stride = usize::from(self.stride).max(1);
        usize::from(self.count).div_ceil(stride)
    }
}

/// A page's heads behind a sequence lock: readers see one whole content or none.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Frame<const WORDS: usize> {
    /// Odd while somebody fills the frame.
    sequence: AtomicU64,
    /// 0 while nothing is remembered here.
    page: AtomicU64,
    shape: AtomicU64,
    words: [AtomicU32; WORDS],
}

impl<const WORDS: usize> Frame<WORDS> {
    pub(super) fn new() -> Self {
        let word = |()| AtomicU32::new(0);
        Self {
            sequence: AtomicU64::new(0),
            page: AtomicU64::new(0),
            shape: AtomicU64::new(0),
            words: [(); WORDS].map(word),
        }
    }

    /// The page that is remembered here, or 0. It may change at any time.
    #[inline]
    pub(super) fn page(&self) -> u64 {
        self.page.load(Ordering::Relaxed)
    }

    /// Reads the frame's first and last words: both its cache lines, if it is a leaf's.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        self.page() ^ u64::from(self.words.last().map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    /// Where `key` is in `page`, if that is remembered here.
    #[inline]
    pub(super) fn narrow(&self, page: u64, key: &[u8]) -> Option<Narrowed> {
        let before = self.sequence.load(Ordering::Acquire);
        if before & 1 != 0 || self.page() != page {
            return None;
        }
        let shape = Shape::from_word(self.shape.load(Ordering::Relaxed));
        let narrowed = self.search(shape, page, key);
        fence(Ordering::Acquire);
        if self.sequence.load(Ordering::Relaxed) != before {
            return None;
        }
        debug_assert!(narrowed.low <= narrowed.high, "a whole content has its heads in order");
        Some(narrowed)
    }

    /// The words may be of two contents: then the result is nonsense, which the caller throws away.
    #[inline]
    fn search(&self, shape: Shape, page: u64, key: &[u8]) -> Narrowed {
        let count = usize::from(shape.count);
        let stride = usize::from(shape.stride);
        let (low, high) = match self.compare_prefix(shape, key) {
            Less => (0, 0),
            Greater => (count, count),
            Equal => {
                let head = head(key, usize::from(shape.prefix));
                let heads = self.words.get(shape.prefix_words()..).unwrap_or(&[]);
                let heads = heads.get(..shape.heads()).unwrap_or(&[]);
                let less = heads.partition_point(|word| word.load(Ordering::Relaxed) < head);
                let equal = heads.iter().skip(less).take_while(|word| word.load(Ordering::Relaxed) == head).count();
                // Between a head that is less and the next that is remembered, the others may be anything from the one
                // to the other.
                let low = less.checked_sub(1).map_or(0, |last| last.saturating_mul(stride).saturating_add(1));
                (low, less.saturating_add(equal).saturating_mul(stride).min(count))
            }
        };
        let kind = if shape.branch { Kind::Branch } else { Kind::Leaf };
        let header = Header { id: page, kind, count: shape.count, overflow: shape.overflow.into() };
        let (mut child, mut key_at) = (None, None);
        if shape.places && shape.branch && low == high {
            child = self.place(shape, low.saturating_sub(1)).map(u64::from);
        } else if shape.places && !shape.branch && low < high {
            let pair = self.place(shape, low / 2).unwrap_or(0);
            key_at = usize::try_from(if low.is_multiple_of(2) { pair & 0xFFFF } else { pair >> 16 }).ok();
        }
        Narrowed { low, high, header, child, key_at, below: shape.below() }
    }

    /// The common prefix compared to as much of `key`: whether `key` is less than all keys of the page, or greater.
    #[inline]
    fn compare_prefix(&self, shape: Shape, key: &[u8]) -> std::cmp::Ordering {
        let prefix = usize::from(shape.prefix);
        let start = key.get(..prefix).unwrap_or(key);
        for (word, at) in self.words.iter().zip((0..prefix).step_by(4)) {
            match head(start, at).cmp(&word.load(Ordering::Relaxed)) {
                Equal => {}
                decided => return decided,
            }
        }
        // A key that ends within the prefix is less than every key that goes on.
        if key.len() < prefix { Less } else { Equal }
    }

    #[inline]
    fn place(&self, shape: Shape, index: usize) -> Option<u32> {
        let at = shape.prefix_words().saturating_add(shape.heads()).saturating_add(index);
        self.words.get(at).map(|word| word.load(Ordering::Relaxed))
    }

    /// Remembers `page` here, unless somebody else is filling the frame.
    pub(super) fn fill(&self, page: u64, shape: Shape, words: &[u32; WORDS]) {
        let before = self.sequence.load(Ordering::Relaxed);
        let odd = before.wrapping_add(1);
        let free = before & 1 == 0;
        if !free || self.sequence.compare_exchange(before, odd, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return;
        }
        fence(Ordering::Release);
        self.page.store(page, Ordering::Relaxed);
        self.shape.store(shape.to_word(), Ordering::Relaxed);
        for (word, &value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        debug_assert_eq!(Shape::from_word(shape.to_word()), shape, "a shape is read as it was written");
        self.sequence.store(before.wrapping_add(2), Ordering::Release);
    }

    /// Forgets `page` if it is here. Nobody is filling the frame with it: that takes a reader who sees it.
    pub(super) fn forget(&self, page: u64) {
        let before = self.sequence.load(Ordering::Relaxed);
        if before & 1 != 0 || self.page() != page {
            return;
        }
        // If it fails, another page has taken the place.
        let odd = before.wrapping_add(1);
        if self.sequence.compare_exchange(before, odd, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            fence(Ordering::Release);
            self.page.store(0, Ordering::Relaxed);
            self.sequence.store(before.wrapping_add(2), Ordering::Release);
        }
    }
}
