//! A node that a write transaction changes, kept in the form of its page.
//!
//! The bytes are at every moment what the page would be: header, element table, then keys and values packed in
//! element order, nothing between and nothing after. So reading a changed node is the same code as reading a page of
//! the file, an insertion is two moves within a few kilobytes, and a commit writes the bytes as they are.
//!
//! **Invariant:** packed form. It holds because [`DirtyNode::from_page`] establishes it, whatever a page from disk looked
//! like, and every edit keeps it; so the positions computed here are within the bytes, and indexing is an assertion
//! about this file's own logic.
#![allow(clippy::indexing_slicing, reason = "positions follow from the packed form, which this file keeps")]
#![allow(clippy::cast_possible_truncation, reason = "a node stays below 4 GiB, see NODE_BYTES_MAX")]

use std::cmp::Ordering;

use super::Link;
use super::pages::BEYOND;
use crate::format::{
    ELEMENT, ELEMENTS_MAX, Header, Kind, Malformed, Node, PAGE_HEADER, element_at, header_bytes, set_count, set_header,
};

/// Leaf or branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NodeKind {
    Leaf,
    Branch,
}

/// A changed node.
#[derive(Debug, Default)]
pub(crate) struct DirtyNode {
    bytes: Vec<u8>,
    count: usize,
    branch: bool,
    /// Lost an element since it was read: a candidate for merging.
    pub(crate) shrunk: bool,
    /// Was cut off the node before it by this transaction.
    pub(crate) cut: bool,
    /// Where the next insertion would be if insertions come in key order, and how many in a row have.
    next_in_order: usize,
    in_order: usize,
}

/// As many insertions in key order make a run: such a node is filled, not halved.
const RUN: usize = 8;

/// No insertion since the node was read, or an edit that breaks the order.
const NO_ORDER: usize = usize::MAX;

impl DirtyNode {
    /// An empty node in `buffer`, whose old bytes are dropped and whose capacity is used again.
    pub(crate) fn empty(kind: NodeKind, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        let branch = kind == NodeKind::Branch;
        let kind = if branch { Kind::Branch } else { Kind::Leaf };
        buffer.extend_from_slice(&header_bytes(Header { id: 0, kind, count: 0, overflow: 0 }));
        Self { bytes: buffer, branch, next_in_order: NO_ORDER, ..Self::default() }
    }

    /// A copy of `node`, packed. Elements that overlap in a damaged page would unpack to more bytes than the page
    /// has: that is an error, so memory stays bounded by the file.
    pub(crate) fn from_node(node: &Node<'_>, page_len: usize, buffer: Vec<u8>) -> Result<Self, Malformed> {
        let kind = if matches!(node, Node::Branch(_)) { NodeKind::Branch } else { NodeKind::Leaf };
        if let Node::Branch(branch) = node {
            for index in 0..branch.count() {
                if Link::from_raw(branch.child(index)?).in_memory() {
                    // In a changed node it would be taken for another changed node.
                    return Err(Malformed(BEYOND));
                }
            }
        }
        let mut dirty = Self::empty(kind, buffer);
        if let Some(packed) = node.packed() {
            dirty.bytes.extend_from_slice(&packed[PAGE_HEADER..]);
            dirty.set_count(node.count());
            return Ok(dirty);
        }
        let mut data = element_at(node.count());
        dirty.bytes.resize(data, 0);
        for index in 0..node.count() {
            let at = element_at(index);
            let (key, value) = match node {
                Node::Branch(branch) => (branch.key(index)?, &[][..]),
                Node::Leaf(leaf) => {
                    let entry = leaf.entry(index)?;
                    (entry.key, entry.value)
                }
            };
            let element = match node {
                Node::Branch(branch) => branch_element(data - at, key.len(), branch.child(index)?),
                Node::Leaf(leaf) => leaf_element(leaf.entry(index)?.flags, data - at, key.len(), value.len()),
            };
            data += key.len() + value.len();
            if data > page_len {
                return Err(Malformed("elements overlap"));
            }
            dirty.bytes[at..at + ELEMENT].copy_from_slice(&element);
            dirty.bytes.extend_from_slice(key);
            dirty.bytes.extend_from_slice(value);
        }
        dirty.set_count(node.count());
        Ok(dirty)
    }

    pub(crate) const fn is_branch(&self) -> bool {
        self.branch
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of header, elements, keys and values.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many pages of `page_size` bytes this node takes.
    pub(crate) fn pages(&self, page_size: usize) -> u64 {
        self.bytes.len().div_ceil(page_size) as u64
    }

    /// Gives the buffer back for another node.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        let start = self.data_start(index);
        &self.bytes[start..start + self.key_len(index)]
    }

    /// A leaf element's value.
    pub(crate) fn value(&self, index: usize) -> &[u8] {
        let end = self.data_end(index);
        &self.bytes[end - self.value_len(index)..end]
    }

    /// Where `key` is (`Ok`) or would be inserted (`Err`).
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count);
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

    /// Whether each key is greater than the one before. O(elements).
    pub(crate) fn ascends(&self) -> bool {
        let (len_at, mut end, mut before) = (if self.branch { 4 } else { 8 }, element_at(self.count), &[][..]);
        for (index, element) in self.bytes[PAGE_HEADER..end].chunks_exact(ELEMENT).enumerate() {
            let word = |at: usize| u32::from_le_bytes([element[at], element[at + 1], element[at + 2], element[at + 3]]);
            let key = &self.bytes[end..end + word(len_at) as usize];
            if index > 0 && !less(before, key) {
                return false;
            }
            before = key;
            end += key.len() + if self.branch { 0 } else { word(12) as usize };
        }
        true
    }

    /// A leaf element's flags.
    pub(crate) fn flags(&self, index: usize) -> u32 {
        debug_assert!(!self.branch && index < self.count);
        self.word(element_at(index)) as u32
    }

    /// A branch's child, as it stands in the element.
    pub(crate) fn child(&self, index: usize) -> u64 {
        debug_assert!(self.branch && index < self.count);
        let at = element_at(index) + 8;
        let mut child = [0; 8];
        child.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(child)
    }

    pub(crate) fn insert_leaf(&mut self, index: usize, flags: u32, key: &[u8], value: &[u8]) {
        debug_assert!(!self.branch);
        let at = element_at(index);
        let pos = self.open_gap(index, key.len() + value.len());
        let element = leaf_element(flags, pos - at, key.len(), value.len());
        self.bytes[at..at + ELEMENT].copy_from_slice(&element);
        self.bytes[pos..pos + key.len()].copy_from_slice(key);
        self.bytes[pos + key.len()..pos + key.len() + value.len()].copy_from_slice(value);
    }

    pub(crate) fn insert_branch(&mut self, index: usize, key: &[u8], child: u64) {
        debug_assert!(self.branch);
        let at = element_at(index);
        let pos = self.open_gap(index, key.len());
        self.bytes[at..at + ELEMENT].copy_from_slice(&branch_element(pos - at, key.len(), child));
        self.bytes[pos..pos + key.len()].copy_from_slice(key);
    }

    pub(crate) fn set_child(&mut self, index: usize, child: u64) {
        debug_assert!(self.branch && index < self.count);
        let at = element_at(index) + 8;
        self.bytes[at..at + 8].copy_from_slice(&child.to_le_bytes());
    }

    /// Replaces a leaf element's flags and value.
    pub(crate) fn replace_value(&mut self, index: usize, flags: u32, value: &[u8]) {
        debug_assert!(!self.branch);
        let (key_len, old_len) = (self.key_len(index), self.value_len(index));
        let start = self.data_start(index) + key_len;
        self.resize_data(index, start, old_len, value.len());
        self.bytes[start..start + value.len()].copy_from_slice(value);
        let at = element_at(index);
        let element = leaf_element(flags, start - key_len - at, key_len, value.len());
        self.bytes[at..at + ELEMENT].copy_from_slice(&element);
        if old_len != value.len() {
            // If it is overfull now, then not because an order goes on at its end.
            self.next_in_order = NO_ORDER;
        }
    }

    /// Overwrites a leaf element's value with one of the same length: nothing moves.
    pub(crate) fn overwrite_value(&mut self, index: usize, value: &[u8]) {
        assert_eq!(self.value_len(index), value.len(), "an overwritten value keeps its length");
        let end = self.data_end(index);
        self.bytes[end - value.len()..end].copy_from_slice(value);
    }

    /// Replaces a branch element's key.
    pub(crate) fn replace_key(&mut self, index: usize, key: &[u8]) {
        debug_assert!(self.branch);
        let (start, old_len, child) = (self.data_start(index), self.key_len(index), self.child(index));
        self.resize_data(index, start, old_len, key.len());
        self.bytes[start..start + key.len()].copy_from_slice(key);
        let at = element_at(index);
        self.bytes[at..at + ELEMENT].copy_from_slice(&branch_element(start - at, key.len(), child));
    }

    pub(crate) fn remove(&mut self, index: usize) {
        let (start, end, old_len) = (self.data_start(index), self.data_end(index), self.bytes.len());
        let (at, gone) = (element_at(index), end - start);
        self.shift_positions(0, index, distance(ELEMENT, 0));
        self.shift_positions(index + 1, self.count, distance(gone, 0));
        self.bytes.copy_within(at + ELEMENT..start, at);
        self.bytes.copy_within(end..old_len, start - ELEMENT);
        self.bytes.truncate(old_len - gone - ELEMENT);
        self.set_count(self.count - 1);
        self.shrunk = true;
        self.next_in_order = NO_ORDER;
    }

    /// Moves the elements from `index` on into a new node in `buffer`.
    pub(crate) fn split_off(&mut self, index: usize, buffer: Vec<u8>) -> Self {
        let kind = if self.branch { NodeKind::Branch } else { NodeKind::Leaf };
        let mut upper = Self::empty(kind, buffer);
        upper.copy_elements(self, index..self.count);
        let (data, table, old_table) = (self.data_limit(index), element_at(index), element_at(self.count));
        self.shift_positions(0, index, distance(old_table, table));
        self.bytes.copy_within(old_table..data, table);
        self.bytes.truncate(data - (old_table - table));
        self.set_count(index);
        if self.next_in_order != NO_ORDER && self.next_in_order > index {
            upper.next_in_order = self.next_in_order - index;
            upper.in_order = self.in_order;
            self.next_in_order = NO_ORDER;
        }
        upper.cut = true;
        upper
    }

    /// Appends all elements of `other`, whose keys are greater.
    pub(crate) fn append(&mut self, other: &Self) {
        debug_assert_eq!(self.branch, other.branch);
        self.copy_elements(other, 0..other.count);
        self.next_in_order = NO_ORDER;
    }

    /// Where this overfull node should be cut by how it grew: the index of the first element of the part that leaves.
    ///
    /// Where elements came in key order the lower part stays full, or at the share of a page that `fill` allows, and the
    /// order goes on in a fresh node (`last` says that this is the last node of its tree, so that one insertion at its
    /// end is order enough). Otherwise it is half and half, whatever `fill` says: a node is cut while it grows, so to cut
    /// it at a share each time would throw off a sliver each time. What that leaves is packed before the commit.
    pub(crate) fn split_point(&self, page_size: usize, fill: Option<f64>, last: bool) -> usize {
        let at_end = self.next_in_order == self.count && (last || self.in_order >= RUN);
        match fill {
            Some(share) if at_end => self.share_point(page_size, share),
            None if at_end => self.between(self.count - 1),
            _ if self.next_in_order < self.count && self.in_order >= RUN => self.between(self.next_in_order),
            _ => self.between(self.nearest(self.size() / 2)),
        }
    }

    /// Where this overfull node should be cut for the lower part to take `share` of a page.
    pub(crate) fn share_point(&self, page_size: usize, share: f64) -> usize {
        self.between(self.fitting(share_of(page_size, share)).min(ELEMENTS_MAX))
    }

    /// Leaves enough elements on either side of a cut.
    fn between(&self, cut: usize) -> usize {
        let fewest = self.fewest();
        cut.clamp(fewest, self.count - fewest)
    }

    /// Elements that a part of this node must have.
    pub(crate) const fn fewest(&self) -> usize {
        if self.branch { 2 } else { 1 }
    }

    /// Bytes that element `index` takes in its node.
    pub(crate) fn element_size(&self, index: usize) -> usize {
        ELEMENT + self.data_end(index) - self.data_start(index)
    }

    /// How many elements fit into `limit` bytes.
    fn fitting(&self, limit: usize) -> usize {
        (1..=self.count).take_while(|&count| self.size_of_first(count) <= limit).last().unwrap_or(0)
    }

    /// How many elements take closest to `middle` bytes.
    fn nearest(&self, middle: usize) -> usize {
        let below = self.fitting(middle);
        let next = (below + 1).min(self.count);
        let (under, over) = (middle - self.size_of_first(below), self.size_of_first(next).saturating_sub(middle));
        if under <= over { below } else { next }
    }

    /// The size of a node of only the first `count` elements.
    fn size_of_first(&self, count: usize) -> usize {
        element_at(count) + self.data_limit(count) - self.data_limit(0)
    }

    /// Whether this node must be split: larger than a page, or more elements than a page may count.
    pub(crate) fn is_overfull(&self, page_size: usize) -> bool {
        self.count >= 2 * self.fewest() && (self.bytes.len() > page_size || self.count > ELEMENTS_MAX)
    }

    /// Makes the bytes the page `id`, padded with zeros to whole pages.
    pub(crate) fn seal(&mut self, id: u64, page_size: usize) {
        let pages = self.pages(page_size);
        let kind = if self.branch { Kind::Branch } else { Kind::Leaf };
        let overflow = u32::try_from(pages - 1).expect("a node of 2^32 pages does not fit into memory");
        set_header(&mut self.bytes, Header { id, kind, count: self.count as u16, overflow });
        self.bytes.resize(self.bytes.len().next_multiple_of(page_size), 0);
    }

    /// Adds copies of `range` of `from` at the end.
    fn copy_elements(&mut self, from: &Self, range: std::ops::Range<usize>) {
        let added = range.len();
        if added == 0 {
            return;
        }
        let (table, old_len) = (element_at(self.count), self.bytes.len());
        let (source, source_end) = (from.data_start(range.start), from.data_end(range.end - 1));
        let moved = added * ELEMENT;
        self.bytes.resize(old_len + moved + (source_end - source), 0);
        self.bytes.copy_within(table..old_len, table + moved);
        self.shift_positions(0, self.count, distance(0, moved));
        self.bytes[table..table + moved].copy_from_slice(&from.bytes[element_at(range.start)..element_at(range.end)]);
        self.bytes[old_len + moved..].copy_from_slice(&from.bytes[source..source_end]);
        let first = self.count;
        self.set_count(first + added);
        // Positions count from the element: the tables' starts and the data's starts move by different amounts.
        let (there, here) = (element_at(range.start), element_at(first));
        self.shift_positions(
            first,
            first + added,
            distance(source, old_len + moved).wrapping_sub(distance(there, here)),
        );
    }

    /// Makes room for an element at `index` with `len` bytes of data; returns where the data goes.
    fn open_gap(&mut self, index: usize, len: usize) -> usize {
        self.in_order = if index == self.next_in_order { self.in_order + 1 } else { 0 };
        self.next_in_order = index + 1;
        let (at, data, old_len) = (element_at(index), self.data_limit(index), self.bytes.len());
        self.bytes.resize(old_len + ELEMENT + len, 0);
        self.bytes.copy_within(data..old_len, data + ELEMENT + len);
        self.bytes.copy_within(at..data, at + ELEMENT);
        self.set_count(self.count + 1);
        self.shift_positions(0, index, distance(0, ELEMENT));
        self.shift_positions(index + 1, self.count, distance(0, len));
        data + ELEMENT
    }

    /// Changes the length of a piece of element `index`'s data that starts at `start`.
    fn resize_data(&mut self, index: usize, start: usize, old: usize, new: usize) {
        let old_len = self.bytes.len();
        if new > old {
            self.bytes.resize(old_len + (new - old), 0);
        }
        if new != old {
            self.bytes.copy_within(start + old..old_len, start + new);
            self.bytes.truncate(old_len - old + new);
            self.shift_positions(index + 1, self.count, distance(old, new));
        }
    }

    /// Adds `by` to the positions of the elements `from..to`, modulo 2^32.
    fn shift_positions(&mut self, from: usize, to: usize, by: u32) {
        let pos_at = if self.branch { 0 } else { 4 };
        for element in self.bytes[element_at(from)..element_at(to)].chunks_exact_mut(ELEMENT) {
            if let Some(pos) = element[pos_at..].first_chunk_mut::<4>() {
                *pos = u32::from_le_bytes(*pos).wrapping_add(by).to_le_bytes();
            }
        }
    }

    fn word(&self, at: usize) -> usize {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_le_bytes(word) as usize
    }

    fn key_len(&self, index: usize) -> usize {
        self.word(element_at(index) + if self.branch { 4 } else { 8 })
    }

    fn value_len(&self, index: usize) -> usize {
        if self.branch { 0 } else { self.word(element_at(index) + 12) }
    }

    fn data_start(&self, index: usize) -> usize {
        debug_assert!(index < self.count);
        let at = element_at(index);
        at + self.word(at + if self.branch { 0 } else { 4 })
    }

    fn data_end(&self, index: usize) -> usize {
        self.data_start(index) + self.key_len(index) + self.value_len(index)
    }

    /// Where the data of element `index` starts, or would if it were appended.
    fn data_limit(&self, index: usize) -> usize {
        if index < self.count { self.data_start(index) } else { self.bytes.len() }
    }

    fn set_count(&mut self, count: usize) {
        self.count = count;
        // A node may hold more for a moment, until it is split; `seal` writes the count that counts.
        set_count(&mut self.bytes, u16::try_from(count).unwrap_or(u16::MAX));
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

/// The bytes that `share` of a page is.
#[allow(clippy::cast_sign_loss, reason = "a share of a page size")]
#[allow(clippy::cast_precision_loss, reason = "page sizes are below 2^24")]
pub(crate) fn share_of(page_size: usize, share: f64) -> usize {
    (page_size as f64 * share) as usize
}

/// How far it is from one place to another, backwards too: modulo 2^32.
fn distance(from: usize, to: usize) -> u32 {
    (to as u32).wrapping_sub(from as u32)
}

fn leaf_element(flags: u32, pos: usize, key: usize, value: usize) -> [u8; ELEMENT] {
    words([flags, pos as u32, key as u32, value as u32])
}

fn branch_element(pos: usize, key: usize, child: u64) -> [u8; ELEMENT] {
    words([pos as u32, key as u32, child as u32, (child >> 32) as u32])
}

fn words(words: [u32; 4]) -> [u8; ELEMENT] {
    std::array::from_fn(|byte| (words[byte / 4] >> (byte % 4 * 8)) as u8)
}

#[cfg(test)]
mod tests;
