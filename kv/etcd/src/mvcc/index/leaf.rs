//! Neighbouring keys with their histories, packed.

use std::ops::Range;

use super::history::History;

/// Most keys of a leaf.
pub(super) const KEYS_MAX: usize = 128;
/// A leaf of long keys splits at this many bytes, so that an insertion moves few.
const BYTES_MAX: usize = 32 << 10;

/// Keys in order. Their bytes lie together, so that a key costs little more than its length.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    bytes: Vec<u8>,
    /// Where each key ends in `bytes`.
    ends: Vec<u32>,
    histories: Vec<History>,
    /// How many keys are live at the newest revision.
    pub(super) live: usize,
    /// No change of the leaf's keys is newer.
    pub(super) newest: i64,
}

impl Leaf {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn key(&self, at: usize) -> &[u8] {
        &self.bytes[self.start(at)..self.ends[at] as usize]
    }

    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    pub(super) fn history(&self, at: usize) -> &History {
        &self.histories[at]
    }

    /// Where the key is, or would be.
    pub(super) fn position(&self, key: &[u8]) -> Result<usize, usize> {
        let Range { mut start, mut end } = 0..self.len();
        while start < end {
            let middle = start.midpoint(end);
            match self.key(middle).cmp(key) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        Err(start)
    }

    /// Changes the history at `at`.
    pub(super) fn change<T>(&mut self, at: usize, change: impl FnOnce(&mut History) -> T) -> T {
        let history = &mut self.histories[at];
        self.live -= usize::from(history.is_live());
        let result = change(history);
        self.live += usize::from(history.is_live());
        self.newest = self.newest.max(history.newest());
        result
    }

    pub(super) fn insert(&mut self, at: usize, key: &[u8], history: History) {
        debug_assert!(at == 0 || self.key(at - 1) < key, "keys ascend");
        debug_assert!(at == self.len() || key < self.key(at), "keys ascend");
        let start = self.start(at);
        self.live += usize::from(history.is_live());
        self.newest = self.newest.max(history.newest());
        reserve(&mut self.bytes, key.len());
        reserve(&mut self.ends, 1);
        reserve(&mut self.histories, 1);
        let old = self.bytes.len();
        self.bytes.resize(old + key.len(), 0);
        self.bytes.copy_within(start..old, start + key.len());
        self.bytes[start..start + key.len()].copy_from_slice(key);
        let len = u32::try_from(key.len()).expect("a request is shorter than 4 GiB");
        self.ends[at..].iter_mut().for_each(|end| *end += len);
        self.ends.insert(at, u32::try_from(start).expect("a leaf is small") + len);
        self.histories.insert(at, history);
        self.assert_sound();
    }

    /// What holds between any two calls.
    fn assert_sound(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert_eq!(self.ends.len(), self.histories.len(), "each key has its history");
        assert_eq!(self.start(self.len()), self.bytes.len(), "the keys are all that the bytes have");
        assert!(self.ends.is_sorted(), "keys lie one behind the other");
        assert!((1..self.len()).all(|at| self.key(at - 1) < self.key(at)), "keys ascend");
        let live = self.histories.iter().filter(|history| history.is_live()).count();
        assert_eq!(self.live, live, "live keys are counted");
        assert!(self.histories.iter().all(|history| history.newest() <= self.newest), "no change is newer");
    }

    /// Keeps those keys whose history `keep` leaves with a revision; `keep` may change it.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut History) -> bool) {
        let mut left = Self { newest: self.newest, ..Self::default() };
        let mut histories = std::mem::take(&mut self.histories);
        let keeps: Vec<bool> = histories.iter_mut().map(&mut keep).collect();
        if keeps.iter().all(|keep| *keep) {
            self.live = histories.iter().filter(|history| history.is_live()).count();
            self.histories = histories;
            self.assert_sound();
            return;
        }
        for (at, (history, keep)) in histories.into_iter().zip(keeps).enumerate() {
            if keep {
                left.insert(left.len(), self.key(at), history);
            }
        }
        *self = left;
    }

    pub(super) fn remove(&mut self, at: usize) {
        let (start, end) = (self.start(at), self.ends[at] as usize);
        let history = self.histories.remove(at);
        self.live -= usize::from(history.is_live());
        self.bytes.drain(start..end);
        self.ends.remove(at);
        let len = u32::try_from(end - start).expect("a leaf is small");
        self.ends[at..].iter_mut().for_each(|end| *end -= len);
        self.assert_sound();
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() > KEYS_MAX || self.bytes.len() > BYTES_MAX && self.len() > 1
    }

    /// Moves the keys from a place near the middle on into a leaf of their own. If the newest key is the last, only that
    /// one: a store that is filled in order has full leaves.
    pub(super) fn split(&mut self, newest: usize) -> Self {
        let at = if newest + 1 == self.len() { newest } else { self.len() / 2 };
        assert!(0 < at && at < self.len(), "both halves have keys");
        let start = self.start(at);
        let bytes = self.bytes.split_off(start);
        let start = u32::try_from(start).expect("a leaf is small");
        let ends = self.ends.split_off(at).into_iter().map(|end| end - start).collect();
        let histories = self.histories.split_off(at);
        let live = histories.iter().filter(|history| history.is_live()).count();
        self.live -= live;
        self.fit();
        let mut right = Self { bytes, ends, histories, live, newest: self.newest };
        right.fit();
        debug_assert!(self.key(at - 1) < right.key(0), "the halves are in order");
        self.assert_sound();
        right.assert_sound();
        right
    }

    /// Appends the keys of the leaf behind this one.
    pub(super) fn append(&mut self, right: Self) {
        debug_assert!(self.len() + right.len() <= KEYS_MAX, "both are small");
        let start = u32::try_from(self.bytes.len()).expect("a leaf is small");
        self.bytes.extend_from_slice(&right.bytes);
        self.ends.extend(right.ends.into_iter().map(|end| end + start));
        self.histories.extend(right.histories);
        self.live += right.live;
        self.newest = self.newest.max(right.newest);
        self.fit();
        self.assert_sound();
    }

    fn fit(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.histories.shrink_to_fit();
    }
}

/// Room for `more` and a little in reserve: doubling would leave a quarter of the index unused.
fn reserve<T>(items: &mut Vec<T>, more: usize) {
    if items.capacity() - items.len() < more {
        items.reserve_exact(more + items.len() / 8);
    }
}
