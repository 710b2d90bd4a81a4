//! Splitting nodes that have outgrown a page.
#![allow(clippy::arithmetic_side_effects, reason = "indices and sizes within nodes in memory, which stay below 4 GiB")]

use crate::store::{Link, Slot, WriteSet};

/// Where overfull nodes are cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// As [`split_point`](crate::store::DirtyNode::split_point) finds from how they grew.
    Growth { fill: Option<f64>, last: bool },
    /// At this share of a page.
    Share(f64),
}

/// Splits child `index` of `parent`, a node in memory, until no part is larger than a page that can be smaller. Returns
/// how many parts there are now.
pub(super) fn split_child(write_set: &mut WriteSet, parent: Slot, index: usize, cut: Cut) -> usize {
    let page_size = write_set.page_size();
    let (mut next, mut end) = (index, index + 1);
    while next < end {
        let Some(child) = Link::from_raw(write_set.dirty(parent).child(next)).slot() else { break };
        if !write_set.dirty(child).is_overfull(page_size) {
            next += 1;
            continue;
        }
        let node = write_set.packed(child);
        let at = match cut {
            Cut::Growth { fill, last } => node.split_point(page_size, fill, last && next + 1 == end),
            Cut::Share(share) => node.share_point(page_size, share),
        };
        let upper = write_set.split(child, at);
        let key = write_set.dirty(upper).key(0).to_vec();
        debug_assert_eq!(
            write_set.dirty(parent).search(&key),
            Err(next + 1),
            "the key of the upper half lies between those of its neighbours"
        );
        write_set.dirty_mut(parent).insert_branch(next + 1, &key, Link::to_slot(upper).raw());
        end += 1;
    }
    assert!(end > index, "a split makes no node fewer");
    end - index
}

/// Splits a root. It keeps its slot, by which its bucket holds the tree, and gets a level below it.
pub(super) fn split_root(write_set: &mut WriteSet, root: Slot, mut cut: Cut) {
    while write_set.dirty(root).is_overfull(write_set.page_size()) {
        let below = write_set.push_down(root);
        let key = write_set.dirty(below).key(0).to_vec();
        write_set.dirty_mut(root).insert_branch(0, &key, Link::to_slot(below).raw());
        split_child(write_set, root, 0, cut);
        assert!(write_set.dirty(root).count() >= 2, "a root that is split gets two children");
        if let Cut::Growth { last, .. } = &mut cut {
            *last = false;
        }
    }
}
