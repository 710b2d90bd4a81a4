//! Checks of a node: after it is read, and before it is written.

use super::{DirtyNode, Link};
use crate::format::{ELEMENT, ELEMENTS_MAX, Header, Kind, PAGE_HEADER, element_at, set_header};

impl DirtyNode {
    /// Whether each key is greater than the one before, of a node in packed form. O(elements).
    pub(crate) fn ascends(&self) -> bool {
        debug_assert!(self.is_packed(), "the order of keys is looked at in packed form");
        let (len_at, mut end, mut before) = (if self.is_branch() { 4 } else { 8 }, element_at(self.count), &[][..]);
        for (index, element) in self.bytes[PAGE_HEADER..end].chunks_exact(ELEMENT).enumerate() {
            let word = |at: usize| u32::from_le_bytes([element[at], element[at + 1], element[at + 2], element[at + 3]]);
            let key = &self.bytes[end..end + word(len_at) as usize];
            if index > 0 && !less(before, key) {
                return false;
            }
            before = key;
            end += key.len() + if self.is_branch() { 0 } else { word(12) as usize };
        }
        true
    }

    /// Whether the data follow the element table in the order of the elements, with nothing between. O(elements).
    pub(super) fn lies_packed(&self) -> bool {
        let ends = (0..self.count).map(|index| self.data_end(index));
        let starts = (0..self.count).map(|index| self.data_start(index)).chain([self.bytes.len()]);
        [element_at(self.count)].into_iter().chain(ends).eq(starts)
    }

    /// Makes the bytes of a packed node the page `id`, padded with zeros to whole pages: nothing changes in them after this.
    /// The links to nodes in memory have been replaced by page numbers.
    pub(crate) fn seal(&mut self, id: u64, page_size: usize) {
        assert!(id >= 2, "the first two pages are the metas'");
        assert!(
            self.count <= ELEMENTS_MAX,
            "a page counts its elements in 16 bits, and bbolt reserves the last number"
        );
        assert!(!self.is_branch() || self.count > 0, "a branch has children");
        assert!(self.is_packed(), "a page is written packed");
        assert_eq!(self.data_limit(0), element_at(self.count), "data begin after the element table");
        debug_assert!(self.lies_packed(), "a page is written packed");
        debug_assert!(self.ascends(), "a page is written with ascending keys");
        debug_assert!(!self.names_memory(), "a page is written with page numbers only");
        let pages = self.pages(page_size);
        let kind = if self.is_branch() { Kind::Branch } else { Kind::Leaf };
        let overflow = (pages - 1) as u32;
        set_header(&mut self.bytes, Header { id, kind, count: self.count as u16, overflow });
        self.bytes.resize(self.bytes.len().next_multiple_of(page_size), 0);
        assert_eq!(self.bytes.len() as u64, pages * page_size as u64, "a node fills the pages that it got");
    }

    /// Whether a branch has a child that has no page number.
    fn names_memory(&self) -> bool {
        self.is_branch() && (0..self.count).any(|index| Link::from_raw(self.child(index)).in_memory())
    }
}

/// Whether `left` is less than `right`. Keys of neighbours begin alike more often than not, and here that takes no call
/// to compare memory.
#[inline]
fn less(mut left: &[u8], mut right: &[u8]) -> bool {
    while let (Some((a, left_rest)), Some((b, right_rest))) = (left.split_first_chunk(), right.split_first_chunk()) {
        if a != b {
            return u64::from_le_bytes(*a).swap_bytes() < u64::from_le_bytes(*b).swap_bytes();
        }
        (left, right) = (left_rest, right_rest);
    }
    left < right
}
