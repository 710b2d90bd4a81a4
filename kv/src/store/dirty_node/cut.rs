//! When a node is cut in two, where and how; and how two become one.

use std::ops::Range;

use super::{DirtyNode, NO_ORDER, distance};
use crate::format::{ELEMENT, ELEMENTS_MAX, element_at};

/// Insertions in key order that make a run. A node with a run is filled, not halved.
const RUN: u8 = 8;

impl DirtyNode {
    /// Where this overfull node, which is packed, should be cut by how it grew: the index of the first element of the part that
    /// leaves.
    ///
    /// If the elements came in key order, the lower part stays full, or takes the share of a page that `fill` gives. The
    /// next keys then go into a new node. `last` says that this is the last node of its tree: one insertion at its end
    /// counts as key order there.
    ///
    /// Otherwise the node is halved, whatever `fill` says. A node is cut while it grows, and a cut at the share would
    /// split off a nearly empty node each time. The halves are packed to the share before the commit.
    pub(crate) fn split_point(&self, page_size: usize, fill: Option<f64>, last: bool) -> usize {
        let at_end = self.grew_at_end() && (last || self.in_order >= RUN);
        match fill {
            Some(share) if at_end => self.share_point(page_size, share),
            None if at_end => self.between(self.count - 1),
            _ if self.next_in_order < self.count && self.in_order >= RUN => self.between(self.next_in_order),
            _ => self.between(self.nearest(self.size() / 2)),
        }
    }

    /// Whether the last insertion was at the end.
    pub(crate) const fn grew_at_end(&self) -> bool {
        self.next_in_order == self.count
    }

    /// Where this overfull node, which is packed, should be cut for the lower part to take `share` of a page.
    pub(crate) fn share_point(&self, page_size: usize, share: f64) -> usize {
        self.between(self.fitting(share_of(page_size, share)).min(ELEMENTS_MAX))
    }

    /// Leaves enough elements on either side of a cut.
    fn between(&self, cut: usize) -> usize {
        let fewest = self.fewest();
        assert!(self.count >= 2 * fewest, "only a node with enough elements for two is cut");
        cut.clamp(fewest, self.count - fewest)
    }

    /// Elements that a part of this node must have.
    pub(crate) const fn fewest(&self) -> usize {
        if self.is_branch() { 2 } else { 1 }
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
        debug_assert!(self.is_packed(), "the data of the first elements lie together in packed form");
        element_at(count) + self.data_limit(count) - self.data_limit(0)
    }

    /// Whether this node must be split: larger than a page, or more elements than a page may count.
    pub(crate) fn is_overfull(&self, page_size: usize) -> bool {
        self.count >= 2 * self.fewest() && (self.size() > page_size || self.count > ELEMENTS_MAX)
    }

    /// Moves the elements from `index` on into a new node in `buffer`.
    pub(crate) fn split_off(&mut self, index: usize, buffer: Vec<u8>) -> Self {
        assert!(self.is_packed(), "a node is cut in packed form");
        let mut upper = Self::empty(self.kind, buffer);
        upper.copy_elements(self, index..self.count);
        let (data, table, old_table) = (self.data_limit(index), element_at(index), element_at(self.count));
        self.shift_positions(0, index, distance(old_table, table));
        self.bytes.copy_within(old_table..data, table);
        self.bytes.truncate(data - (old_table - table));
        self.set_count(index);
        upper.heads = self.heads.split_off(index);
        upper.inserted = self.inserted;
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
        assert!(self.is_packed() && other.is_packed(), "nodes are joined in packed form");
        assert_eq!(self.is_branch(), other.is_branch(), "nodes that are joined are of one kind");
        self.copy_elements(other, 0..other.count);
        self.inserted = 0;
        self.heads.clear();
        self.next_in_order = NO_ORDER;
    }

    /// Keeps the elements that are `kept`, one flag for each. O(bytes): those that stay move twice at most.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        assert_eq!(kept.len(), self.count, "each element stays or goes");
        assert!(self.is_packed(), "what stays closes the gaps of what goes");
        let (first, old_table) = (self.data_limit(0), element_at(self.count));
        let (count, mut next, mut end) = (kept.iter().filter(|&&kept| kept).count(), 0, first);
        if count == self.count {
            return;
        }
        // Data first, within the data, since positions and lengths are in the table.
        for index in (0..self.count).filter(|&index| kept[index]) {
            let (start, len) = (self.data_start(index), self.data_end(index) - self.data_start(index));
            let at = element_at(next);
            self.bytes.copy_within(start..start + len, end);
            self.bytes.copy_within(element_at(index)..element_at(index) + ELEMENT, at);
            let moved = distance(start - element_at(index), end - (old_table - element_at(count)) - at);
            self.shift_positions(next, next + 1, moved);
            next += 1;
            end += len;
        }
        self.bytes.copy_within(first..end, element_at(count));
        self.bytes.truncate(end - (old_table - element_at(count)));
        self.set_count(count);
        self.heads.clear();
        (self.shrunk, self.inserted) = (true, 0);
        self.next_in_order = NO_ORDER;
        debug_assert!(self.lies_packed(), "what stays follows without a gap");
    }

    /// Adds copies of `range` of `from` at the end.
    fn copy_elements(&mut self, from: &Self, range: Range<usize>) {
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
        debug_assert!(self.lies_packed(), "copied elements follow the others without a gap");
    }
}

/// The bytes that `share` of a page is.
#[allow(clippy::cast_possible_truncation, reason = "rounds down to whole bytes")]
#[allow(clippy::cast_sign_loss, reason = "a share of a page size")]
#[allow(clippy::cast_precision_loss, reason = "page sizes are below 2^24")]
pub(crate) fn share_of(page_size: usize, share: f64) -> usize {
    assert!((0.0..=1.0).contains(&share), "a page is filled to a share of it");
    (page_size as f64 * share) as usize
}
