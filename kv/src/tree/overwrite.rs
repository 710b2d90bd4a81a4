//! Bucket headers, overwritten where they are.

use super::path::child;
use crate::format::{BUCKET_FLAG, BucketHeader};
use crate::store::{Link, Slot, WriteSet};

/// Gives the bucket `name` a header with the page number of its root, which was the node `named` so far. `root` is the
/// root of the tree that has the header. O(log n).
///
/// This runs when all nodes have their pages. The nodes on the way to a changed header are all in memory, and the new
/// header is as long as the old one, so no node is copied, moved, split or added.
#[allow(clippy::expect_used, reason = "spilling has put the header here, so these are assertions")]
pub(crate) fn overwrite_header(write_set: &mut WriteSet, root: Slot, name: &[u8], named: Slot, header: BucketHeader) {
    let mut slot = root;
    while write_set.dirty(slot).is_branch() {
        let index = match write_set.dirty(slot).search(name) {
            Ok(index) => index,
            Err(next) => next.saturating_sub(1),
        };
        slot = child(write_set, slot, index).slot().expect("the nodes on the way to a changed header are in memory");
    }
    let index = write_set.dirty(slot).search(name).expect("the header was put into this tree before");
    assert!(write_set.dirty(slot).flags(index) & BUCKET_FLAG != 0, "a header is the value of a bucket");
    let before = BucketHeader { root: Link::to_slot(named).raw(), sequence: header.sequence };
    assert_eq!(write_set.dirty(slot).value(index), before.to_bytes(), "the header names the node that got a page");
    write_set.dirty_mut(slot).overwrite_value(index, &header.to_bytes());
}
