//! Joining nodes that deletions have left nearly empty, before the commit gives them pages.

use crate::error::Result;
use crate::format::PAGE_HEADER;
use crate::store::{Draft, ImageKind, Link, Slot};

/// Merges, below `root`, every changed node that lost elements and takes less than a quarter of a page with a
/// neighbour, if both fit into one page. Empty nodes go, and a root with one child becomes that child.
///
/// Only changed nodes are looked at; a neighbour that joins is copied for it. Recursion goes down changed nodes, whose
/// depth the descents that changed them have bounded.
pub(crate) fn merge_underfull(draft: &mut Draft, root: Slot) -> Result<()> {
    merge_below(draft, root)?;
    collapse_root(draft, root)
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
    let mut index = 0;
    while index < draft.image(parent).count() {
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
    let size = draft.image(slot).size();
    if index > 0 && fits(draft, child(draft, parent, index - 1), size)? {
        let left = own(draft, parent, index - 1)?;
        draft.merge(left, slot);
        draft.image_mut(parent).remove(index);
        return Ok(index);
    }
    if index + 1 < draft.image(parent).count() && fits(draft, child(draft, parent, index + 1), size)? {
        let right = own(draft, parent, index + 1)?;
        draft.merge(slot, right);
        draft.image_mut(parent).remove(index + 1);
        // The merged node may still be small: look at it once more.
        return Ok(index);
    }
    Ok(index + 1)
}

fn wants_merge(draft: &Draft, slot: Slot) -> bool {
    let image = draft.image(slot);
    let least = if image.is_branch() { 2 } else { 1 };
    image.shrunk && (image.size() < draft.page_size() / 4 || image.count() < least)
}

/// Whether the node behind `link` and another of `size` bytes make one page.
fn fits(draft: &Draft, link: Link, size: usize) -> Result<bool> {
    let room = draft.page_size();
    let Some(slot) = link.slot() else {
        // The size of a page of the file is known only when it is unpacked; reading it is cheap and copies nothing.
        let page = draft.pages().node(link)?;
        return Ok(page.located(page.node.packed_size())? + size - PAGE_HEADER <= room);
    };
    Ok(draft.image(slot).size() + size - PAGE_HEADER <= room)
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

fn child(draft: &Draft, parent: Slot, index: usize) -> Link {
    Link::from_raw(draft.image(parent).child(index))
}
