//! Leaf pages: sorted keys with their values.

use std::ops::Range;

use pagefile_std::prefetch;

use super::bytes::u32_at;
use super::element::{ELEMENT, binary_search, element, element_at, touch_table};
use super::{BUCKET_FLAG, Malformed, PAGE_HEADER};

/// A leaf whose element table lies inside its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf<'a> {
    bytes: &'a [u8],
    count: usize,
}

/// One item of a leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeafEntry<'a> {
    pub(crate) flags: u32,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl LeafEntry<'_> {
    pub(crate) const fn is_bucket(&self) -> bool {
        self.flags & BUCKET_FLAG != 0
    }
}

impl<'a> Leaf<'a> {
    #[inline]
    pub(super) fn parse(bytes: &'a [u8], count: u16) -> Result<Self, Malformed> {
        let count = usize::from(count);
        if element_at(count) > bytes.len() {
            return Err(Malformed("leaf has more elements than fit into its page"));
        }
        Ok(Self { bytes, count })
    }

    #[inline]
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn key(&self, index: usize) -> Result<&'a [u8], Malformed> {
        let element = element(self.bytes, index).ok_or(BAD_INDEX)?;
        let (start, end) = span(index, &element, 4, u64::from(word(&element, 8)));
        self.slice(start, end).ok_or(Malformed("leaf element's key lies outside its page"))
    }

    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Result<LeafEntry<'a>, Malformed> {
        let element = element(self.bytes, index).ok_or(BAD_INDEX)?;
        let key_size = word(&element, 8);
        let both = u64::from(key_size).saturating_add(u64::from(word(&element, 12)));
        let (start, end) = span(index, &element, 4, both);
        let data = self.slice(start, end).ok_or(Malformed("leaf element lies outside its page"))?;
        let (key, value) = usize::try_from(key_size).ok().and_then(|at| data.split_at_checked(at)).ok_or(BAD_INDEX)?;
        Ok(LeafEntry { flags: word(&element, 0), key, value })
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Only the flags, for walks that look for buckets.
    pub(crate) fn is_bucket(&self, index: usize) -> bool {
        element(self.bytes, index).is_some_and(|element| word(&element, 0) & BUCKET_FLAG != 0)
    }

    /// The elements that are buckets.
    #[inline]
    pub(crate) fn buckets(&self) -> impl Iterator<Item = usize> {
        let table = self.bytes.get(PAGE_HEADER..element_at(self.count)).unwrap_or_default();
        let flagged = |element: &[u8; ELEMENT]| word(element, 0) & BUCKET_FLAG != 0;
        table.as_chunks().0.iter().enumerate().filter(move |(_, element)| flagged(element)).map(|(index, _)| index)
    }

    /// Where `key` is (`Ok`) or would be inserted (`Err`).
    #[inline]
    pub(crate) fn search(&self, key: &[u8]) -> Result<Result<usize, usize>, Malformed> {
        touch_table(self.bytes, self.count);
        self.search_in(0..self.count, key)
    }

    /// The same, where it is known that `key` is greater than all before `range` and less than all behind it.
    #[inline]
    pub(crate) fn search_in(&self, range: Range<usize>, key: &[u8]) -> Result<Result<usize, usize>, Malformed> {
        binary_search(range, key, |index| self.key(index))
    }

    /// Where in the page the key of element `index` begins; none if not in the page.
    pub(crate) fn key_at(&self, index: usize) -> Option<usize> {
        let element = element(self.bytes, index)?;
        let (start, _) = span(index, &element, 4, 0);
        usize::try_from(start).ok().filter(|&start| start < self.bytes.len())
    }

    /// Has element `index` and the bytes `data` of the page brought near, as far as there are any.
    #[inline]
    pub(crate) fn prefetch(&self, index: usize, data: Range<usize>) {
        let part = |range: Range<usize>| self.bytes.get(range.start..range.end.min(self.bytes.len())).unwrap_or(&[]);
        prefetch(part(element_at(index)..element_at(index.saturating_add(1))));
        prefetch(part(data));
    }

    /// Reads a byte of element `index`, and the first and the last of the bytes `data`.
    #[inline]
    pub(crate) fn touch(&self, index: usize, (start, end): (usize, usize)) -> u8 {
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or(0);
        byte(element_at(index)) ^ byte(start) ^ byte(end.saturating_sub(1))
    }

    #[inline]
    fn slice(&self, start: u64, end: u64) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

const BAD_INDEX: Malformed = Malformed("element index is beyond the page's count");

/// A word of an element; every caller's offset is one of the four inside it.
#[inline]
pub(super) fn word(element: &[u8; 16], at: usize) -> u32 {
    u32_at(element, at).unwrap_or(0)
}

/// First and last-plus-one byte, within the page, of `len` bytes that start `pos` after their element.
#[inline]
pub(super) fn span(index: usize, element: &[u8; 16], pos_at: usize, len: u64) -> (u64, u64) {
    let start = (element_at(index) as u64).saturating_add(u64::from(word(element, pos_at)));
    (start, start.saturating_add(len))
}
