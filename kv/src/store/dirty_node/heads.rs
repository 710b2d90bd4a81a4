//! A search in a changed node by the heads of its keys.
//!
//! The keys of a node lie all over its bytes, so a binary search waits for memory at each of its steps. The *heads*, the
//! first eight bytes of each key after the prefix that all keys share, lie side by side in a few cache lines and decide
//! nearly every comparison. A node that is searched again and again gets them; one that a small transaction searches once
//! is not worth it.

use std::cmp::Ordering;
use std::ops::Range;

use super::DirtyNode;
use crate::format::head;

/// The heads of a node's keys, or nothing.
///
/// **Invariant:** if there are any, there is one for each key, and all keys begin with the same `prefix` bytes.
#[derive(Debug, Default)]
pub(super) struct KeyHeads {
    words: Vec<u64>,
    /// 2^16 - 1 if there are more.
    prefix: u16,
    /// The head of the prefix itself, with zeros behind a short one: most searches need no look at a key then.
    start: u64,
    /// Searches since there were heads.
    searches: u16,
}

/// One search by heads saves about as much as it takes to find the heads of so many keys.
const PAYS_FOR: usize = 8;

/// As many heads lie in eight cache lines.
const FEW: usize = 64;

/// Bytes of a head.
const WORD: usize = size_of::<u64>();

/// The first bytes of `key`, as many as a prefix of `prefix` bytes has, and eight at most, with zeros behind.
#[inline]
fn start_of(key: &[u8], prefix: usize) -> u64 {
    let others = 8 * WORD.saturating_sub(prefix) as u32;
    head(key, 0) & u64::MAX.checked_shl(others).unwrap_or(0)
}

impl KeyHeads {
    fn prefix_len(&self) -> usize {
        self.prefix.into()
    }

    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.searches = 0;
    }

    /// Keeps those before `index`, and returns the rest.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        if self.words.is_empty() {
            return Self::default();
        }
        Self { words: self.words.split_off(index), prefix: self.prefix, start: self.start, searches: 0 }
    }

    /// Drops that of a key that is gone.
    pub(super) fn remove(&mut self, index: usize) {
        if !self.words.is_empty() {
            self.words.remove(index);
        }
    }
}

impl DirtyNode {
    /// Where `key` is (`Ok`) or would be inserted (`Err`). A node whose keys come in order is first searched at its end.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<usize, usize> {
        if self.next_in_order == self.count && self.count > 0 && self.key(self.count - 1) < key {
            return Err(self.count);
        }
        if self.heads.words.is_empty() {
            self.heads.searches = self.heads.searches.saturating_add(1);
            if usize::from(self.heads.searches) * PAYS_FOR > self.count {
                self.find_heads();
            }
        }
        self.search(key)
    }

    /// Where `key` is (`Ok`) or would be inserted (`Err`).
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let range = if self.heads.words.is_empty() { 0..self.count } else { self.candidates(key) };
        self.search_in(range, key)
    }

    /// The elements whose heads leave open whether `key` is less or greater.
    fn candidates(&self, key: &[u8]) -> Range<usize> {
        let (words, prefix) = (&self.heads.words, self.heads.prefix_len());
        debug_assert_eq!(words.len(), self.count, "each key has a head");
        match self.compare_start(key) {
            Ordering::Less => return 0..0,
            Ordering::Greater => return self.count..self.count,
            Ordering::Equal => {}
        }
        let head = head(key, 8 * prefix);
        // All of a few are looked at, since they are waited for together; a search by halves waits at each step.
        let low = if words.len() > FEW {
            words.partition_point(|&word| word < head)
        } else {
            words.iter().map(|&word| usize::from(word < head)).sum()
        };
        let equal = words[low..].iter().take_while(|&&word| word == head).count();
        low..low + equal
    }

    /// How `key` begins, beside the prefix of all keys. Of a key that is shorter the answer may be that it begins as they do:
    /// its head is then no greater than theirs, and the keys decide.
    fn compare_start(&self, key: &[u8]) -> Ordering {
        let prefix = self.heads.prefix_len();
        match start_of(key, prefix).cmp(&self.heads.start) {
            Ordering::Equal if prefix > WORD => {
                key[WORD.min(key.len())..key.len().min(prefix)].cmp(&self.key(0)[WORD..prefix])
            }
            order => order,
        }
    }

    fn search_in(&self, range: Range<usize>, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.key(middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Finds the heads of all keys. O(elements).
    fn find_heads(&mut self) {
        let (Some(last), mut words) = (self.count.checked_sub(1), std::mem::take(&mut self.heads.words)) else {
            return;
        };
        let prefix = self.key(0).iter().zip(self.key(last)).take_while(|(a, b)| a == b).count();
        self.heads.prefix = u16::try_from(prefix).unwrap_or(u16::MAX);
        let prefix = self.heads.prefix_len();
        words.extend((0..self.count).map(|index| head(self.key(index), 8 * prefix)));
        (self.heads.words, self.heads.start, self.heads.searches) = (words, start_of(self.key(0), prefix), 0);
        debug_assert!(self.heads.words.is_sorted(), "heads ascend as their keys do");
    }

    /// Notes the key that has become element `index`.
    pub(super) fn add_head(&mut self, index: usize) {
        if self.heads.words.is_empty() {
            return;
        }
        let prefix = self.heads.prefix_len();
        // A key between two others begins as both do.
        let other = if index == 0 { 1 } else { index - 1 };
        let between = index > 0 && index + 1 < self.count;
        if between || prefix == 0 || self.key(index).get(..prefix) == self.key(other).get(..prefix) {
            let head = head(self.key(index), 8 * prefix);
            self.heads.words.insert(index, head);
        } else {
            self.heads.clear();
        }
    }
}
