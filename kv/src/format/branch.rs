//! Branch pages: the first key of each child, and the child's page number.

use std::ops::Range;

use super::Malformed;
use super::bytes::u64_at;
use super::element::{binary_search, element, element_at, touch_table};
use super::leaf::{span, word};

/// A branch whose element table lies inside its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Branch<'a> {
    #[inline]
    pub(super) fn parse(bytes: &'a [u8], count: u16) -> Result<Self, Malformed> {
        let count = usize::from(count);
        if count == 0 {
            return Err(Malformed("branch has no children"));
        }
        if element_at(count) > bytes.len() {
            return Err(Malformed("branch has more elements than fit into its page"));
        }
        Ok(Self { bytes, count })
    }

    /// Always at least one.
    #[inline]
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn key(&self, index: usize) -> Result<&'a [u8], Malformed> {
        let element = element(self.bytes, index).ok_or(BAD_INDEX)?;
        let (start, end) = span(index, &element, 0, u64::from(word(&element, 4)));
        usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .and_then(|(start, end)| self.bytes.get(start..end))
            .ok_or(Malformed("branch element's key lies outside its page"))
    }

    /// The page number of child `index`.
    #[inline]
    pub(crate) fn child(&self, index: usize) -> Result<u64, Malformed> {
        let element = element(self.bytes, index).ok_or(BAD_INDEX)?;
        u64_at(&element, 8).ok_or(BAD_INDEX)
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The index of the child whose range `key` falls into: the last one whose key is not greater,
    /// or the first when all are greater.
    #[inline]
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, Malformed> {
        touch_table(self.bytes, self.count);
        self.search_in(0..self.count, key)
    }

    /// The same, where it is known that `key` is greater than all before `range` and less than all behind it.
    #[inline]
    pub(crate) fn search_in(&self, range: Range<usize>, key: &[u8]) -> Result<usize, Malformed> {
        Ok(match binary_search(range, key, |index| self.key(index))? {
            Ok(index) => index,
            Err(next) => next.saturating_sub(1),
        })
    }
}

const BAD_INDEX: Malformed = Malformed("element index is beyond the page's count");
