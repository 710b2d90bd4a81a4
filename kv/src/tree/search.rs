//! From a root and a key to the leaf that has the key, or would have it.

use super::TOO_DEEP;
use crate::error::Result;
use crate::format::{DEPTH_MAX, Leaf, LeafEntry, Node};
use crate::store::{Link, PageRef, Pages, corrupt};

/// Where a tree starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Root<'t> {
    /// At a page, or a node in memory.
    Link(Link),
    /// The tree is one leaf inside the page `home` of its parent's tree.
    Inline { leaf: Leaf<'t>, home: Link },
}

impl<'t> Root<'t> {
    #[inline]
    pub(crate) fn open(&self, pages: &Pages<'t>) -> Result<PageRef<'t>> {
        match *self {
            Self::Link(link) => pages.node(link),
            Self::Inline { leaf, home } => Ok(PageRef { link: home, node: Node::Leaf(leaf) }),
        }
    }
}

/// The leaf whose range `key` falls into. O(log n).
#[inline]
fn seek_leaf<'t>(pages: &Pages<'t>, root: Root<'t>, key: &[u8]) -> Result<(PageRef<'t>, Leaf<'t>)> {
    let mut page = root.open(pages)?;
    for _ in 0..DEPTH_MAX {
        match &page.node {
            Node::Leaf(leaf) => return Ok((page, *leaf)),
            Node::Branch(branch) => {
                let index = page.located(branch.search(key))?;
                debug_assert!(index < branch.count(), "a branch has a child for every key");
                page = pages.node(page.child(branch, index)?)?;
            }
        }
    }
    Err(corrupt(page.link, TOO_DEEP))
}

/// The item `key`, and the page it is in. O(log n), no allocation.
#[inline]
pub(crate) fn find<'t>(pages: &Pages<'t>, root: Root<'t>, key: &[u8]) -> Result<Option<(PageRef<'t>, LeafEntry<'t>)>> {
    let (page, leaf) = seek_leaf(pages, root, key)?;
    match page.located(leaf.search(key))? {
        Ok(index) => {
            let entry = page.entry(&leaf, index)?;
            debug_assert!(entry.key == key, "the item that a search finds has the key");
            Ok(Some((page, entry)))
        }
        Err(_) => Ok(None),
    }
}
