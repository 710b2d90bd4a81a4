//! After deletions, before the commit gives nodes their pages: nodes that are nearly empty are joined, and parents are
//! told the first keys of their children.

use super::split::{Cut, split_child, split_root};
use crate::error::Result;
use crate::format::{Node, PAGE_HEADER};
use crate::store::{Draft, ImageKind, Link, Slot};

/// Brings the changed nodes below `root` into the shape that a file may have.
///
/// Every changed node that lost elements and takes less than a quarter of a page is merged with a neighbour, if both
/// fit into one page. Empty nodes go, and a root with one child becomes that child. Then every branch gets as its keys
/// the first keys of its children, exactly: bbolt finds a child in its parent by that key, and would list the child
/// twice if it were another.
///
/// Only changed nodes are looked at; a neighbour that joins is copied for it. Recursion goes down changed nodes, whose
/// depth the descents that changed them have bounded.
pub(crate) fn tidy_after_deletes(draft: &mut Draft, root: Slot, fill: Option<f64>) -> Result<()> {
    merge_below(draft, root)?;
    collapse_root(draft, root)?;
    let cut = Cut::Growth { fill, last: false };
    settle_keys(draft, root, cut);
    split_root(draft, root, cut);
    Ok(())
}

/// First keys of children into their parents, from the leaves up. A longer key may make a branch too large.
fn settle_keys(draft: &mut Draft, parent: Slot, cut: Cut) {
    if !draft.image(parent).is_branch() {
        return;
    }
    let mut index = 0;
    while index < draft.image(parent).count() {
        let Some(slot) = child(draft, parent, index).slot() else {
            index += 1;
            continue;
        };
        settle_keys(draft, slot, cut);
        if draft.image(slot).key(0) != draft.image(parent).key(index) {
            let key = draft.image(slot).key(0).to_vec();
            draft.image_mut(parent).replace_key(index, &key);
        }
        index += split_child(draft, parent, index, cut);
    }
}

fn merge_below(draft: &mut Draft, parent: Slot) -> Result<()> {
    if !draft.image(parent).is_branch() {
        return Ok(());
    }
    for index in 0..draft.image(parent).count() {
        if let Some(child) = child(draft, parent, index).slot() {
            merge_below(draft, child)?;
        }
    }
    merge_children(draft, parent)
}

/// Merges among the children of one branch, which are in shape below themselves.
fn merge_children(draft: &mut Draft, parent: Slot) -> Result<()> {
    let mut index = 0;
    while draft.image(parent).is_branch() && index < draft.image(parent).count() {
        match child(draft, parent, index).slot() {
            Some(slot) if wants_merge(draft, slot) => index = merge_child(draft, parent, index, slot)?,
            _ => index += 1,
        }
    }
    Ok(())
}

/// Deals with one underfull child; returns the index to go on with.
fn merge_child(draft: &mut Draft, parent: Slot, index: usize, slot: Slot) -> Result<usize> {
    if draft.image(slot).count() == 0 {
        draft.image_mut(parent).remove(index);
        draft.vacate(slot);
        draft.merges += 1;
        return Ok(index);
    }
    let Some(left) = neighbour(draft, parent, index, slot)? else { return Ok(index + 1) };
    let merged = own(draft, parent, left)?;
    let right = own(draft, parent, left + 1)?;
    draft.merge(merged, right);
    draft.image_mut(parent).remove(left + 1);
    // A branch that had a single child could not merge that; with its new siblings it can. What has become of the
    // merged node then is looked at once more.
    merge_children(draft, merged)?;
    draft.image_mut(merged).shrunk = true;
    Ok(left)
}

/// The left one of the pair to merge: the child `index` and the neighbour before it, else the one behind it.
///
/// A branch with a single child merges whatever the size, and what is too large is split again: bbolt relies on every
/// branch having two children. Only damage puts a leaf beside a branch: those stay apart, for the check to find.
fn neighbour(draft: &Draft, parent: Slot, index: usize, slot: Slot) -> Result<Option<usize>> {
    if index > 0 && joins(draft, child(draft, parent, index - 1), slot)? {
        return Ok(Some(index - 1));
    }
    if index + 1 < draft.image(parent).count() && joins(draft, child(draft, parent, index + 1), slot)? {
        return Ok(Some(index));
    }
    Ok(None)
}

fn wants_merge(draft: &Draft, slot: Slot) -> bool {
    let image = draft.image(slot);
    image.shrunk && (image.count() == 0 || is_lone(draft, slot) || image.size() < draft.page_size() / 4)
}

/// A branch with a single child.
fn is_lone(draft: &Draft, slot: Slot) -> bool {
    let image = draft.image(slot);
    image.is_branch() && image.count() == 1
}

/// Whether the node behind `link` and the one at `slot` are of one kind, and make one page or must be made one.
fn joins(draft: &Draft, link: Link, slot: Slot) -> Result<bool> {
    let image = draft.image(slot);
    let (branch, size) = if let Some(other) = link.slot() {
        (draft.image(other).is_branch(), draft.image(other).size())
    } else {
        // The size of a page of the file is known only when it is unpacked; reading it is cheap and copies nothing.
        let page = draft.pages().node(link)?;
        (matches!(page.node, Node::Branch(_)), page.located(page.node.packed_size())?)
    };
    let fits = size + image.size() - PAGE_HEADER <= draft.page_size();
    Ok(branch == image.is_branch() && (fits || is_lone(draft, slot)))
}

/// Child `index` of `parent`, changeable.
fn own(draft: &mut Draft, parent: Slot, index: usize) -> Result<Slot> {
    let slot = draft.touch(child(draft, parent, index))?;
    draft.image_mut(parent).set_child(index, Link::to_slot(slot).raw());
    Ok(slot)
}

fn collapse_root(draft: &mut Draft, root: Slot) -> Result<()> {
    while draft.image(root).is_branch() && draft.image(root).count() <= 1 {
        if draft.image(root).count() == 0 {
            let leaf = draft.create(ImageKind::Leaf);
            draft.replace(root, leaf);
            return Ok(());
        }
        let only = own(draft, root, 0)?;
        draft.replace(root, only);
        draft.merges += 1;
    }
    Ok(())
}

pub(super) fn child(draft: &Draft, parent: Slot, index: usize) -> Link {
    Link::from_raw(draft.image(parent).child(index))
}
