//! Every page of a tree, parents before children, in key order.

use super::{MORE_LINKS, Root, TOO_DEEP};
use crate::error::Result;
use crate::format::{DEPTH_MAX, Node};
use crate::store::{Link, PageRef, Pages, corrupt};

/// One node on a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit<'t> {
    pub(crate) page: PageRef<'t>,
    /// Steps from the root: 0 for the root itself.
    pub(crate) depth: usize,
    /// How many pages the node takes in the file; 0 for an inline bucket or a node in memory.
    pub(crate) pages: u64,
    /// The least key that the node may hold, and the key that all of its must be below.
    pub(crate) bounds: (Option<&'t [u8]>, Option<&'t [u8]>),
}

#[derive(Debug)]
struct Pending<'t> {
    link: Link,
    depth: usize,
    bounds: (Option<&'t [u8]>, Option<&'t [u8]>),
}

/// A walk over one tree, without its nested buckets' trees. Memory is the siblings along one path.
///
/// After an error the walk goes on beside the page that was wrong. It visits at most as many pages as the file has.
#[derive(Debug)]
pub(crate) struct Walk<'t> {
    pages: Pages<'t>,
    inline: Option<PageRef<'t>>,
    pending: Vec<Pending<'t>>,
    /// The range of keys of the node visited last, which may have been damaged.
    bounds: (Option<&'t [u8]>, Option<&'t [u8]>),
    /// How many of those pending are children of the node visited last.
    children: usize,
    /// How many children there can be still: every page is the child of one branch.
    left: u64,
}

impl<'t> Walk<'t> {
    pub(crate) fn new(pages: Pages<'t>, root: Root<'t>) -> Self {
        let mut walk =
            Self { pages, inline: None, pending: Vec::new(), bounds: (None, None), children: 0, left: pages.nodes() };
        match root {
            Root::Link(link) => walk.pending.push(Pending { link, depth: 0, bounds: (None, None) }),
            Root::Inline { leaf, home } => walk.inline = Some(PageRef { link: home, node: Node::Leaf(leaf) }),
        }
        walk
    }

    /// The keys that the node visited last may hold, also if it could not be read: from, and up to but without.
    pub(crate) const fn bounds(&self) -> (Option<&'t [u8]>, Option<&'t [u8]>) {
        self.bounds
    }

    /// A walk over several trees, the last one first.
    pub(crate) fn over(pages: Pages<'t>, roots: Vec<Link>) -> Self {
        let pending = roots.into_iter().map(|link| Pending { link, depth: 0, bounds: (None, None) }).collect();
        Self { pages, inline: None, pending, bounds: (None, None), children: 0, left: pages.nodes() }
    }

    /// Leaves out what is below the node visited last.
    pub(crate) fn skip_children(&mut self) {
        assert!(self.children <= self.pending.len(), "the children of the last node have not been visited");
        self.pending.truncate(self.pending.len().saturating_sub(self.children));
        self.children = 0;
    }

    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16, and a depth below 64")]
    fn visit(&mut self, Pending { link, depth, bounds }: Pending<'t>) -> Result<Visit<'t>> {
        if depth >= DEPTH_MAX {
            return Err(corrupt(link, TOO_DEEP));
        }
        debug_assert_eq!(self.children, 0, "the children of one node are counted at a time");
        let page = self.pages.node(link)?;
        let visit = Visit { page, depth, pages: self.pages.extent(link)?, bounds };
        if let Node::Branch(branch) = &page.node {
            let shared = || corrupt(link, MORE_LINKS);
            self.left = self.left.checked_sub(branch.count() as u64).ok_or_else(shared)?;
            for index in (0..branch.count()).rev() {
                let link = page.child(branch, index)?;
                let low = Some(page.located(branch.key(index))?);
                let high =
                    if index + 1 < branch.count() { Some(page.located(branch.key(index + 1))?) } else { bounds.1 };
                self.pending.push(Pending { link, depth: depth + 1, bounds: (low, high) });
                self.children += 1;
            }
        }
        Ok(visit)
    }
}

impl<'t> Iterator for Walk<'t> {
    type Item = Result<Visit<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(page) = self.inline.take() {
            return Some(Ok(Visit { page, depth: 0, pages: 0, bounds: (None, None) }));
        }
        self.children = 0;
        let pending = self.pending.pop()?;
        self.bounds = pending.bounds;
        Some(self.visit(pending))
    }
}
