//! One step of a descent: from a page and a key to the child, or to the place in the leaf.

use std::ops::Range;

use super::Link;
use super::heads::{Below, Narrowed};
use super::pages::{PageRef, Pages, corrupt};
use crate::error::Result;
use crate::format::{Leaf, LeafEntry, Malformed, Node};

/// A leaf, and the link that led to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafRef<'t> {
    pub(crate) link: Link,
    pub(crate) leaf: Leaf<'t>,
}

/// The elements of a leaf among which a key is, if the leaf has it: it is behind all before them, and before all behind them.
#[derive(Clone, Debug)]
pub(crate) struct Candidates<'t> {
    pub(crate) leaf: LeafRef<'t>,
    range: Range<usize>,
    /// Where in the leaf the key of the first of them begins, or 0.
    key_at: usize,
}

/// Where a key leads from a page.
#[derive(Debug)]
pub(crate) enum Turn<'t> {
    /// To child `index` of this branch, and what is known of the kind of that child.
    Down { index: usize, child: Link, below: Below },
    /// The page is a leaf.
    Here(Candidates<'t>),
}

impl<'t> Pages<'t> {
    /// Reads the cache lines of what is remembered of the leaf at `link`, so that they are on their way.
    #[inline]
    pub(crate) fn touch_remembered(&self, link: Link) -> u64 {
        self.heads().map_or(0, |heads| heads.touch_leaf(link.page_id()))
    }

    /// Where `key` leads from the page at `link`, by what is remembered of that page, else by the page itself. `below` is
    /// what is known of the page's kind.
    #[inline]
    pub(crate) fn turn(&self, link: Link, key: &[u8], below: Below) -> Result<Turn<'t>> {
        let Some(heads) = self.heads().filter(|_| !link.in_memory()) else { return self.turn_in_page(link, key) };
        if let Some(narrowed) = heads.narrow(link.page_id(), key, below) {
            return self.turn_narrowed(link, key, narrowed);
        }
        let turn = self.turn_in_page(link, key)?;
        self.remember(link);
        Ok(turn)
    }

    /// The rest of the search: what the heads have not decided.
    #[inline]
    fn turn_narrowed(&self, link: Link, key: &[u8], narrowed: Narrowed) -> Result<Turn<'t>> {
        let Narrowed { low, high, header, child, key_at, below } = narrowed;
        if let Some(child) = child {
            return Ok(Turn::Down { index: low.saturating_sub(1), child: Link::from_raw(child), below });
        }
        let bytes = self.run(link, header)?;
        let located = |Malformed(what)| corrupt(link, what);
        match Node::parse(bytes, header).map_err(located)? {
            Node::Leaf(leaf) => {
                let leaf = LeafRef { link, leaf };
                Ok(Turn::Here(Candidates { leaf, range: low..high, key_at: key_at.unwrap_or(0) }))
            }
            node @ Node::Branch(branch) => {
                let index = branch.search_in(low..high, key).map_err(located)?;
                let child = PageRef { link, node }.child(&branch, index)?;
                Ok(Turn::Down { index, child, below })
            }
        }
    }

    fn turn_in_page(&self, link: Link, key: &[u8]) -> Result<Turn<'t>> {
        let page = self.node(link)?;
        match &page.node {
            Node::Leaf(leaf) => Ok(Turn::Here(Candidates::all(LeafRef { link, leaf: *leaf }))),
            Node::Branch(branch) => {
                let index = page.located(branch.search(key))?;
                debug_assert!(index < branch.count(), "a branch has a child for every key");
                let child = page.child(branch, index)?;
                self.check_named(link, child)?;
                Ok(Turn::Down { index, child, below: Below::Unknown })
            }
        }
    }
}

impl<'t> Candidates<'t> {
    /// All elements of `leaf`.
    pub(crate) const fn all(leaf: LeafRef<'t>) -> Self {
        Self { leaf, range: 0..leaf.leaf.count(), key_at: 0 }
    }

    /// Reads the cache lines of the first candidate's element and of its key, so that they are on their way together.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.leaf.leaf.touch(self.range.start, self.key_at).into()
    }

    /// Where `key` is (`Ok`) or would be inserted (`Err`).
    #[inline]
    pub(crate) fn search(&self, key: &[u8]) -> Result<std::result::Result<usize, usize>> {
        let (leaf, range) = (&self.leaf.leaf, self.range.clone());
        debug_assert!(range.end <= leaf.count(), "the key is among the leaf's elements or beside them");
        let search = if range.len() == leaf.count() { leaf.search(key) } else { leaf.search_in(range, key) };
        self.leaf.located(search)
    }
}

impl<'t> LeafRef<'t> {
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Result<LeafEntry<'t>> {
        self.located(self.leaf.entry(index))
    }

    /// The leaf as a page of either kind.
    pub(crate) const fn page(self) -> PageRef<'t> {
        PageRef { link: self.link, node: Node::Leaf(self.leaf) }
    }

    /// Adds this page's number to what is wrong with it.
    #[inline]
    pub(crate) fn located<T>(&self, result: std::result::Result<T, Malformed>) -> Result<T> {
        self.page().located(result)
    }
}
