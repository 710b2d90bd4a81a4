//! Packs split nodes before the commit, in buckets that have a fill percent.
//!
//! Nodes are halved while they grow out of key order, and end up two thirds full. bbolt keeps a node whole until the
//! commit and then cuts all of it at once, at the share: to the same end, what one node was cut into is joined and cut
//! again here, as a stream from left to right that never holds more than two pages.
#![allow(clippy::arithmetic_side_effects, reason = "indices and sizes within nodes in memory, which stay below 4 GiB")]

use super::path::child;
use super::split::{Cut, split_child, split_root};
use crate::format::PAGE_HEADER;
use crate::store::{Slot, WriteSet, share_of};

/// Packs the nodes below `root` that this transaction cut out of one another to `share` of a page. The tree may need
/// [rebalancing](mod@super::rebalance) then, as after deletions. O(bytes of the changed nodes).
///
/// Recursion goes down changed nodes, whose depth the descents that changed them have bounded.
pub(crate) fn pack(write_set: &mut WriteSet, root: Slot, share: f64) {
    pack_below(write_set, root, share, true);
    split_root(write_set, root, Cut::Share(share));
}

/// `last` says that `parent` is the last of its level.
fn pack_below(write_set: &mut WriteSet, parent: Slot, share: f64, last: bool) {
    if !write_set.dirty(parent).is_branch() {
        return;
    }
    let mut index = 0;
    while index < write_set.dirty(parent).count() {
        if let Some(slot) = child(write_set, parent, index).slot() {
            pack_below(write_set, slot, share, last && index + 1 == write_set.dirty(parent).count());
        }
        // A small share makes more children, which may be too many for one branch.
        index += split_child(write_set, parent, index, Cut::Share(share));
    }
    index = 0;
    while index < write_set.dirty(parent).count() {
        index += pack_family(write_set, parent, index, share, last);
    }
}

/// Packs child `index` of `parent` and what was cut off it; returns how many children they are now.
fn pack_family(write_set: &mut WriteSet, parent: Slot, index: usize, share: f64, last: bool) -> usize {
    let family = family(write_set, parent, index);
    let last = last && index + family.len() == write_set.dirty(parent).count();
    // Packing into as many nodes as before gains nothing, and leaves the last node nearly empty. At the end of the tree
    // that is right, because the tree grows there.
    if family.len() < 2 || (!last && parts(write_set, &family, share) == family.len()) {
        return family.len().max(1);
    }
    let mut at = index;
    for &right in family.iter().skip(1) {
        let Some(left) = child(write_set, parent, at).slot() else { break };
        assert_eq!(child(write_set, parent, at + 1).slot(), Some(right), "a family is in a row while it is packed");
        if is_packed(write_set, left, right, share) {
            at += 1;
            continue;
        }
        write_set.merge(left, right);
        write_set.packed(parent).remove(at + 1);
        write_set.any_shrunk = true;
        at += split_child(write_set, parent, at, Cut::Share(share)) - 1;
    }
    assert!(at >= index, "a family has at least one node");
    at + 1 - index
}

/// Child `index` of `parent`, if it is in memory, and those after it that were cut off it.
fn family(write_set: &WriteSet, parent: Slot, index: usize) -> Vec<Slot> {
    let slots = (index..write_set.dirty(parent).count()).map_while(|index| child(write_set, parent, index).slot());
    let mut family: Vec<Slot> = Vec::new();
    for slot in slots {
        let alike = family.last().is_none_or(|&last| {
            write_set.dirty(slot).cut && write_set.dirty(slot).is_branch() == write_set.dirty(last).is_branch()
        });
        if !alike {
            break;
        }
        family.push(slot);
    }
    family
}

/// How many nodes the elements of `family` make at this share: each takes as many as fit in it, and what fits into a
/// page in the end is not cut.
fn parts(write_set: &WriteSet, family: &[Slot], share: f64) -> usize {
    let (page_size, limit) = (write_set.page_size(), share_of(write_set.page_size(), share));
    let nodes = family.iter().map(|&slot| write_set.dirty(slot));
    let mut rest = nodes.clone().map(|node| node.size() - PAGE_HEADER).sum::<usize>() + PAGE_HEADER;
    let (mut parts, mut used, mut count) = (1, PAGE_HEADER, 0);
    for node in nodes {
        for size in (0..node.count()).map(|index| node.element_size(index)) {
            if rest + used <= page_size + PAGE_HEADER {
                return parts;
            }
            if count >= node.fewest() && used + size > limit {
                parts += 1;
                (used, count) = (PAGE_HEADER, 0);
            }
            rest -= size;
            used += size;
            count += 1;
        }
    }
    parts
}

/// Whether `left` is so full that the first element of `right` would exceed the share.
fn is_packed(write_set: &WriteSet, left: Slot, right: Slot, share: f64) -> bool {
    let (left, right) = (write_set.dirty(left), write_set.dirty(right));
    let limit = share_of(write_set.page_size(), share);
    left.size() <= limit && right.count() > 0 && left.size() + right.element_size(0) > limit
}
