//! The dirty nodes of a tree, in the order in which a commit gives them pages.

use crate::store::{Link, Slot, WriteSet};

/// Adds the dirty nodes of the tree at `root` to `order`: children before parents, in key order. O(dirty nodes and their
/// children).
pub(crate) fn spill_order(write_set: &WriteSet, root: Slot, order: &mut Vec<Slot>) {
    // The next child to look at, for each branch on the way down.
    let mut way = vec![(root, 0)];
    while let Some((slot, next)) = way.pop() {
        let node = write_set.dirty(slot);
        let children = if node.is_branch() { node.count() } else { 0 };
        match (next..children).find_map(|index| Some((index, Link::from_raw(node.child(index)).slot()?))) {
            Some((index, child)) => way.extend([(slot, index.saturating_add(1)), (child, 0)]),
            None => order.push(slot),
        }
    }
    debug_assert_eq!(order.last(), Some(&root), "all nodes of a tree come before its root");
}

/// Replaces the links to dirty nodes in the branches `nodes` by page numbers.
pub(crate) fn patch_children(write_set: &mut WriteSet, nodes: &[Slot], page_of: impl Fn(Slot) -> u64) {
    for &slot in nodes {
        let node = write_set.dirty_mut(slot);
        if !node.is_branch() {
            continue;
        }
        for index in 0..node.count() {
            if let Some(child) = Link::from_raw(node.child(index)).slot() {
                let page = page_of(child);
                assert!(
                    page >= 2 && !Link::from_raw(page).in_memory(),
                    "a child has a page before its parent names it"
                );
                node.set_child(index, page);
            }
        }
    }
}
