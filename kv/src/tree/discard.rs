//! Gives back all pages of trees that nothing leads to any more.

use super::Forest;
use crate::error::Result;
use crate::format::Node;
use crate::store::{Link, WriteSet};

/// Frees all pages of `parts` of a tree, of the buckets inside them, and of the buckets with these `roots`, none of which
/// is opened. Returns how many items the parts had. O(pages), of which only headers and element tables are read.
pub(crate) fn discard(write_set: &mut WriteSet, parts: Vec<Link>, roots: Vec<Link>) -> Result<u64> {
    let (mut links, mut items) = (Vec::new(), 0u64);
    let mut forest = Forest::over(write_set.pages(), parts, roots);
    while let Some(visit) = forest.next() {
        let page = visit?.page;
        links.push(page.link);
        if let Node::Leaf(leaf) = page.node
            && !forest.is_nested()
        {
            items = items.saturating_add(leaf.count() as u64);
        }
    }
    assert!(links.len() as u64 <= write_set.pages().nodes(), "a walk visits each node once");
    links.into_iter().try_for_each(|link| write_set.discard(link))?;
    Ok(items)
}
