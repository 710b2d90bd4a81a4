//! Counts the pairs of a tree, leaf by leaf.

use super::{Root, Walk};
use crate::error::Result;
use crate::format::Node;
use crate::store::Pages;

/// How many pairs a tree has; its buckets are not counted. O(n), without a look at keys or values.
pub(crate) fn count_pairs(pages: Pages<'_>, root: Root<'_>) -> Result<u64> {
    let mut pairs = 0u64;
    for visit in Walk::new(pages, root) {
        if let Node::Leaf(leaf) = visit?.page.node {
            let buckets = (0..leaf.count()).filter(|&index| leaf.is_bucket(index)).count();
            assert!(buckets <= leaf.count(), "each item is a pair or a bucket");
            pairs = pairs.saturating_add(leaf.count().saturating_sub(buckets) as u64);
        }
    }
    Ok(pairs)
}
