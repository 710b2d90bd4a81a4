//! After deletions, before the commit gives nodes their pages: nodes that are nearly empty are merged with neighbours,
//! and parents get the first keys of their children.
#![allow(clippy::arithmetic_side_effects, reason = "indices and sizes within nodes in memory, which stay below 4 GiB")]

use super::path::{child, high_of_child, own_child};
use super::split::{Cut, split_child, split_root};
use crate::error::Result;
use crate::format::{Node, PAGE_HEADER};
use crate::store::{Link, Slot, WriteSet};

/// Brings the changed nodes below `root` into the shape that a file may have.
///
/// Every changed node that lost elements and takes less than a quarter of a page is merged with a neighbour, if both
/// fit into one page, and a root with one child becomes that child. No node is empty: deletions take those out at once.
/// Then every branch gets as its keys the first keys of its children, exactly: bbolt finds a child in its parent by that key, and would list the child
/// twice if it were another.
///
/// Only changed nodes are looked at; a neighbour that joins is copied for it. Recursion goes down changed nodes, whose
/// depth the descents that changed them have bounded.
pub(crate) fn rebalance(write_set: &mut WriteSet, root: Slot, fill: Option<f64>) -> Result<()> {
    merge_below(write_set, root, None)?;
    collapse_root(write_set, root)?;
    let cut = Cut::Growth { fill, last: false };
    settle_keys(write_set, root, cut);
    split_root(write_set, root, cut);
    assert!(
        !write_set.dirty(root).is_branch() || write_set.dirty(root).count() > 1,
        "a root is a leaf or has two children"
    );
    Ok(())
}

/// First keys of children into their parents, from the leaves up. A longer key may make a branch too large.
fn settle_keys(write_set: &mut WriteSet, parent: Slot, cut: Cut) {
    if !write_set.dirty(parent).is_branch() {
        return;
    }
    let mut index = 0;
    while index < write_set.dirty(parent).count() {
        let Some(slot) = child(write_set, parent, index).slot() else {
            index += 1;
            continue;
        };
        settle_keys(write_set, slot, cut);
        assert!(write_set.dirty(slot).count() > 0, "no node in a tree is empty");
        if write_set.dirty(slot).key(0) != write_set.dirty(parent).key(index) {
            let key = write_set.dirty(slot).key(0).to_vec();
            write_set.packed(parent).replace_key(index, &key);
            debug_assert_eq!(
                write_set.dirty(parent).search(&key),
                Ok(index),
                "the first key of a child lies between those of its neighbours"
            );
        }
        index += split_child(write_set, parent, index, cut);
    }
}

/// Merges below `parent`, whose keys are all less than `high`.
fn merge_below(write_set: &mut WriteSet, parent: Slot, high: Option<&[u8]>) -> Result<()> {
    if !write_set.dirty(parent).is_branch() {
        return Ok(());
    }
    for index in 0..write_set.dirty(parent).count() {
        if let Some(child) = child(write_set, parent, index).slot().filter(|&child| write_set.dirty(child).is_branch())
        {
            let high = high_of_child(write_set, parent, index, high);
            merge_below(write_set, child, high.as_deref())?;
        }
    }
    merge_children(write_set, parent, high)
}

/// Merges among the children of one branch. Below them, merging is done.
fn merge_children(write_set: &mut WriteSet, parent: Slot, high: Option<&[u8]>) -> Result<()> {
    let mut index = 0;
    while index < write_set.dirty(parent).count() {
        match child(write_set, parent, index).slot() {
            Some(slot) if wants_merge(write_set, slot) => {
                index = merge_child(write_set, parent, index, slot, high)?;
            }
            _ => index += 1,
        }
    }
    Ok(())
}

/// Deals with one underfull child; returns the index to go on with.
fn merge_child(write_set: &mut WriteSet, parent: Slot, index: usize, slot: Slot, high: Option<&[u8]>) -> Result<usize> {
    assert!(write_set.dirty(slot).count() > 0, "a node that a deletion empties has left its tree");
    let Some(left) = neighbour(write_set, parent, index, slot)? else { return Ok(index + 1) };
    let merged = own_child(write_set, parent, left, high)?;
    let right = own_child(write_set, parent, left + 1, high)?;
    write_set.merge(merged, right);
    write_set.packed(parent).remove(left + 1);
    // A branch that had a single child could not merge that; with its new siblings it can. The merged node may still be
    // nearly empty, and is looked at once more.
    if write_set.dirty(merged).is_branch() {
        let high = high_of_child(write_set, parent, left, high);
        merge_children(write_set, merged, high.as_deref())?;
    }
    assert!(write_set.dirty(merged).count() > 0, "nodes that are merged have elements");
    write_set.dirty_mut(merged).shrunk = true;
    Ok(left)
}

/// The left one of the pair to merge: the child `index` and the neighbour before it, or else the one after it.
///
/// A branch with a single child merges whatever the size, and what is too large is split again: bbolt relies on every
/// branch having two children. Only damage puts a leaf beside a branch: those stay apart, for the check to find.
fn neighbour(write_set: &WriteSet, parent: Slot, index: usize, slot: Slot) -> Result<Option<usize>> {
    if index > 0 && joins(write_set, child(write_set, parent, index - 1), slot)? {
        return Ok(Some(index - 1));
    }
    if index + 1 < write_set.dirty(parent).count() && joins(write_set, child(write_set, parent, index + 1), slot)? {
        return Ok(Some(index));
    }
    Ok(None)
}

fn wants_merge(write_set: &WriteSet, slot: Slot) -> bool {
    let node = write_set.dirty(slot);
    node.shrunk && (is_lone(write_set, slot) || node.size() < write_set.page_size() / 4)
}

/// A branch with a single child.
fn is_lone(write_set: &WriteSet, slot: Slot) -> bool {
    let node = write_set.dirty(slot);
    node.is_branch() && node.count() == 1
}

/// Whether the node that `link` leads to and the one at `slot` are of one kind, and fit into one page or must be merged.
fn joins(write_set: &WriteSet, link: Link, slot: Slot) -> Result<bool> {
    assert_ne!(link.slot(), Some(slot), "no node is its own neighbour");
    let node = write_set.dirty(slot);
    let (branch, size) = if let Some(other) = link.slot() {
        (write_set.dirty(other).is_branch(), write_set.dirty(other).size())
    } else {
        // The size of a page of the file is known only when it is unpacked; reading it is cheap and copies nothing.
        let page = write_set.pages().node(link)?;
        (matches!(page.node, Node::Branch(_)), page.located(page.node.packed_size())?)
    };
    let fits = size + node.size() - PAGE_HEADER <= write_set.page_size();
    Ok(branch == node.is_branch() && (fits || is_lone(write_set, slot)))
}

fn collapse_root(write_set: &mut WriteSet, root: Slot) -> Result<()> {
    while is_lone(write_set, root) {
        let only = own_child(write_set, root, 0, None)?;
        write_set.replace(root, only);
        write_set.note_merge();
    }
    Ok(())
}
