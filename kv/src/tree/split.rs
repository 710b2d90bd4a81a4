//! Splitting nodes that have outgrown a page.

use crate::store::{Draft, Link, Slot};

/// Where overfull nodes are cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// As [`split_point`](crate::store::Image::split_point) finds from how they grew.
    Growth { fill: Option<f64>, last: bool },
    /// At this share of a page.
    Share(f64),
}

/// Splits child `index` of `parent`, a node in memory, until no part is larger than a page that can be smaller. Returns
/// how many parts there are now.
pub(super) fn split_child(draft: &mut Draft, parent: Slot, index: usize, cut: Cut) -> usize {
    let page_size = draft.page_size();
    let (mut next, mut end) = (index, index + 1);
    while next < end {
        let Some(child) = Link::from_raw(draft.image(parent).child(next)).slot() else { break };
        let image = draft.image(child);
        if !image.is_overfull(page_size) {
            next += 1;
            continue;
        }
        let at = match cut {
            Cut::Growth { fill, last } => image.split_point(page_size, fill, last && next + 1 == end),
            Cut::Share(share) => image.share_point(page_size, share),
        };
        let upper = draft.split(child, at);
        let key = draft.image(upper).key(0).to_vec();
        draft.image_mut(parent).insert_branch(next + 1, &key, Link::to_slot(upper).raw());
        end += 1;
    }
    end - index
}

/// Splits a root. It keeps its slot, so whoever holds the tree by it need not know, and gets a level below it.
pub(super) fn split_root(draft: &mut Draft, root: Slot, mut cut: Cut) {
    while draft.image(root).is_overfull(draft.page_size()) {
        let below = draft.push_down(root);
        let key = draft.image(below).key(0).to_vec();
        draft.image_mut(root).insert_branch(0, &key, Link::to_slot(below).raw());
        split_child(draft, root, 0, cut);
        if let Cut::Growth { last, .. } = &mut cut {
            *last = false;
        }
    }
}
