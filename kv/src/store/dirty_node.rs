//! A node that a write transaction changes, kept in the form of its page.
//!
//! The bytes are at every moment a page: header, element table, then keys and values. So a changed node is read by the same
//! code as a page of the file. In *packed form* the data follow in element order, with nothing between and nothing after, and
//! a commit writes the bytes unchanged.
//!
//! **Invariant:** a node is in packed form, or it has [room](mod@room) between table and data, or data in another order, and
//! says so; nothing else lies in its bytes. [`DirtyNode::from_node`] establishes packed form, whatever a page from disk looked
//! like; insertions may leave it; every other edit wants it and keeps it. So the positions computed here are within the bytes,
//! and indexing is an assertion about this file's logic.
#![allow(clippy::indexing_slicing, reason = "positions follow from the packed form, which this file keeps")]
#![allow(clippy::cast_possible_truncation, reason = "a node stays below 4 GiB, see NODE_BYTES_MAX")]
#![allow(clippy::arithmetic_side_effects, reason = "positions are within a node, which stays below 4 GiB")]

mod cut;
mod heads;
mod room;
mod seal;

use self::heads::KeyHeads;
use super::Link;
use super::pages::BEYOND;
use crate::format::{
    ELEMENT, Header, Kind, LeafEntry, Malformed, NODE_BYTES_MAX, Node, PAGE_HEADER, element_at, header_bytes, set_count,
};

pub(crate) use cut::share_of;

/// Leaf or branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum NodeKind {
    #[default]
    Leaf,
    Branch,
}

/// A changed node.
#[derive(Debug, Default)]
pub(crate) struct DirtyNode {
    bytes: Vec<u8>,
    count: usize,
    kind: NodeKind,
    /// Lost an element since it was read: a candidate for merging.
    pub(crate) shrunk: bool,
    /// Was cut off the node before it by this transaction.
    pub(crate) cut: bool,
    /// Where the next insertion would be if insertions come in key order, and how many in a row have.
    next_in_order: usize,
    in_order: u8,
    /// So many elements fit between the element table and the data.
    room: u8,
    /// The data are not in element order.
    unordered: bool,
    /// Insertions since the node was read or another edit.
    inserted: u8,
    heads: KeyHeads,
}

/// No insertion since the node was read, or an edit that breaks the order.
const NO_ORDER: usize = usize::MAX;

impl DirtyNode {
    /// An empty node in `buffer`, whose old bytes are dropped and whose capacity is used again.
    pub(crate) fn empty(kind: NodeKind, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        let stored = if kind == NodeKind::Branch { Kind::Branch } else { Kind::Leaf };
        buffer.extend_from_slice(&header_bytes(Header { id: 0, kind: stored, count: 0, overflow: 0 }));
        Self { bytes: buffer, kind, next_in_order: NO_ORDER, ..Self::default() }
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
            assert!(dirty.size() <= page_len, "a packed node is no longer than its page");
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
        assert_eq!(dirty.size(), data, "a copy has no gaps");
        Ok(dirty)
    }

    /// What is left of one or more leaves: `entries`, which ascend and take `size` bytes with the header, in a buffer of
    /// whole pages.
    pub(crate) fn leaf_of(entries: &[LeafEntry<'_>], size: usize, page_size: usize) -> Self {
        let mut leaf = Self::empty(NodeKind::Leaf, Vec::with_capacity(size.next_multiple_of(page_size)));
        let mut data = element_at(entries.len());
        for (index, LeafEntry { flags, key, value }) in entries.iter().enumerate() {
            let element = leaf_element(*flags, data - element_at(index), key.len(), value.len());
            leaf.bytes.extend_from_slice(&element);
            data += key.len() + value.len();
        }
        for LeafEntry { key, value, .. } in entries {
            leaf.bytes.extend_from_slice(key);
            leaf.bytes.extend_from_slice(value);
        }
        assert_eq!(leaf.size(), size, "a leaf has its elements and nothing else");
        leaf.set_count(entries.len());
        leaf.shrunk = true;
        leaf
    }

    pub(crate) const fn is_branch(&self) -> bool {
        matches!(self.kind, NodeKind::Branch)
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of header, elements, keys and values.
    pub(crate) const fn size(&self) -> usize {
        self.bytes.len() - self.room_bytes()
    }

    /// Bytes of memory for them.
    pub(crate) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many pages of `page_size` bytes this node takes.
    pub(crate) fn pages(&self, page_size: usize) -> u64 {
        self.size().div_ceil(page_size) as u64
    }

    /// Bytes that element `index` takes in its node.
    pub(crate) fn element_size(&self, index: usize) -> usize {
        ELEMENT + self.data_end(index) - self.data_start(index)
    }

    /// Makes the buffer hold at least `capacity` bytes, and `added` more than there are.
    pub(crate) fn reserve(&mut self, capacity: usize, added: usize) {
        self.bytes.reserve_exact(added.max(capacity.saturating_sub(self.bytes.len())));
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

    /// A leaf element's flags.
    pub(crate) fn flags(&self, index: usize) -> u32 {
        debug_assert!(!self.is_branch() && index < self.count, "only an element of a leaf has flags");
        self.word(element_at(index)) as u32
    }

    /// A branch's child, as the element has it.
    pub(crate) fn child(&self, index: usize) -> u64 {
        debug_assert!(self.is_branch() && index < self.count, "only an element of a branch has a child");
        let at = element_at(index) + 8;
        let mut child = [0; 8];
        child.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(child)
    }

    pub(crate) fn insert_leaf(&mut self, index: usize, flags: u32, key: &[u8], value: &[u8]) {
        assert!(!self.is_branch(), "a pair goes into a leaf");
        let at = element_at(index);
        let pos = self.open_gap(index, key.len() + value.len());
        let element = leaf_element(flags, pos - at, key.len(), value.len());
        self.bytes[at..at + ELEMENT].copy_from_slice(&element);
        self.bytes[pos..pos + key.len()].copy_from_slice(key);
        self.bytes[pos + key.len()..pos + key.len() + value.len()].copy_from_slice(value);
        self.add_head(index);
    }

    pub(crate) fn insert_branch(&mut self, index: usize, key: &[u8], child: u64) {
        assert!(self.is_branch(), "a child goes into a branch");
        let at = element_at(index);
        let pos = self.open_gap(index, key.len());
        self.bytes[at..at + ELEMENT].copy_from_slice(&branch_element(pos - at, key.len(), child));
        self.bytes[pos..pos + key.len()].copy_from_slice(key);
        self.add_head(index);
    }

    pub(crate) fn set_child(&mut self, index: usize, child: u64) {
        assert!(self.is_branch() && index < self.count, "only an element of a branch has a child");
        let at = element_at(index) + 8;
        self.bytes[at..at + 8].copy_from_slice(&child.to_le_bytes());
    }

    /// Replaces a leaf element's flags and value. A value of another length wants packed form.
    pub(crate) fn replace_value(&mut self, index: usize, flags: u32, value: &[u8]) {
        assert!(!self.is_branch(), "only an element of a leaf has a value");
        let (key_len, old_len) = (self.key_len(index), self.value_len(index));
        let start = self.data_start(index) + key_len;
        self.resize_data(index, start, old_len, value.len());
        self.bytes[start..start + value.len()].copy_from_slice(value);
        let at = element_at(index);
        let element = leaf_element(flags, start - key_len - at, key_len, value.len());
        self.bytes[at..at + ELEMENT].copy_from_slice(&element);
        if old_len != value.len() {
            // A node that overflows now did not grow in key order.
            self.next_in_order = NO_ORDER;
        }
    }

    /// Overwrites a leaf element's value with one of the same length: nothing moves.
    pub(crate) fn overwrite_value(&mut self, index: usize, value: &[u8]) {
        assert_eq!(self.value_len(index), value.len(), "an overwritten value keeps its length");
        let end = self.data_end(index);
        self.bytes[end - value.len()..end].copy_from_slice(value);
    }

    /// Replaces a branch element's key. Wants packed form.
    pub(crate) fn replace_key(&mut self, index: usize, key: &[u8]) {
        assert!(self.is_branch(), "the key of a pair never changes");
        let (start, old_len, child) = (self.data_start(index), self.key_len(index), self.child(index));
        self.resize_data(index, start, old_len, key.len());
        self.bytes[start..start + key.len()].copy_from_slice(key);
        let at = element_at(index);
        self.bytes[at..at + ELEMENT].copy_from_slice(&branch_element(start - at, key.len(), child));
        self.heads.clear();
    }

    /// Wants packed form.
    pub(crate) fn remove(&mut self, index: usize) {
        assert!(index < self.count, "what is removed is there");
        assert!(self.is_packed(), "a removal closes the gap that it leaves");
        self.inserted = 0;
        let (start, end, old_len) = (self.data_start(index), self.data_end(index), self.bytes.len());
        let (at, gone) = (element_at(index), end - start);
        self.shift_positions(0, index, distance(ELEMENT, 0));
        self.shift_positions(index + 1, self.count, distance(gone, 0));
        self.bytes.copy_within(at + ELEMENT..start, at);
        self.bytes.copy_within(end..old_len, start - ELEMENT);
        self.bytes.truncate(old_len - gone - ELEMENT);
        self.set_count(self.count - 1);
        self.heads.remove(index);
        self.shrunk = true;
        self.next_in_order = NO_ORDER;
    }

    /// Makes room for an element at `index` with `len` bytes of data; returns where the data goes.
    fn open_gap(&mut self, index: usize, len: usize) -> usize {
        self.in_order = if index == self.next_in_order { self.in_order.saturating_add(1) } else { 0 };
        self.next_in_order = index + 1;
        if self.uses_room(len) {
            return self.open_at_end(index, len);
        }
        assert!(self.is_packed(), "a node that has room uses it");
        let (at, data, old_len) = (element_at(index), self.data_limit(index), self.bytes.len());
        assert!(index <= self.count && at <= data && data <= old_len, "an element goes between others or after all");
        assert!(len <= NODE_BYTES_MAX - ELEMENT - old_len, "positions within a node are 32-bit");
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
        if new == old {
            return;
        }
        assert!(self.is_packed(), "data that change their length move what is behind them");
        self.inserted = 0;
        let old_len = self.bytes.len();
        if new > old {
            self.bytes.resize(old_len + (new - old), 0);
        }
        self.bytes.copy_within(start + old..old_len, start + new);
        self.bytes.truncate(old_len - old + new);
        self.shift_positions(index + 1, self.count, distance(old, new));
    }

    /// Adds `by` to the positions of the elements `from..to`, modulo 2^32.
    fn shift_positions(&mut self, from: usize, to: usize, by: u32) {
        let pos_at = self.position_at();
        for element in self.bytes[element_at(from)..element_at(to)].chunks_exact_mut(ELEMENT) {
            if let Some(pos) = element[pos_at..].first_chunk_mut::<4>() {
                *pos = u32::from_le_bytes(*pos).wrapping_add(by).to_le_bytes();
            }
        }
    }

    /// Where an element has its position.
    const fn position_at(&self) -> usize {
        if self.is_branch() { 0 } else { 4 }
    }

    fn word(&self, at: usize) -> usize {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_le_bytes(word) as usize
    }

    fn key_len(&self, index: usize) -> usize {
        self.word(element_at(index) + if self.is_branch() { 4 } else { 8 })
    }

    fn value_len(&self, index: usize) -> usize {
        if self.is_branch() { 0 } else { self.word(element_at(index) + 12) }
    }

    fn data_start(&self, index: usize) -> usize {
        debug_assert!(index < self.count, "an element is below the count");
        let at = element_at(index);
        at + self.word(at + self.position_at())
    }

    fn data_end(&self, index: usize) -> usize {
        self.data_start(index) + self.key_len(index) + self.value_len(index)
    }

    /// Where the data of element `index` starts, or would if it were appended, in packed form.
    fn data_limit(&self, index: usize) -> usize {
        if index < self.count { self.data_start(index) } else { self.bytes.len() }
    }

    fn set_count(&mut self, count: usize) {
        self.count = count;
        // A node may have more for a moment, until it is split; `seal` asserts that it has not.
        set_count(&mut self.bytes, u16::try_from(count).unwrap_or(u16::MAX));
    }
}

/// How far it is from one position to another, backwards too: modulo 2^32.
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
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests;
