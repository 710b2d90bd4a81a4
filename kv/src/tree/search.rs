//! From a root and a key to the leaf that has the key, or would have it.

use super::TOO_DEEP;
use crate::error::Result;
use crate::format::{DEPTH_MAX, Leaf, LeafEntry, Node};
use crate::store::{Below, Candidates, LeafRef, Link, PageRef, Pages, Turn, corrupt};

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

/// How far the search for a key has come.
#[derive(Clone, Debug)]
pub(super) enum Search<'t> {
    /// To this page, of which it is known whether it is a leaf.
    Above(Link, Below),
    /// To the elements of a leaf among which the key is or would be.
    Among(Candidates<'t>),
}

impl<'t> Search<'t> {
    pub(super) const fn new(root: Root<'t>) -> Self {
        match root {
            Root::Link(link) => Self::Above(link, Below::Unknown),
            Root::Inline { leaf, home } => Self::Among(Candidates::all(LeafRef { link: home, leaf })),
        }
    }

    /// Goes down to the elements of a leaf, or with `stop` at a page that is known to be a leaf, before it is searched.
    /// `down` is told each branch on the way and the index of the child taken.
    #[inline]
    pub(super) fn descend(
        self,
        pages: &Pages<'t>,
        key: &[u8],
        stop: bool,
        mut down: impl FnMut(Link, usize),
    ) -> Result<Self> {
        let Self::Above(mut link, mut below) = self else { return Ok(self) };
        for _ in 0..DEPTH_MAX {
            if stop && below == Below::Leaves {
                return Ok(Self::Above(link, below));
            }
            match pages.turn(link, key, below)? {
                Turn::Here(candidates) => return Ok(Self::Among(candidates)),
                Turn::Down { index, child, below: kind } => {
                    down(link, index);
                    (link, below) = (child, kind);
                }
            }
        }
        Err(corrupt(link, TOO_DEEP))
    }

    /// The leaf, and the elements among which the key is or would be, of a search that was not stopped.
    #[inline]
    pub(super) fn arrived(self) -> Result<Candidates<'t>> {
        match self {
            Self::Among(candidates) => Ok(candidates),
            Self::Above(link, _) => Err(corrupt(link, TOO_DEEP)),
        }
    }
}

/// The leaf whose range `key` falls into, and the elements among which it is or would be. O(log n). `down` is told each
/// branch on the way and the index of the child taken.
#[inline]
pub(super) fn descend<'t>(
    pages: &Pages<'t>,
    root: Root<'t>,
    key: &[u8],
    down: impl FnMut(Link, usize),
) -> Result<Candidates<'t>> {
    Search::new(root).descend(pages, key, false, down)?.arrived()
}

/// The item `key`, and the leaf it is in. O(log n), no allocation.
#[inline]
pub(crate) fn find<'t>(pages: &Pages<'t>, root: Root<'t>, key: &[u8]) -> Result<Option<(LeafRef<'t>, LeafEntry<'t>)>> {
    let candidates = descend(pages, root, key, |_, _| ())?;
    std::hint::black_box(candidates.touch());
    match candidates.search(key)? {
        Ok(index) => {
            let leaf = candidates.leaf;
            let entry = leaf.entry(index)?;
            debug_assert!(entry.key == key, "the item that a search finds has the key");
            Ok(Some((leaf, entry)))
        }
        Err(_) => Ok(None),
    }
}
