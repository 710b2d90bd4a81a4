//! One step of a descent: from a page and a key to the child, or to the place in the leaf.

use std::ops::Range;

use pagefile_std::prefetch;

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

/// The elements of a leaf among which a key is, if the leaf has it.
#[derive(Clone, Debug)]
pub(crate) struct Candidates<'t> {
    pub(crate) leaf: LeafRef<'t>,
    range: Range<usize>,
    /// Where in the leaf the key and the value of the first of them are, where that is remembered.
    data: (usize, usize),
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
    /// Has what is remembered of the leaf at `link` brought near, and the beginning of the leaf: with that comes the
    /// translation of its address.
    #[inline]
    pub(crate) fn prefetch_leaf(&self, link: Link) {
        if let Some(heads) = self.heads() {
            heads.prefetch_leaf(link.page_id());
        }
        prefetch(self.page_bytes(link).get(..1).unwrap_or(&[]));
    }

    /// Reads what is remembered of the leaf at `link`, one word of each cache line.
    #[inline]
    pub(crate) fn touch_remembered(&self, link: Link) -> u64 {
        self.heads().map_or(0, |heads| heads.touch_leaf(link.page_id()))
    }

    /// Child `index` of the branch at `link`, if it has so many.
    #[inline]
    pub(crate) fn child(&self, link: Link, index: usize) -> Result<Option<Link>> {
        let remembered =
            self.heads().filter(|_| !link.in_memory()).and_then(|heads| heads.child(link.page_id(), index));
        if let Some(child) = remembered {
            return Ok(Some(Link::from_raw(child)));
        }
        let page = self.node(link)?;
        match &page.node {
            Node::Branch(branch) if index < branch.count() => page.child(branch, index).map(Some),
            _ => Ok(None),
        }
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
        let Narrowed { low, high, header, child, data, below } = narrowed;
        if let Some(child) = child {
            return Ok(Turn::Down { index: low.saturating_sub(1), child: Link::from_raw(child), below });
        }
        let bytes = self.run(link, header)?;
        let located = |Malformed(what)| corrupt(link, what);
        match Node::parse(bytes, header).map_err(located)? {
            Node::Leaf(leaf) => {
                let leaf = LeafRef { link, leaf };
                Ok(Turn::Here(Candidates { leaf, range: low..high, data }))
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
        Self { leaf, range: 0..leaf.leaf.count(), data: (0, 0) }
    }

    /// Has the first candidate brought near: its element, its key and a value that is not long.
    #[inline]
    pub(crate) fn prefetch(&self) {
        /// Whoever reads a longer value goes through it in order, which processors notice.
        const LONGEST: usize = 256;
        let (start, end) = self.data;
        let end = if start < end { end.min(start.saturating_add(LONGEST)) } else { start.saturating_add(LONGEST) };
        self.leaf.leaf.prefetch(self.range.start, start..if start == 0 { 0 } else { end });
    }

    /// Has the items from the first candidate on brought near, as many as a short walk goes over: they lie one after the other, and
    /// a walk would wait for each of them.
    #[inline]
    pub(crate) fn prefetch_run(&self) {
        const RUN: usize = 1024;
        let (start, _) = self.data;
        if start > 0 {
            self.leaf.leaf.prefetch(self.range.start, start..start.saturating_add(RUN));
        }
    }

    /// Reads a byte of the first candidate's element, and the first and the last of its key and value.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.leaf.leaf.touch(self.range.start, self.data).into()
    }

    /// The item `key`, if the leaf has it.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<LeafEntry<'t>>> {
        let (leaf, range) = (&self.leaf, self.range.clone());
        debug_assert!(range.end <= leaf.leaf.count(), "the key is among the leaf's elements or beside them");
        let index = match range.len() {
            0 => return Ok(None),
            1 => range.start,
            len => match leaf.located(if len == leaf.leaf.count() {
                leaf.leaf.search(key)
            } else {
                leaf.leaf.search_in(range, key)
            })? {
                Ok(index) => index,
                Err(_) => return Ok(None),
            },
        };
        let entry = leaf.entry(index)?;
        Ok((entry.key == key).then_some(entry))
    }

    /// Where `key` is (`Ok`) or would be inserted (`Err`), in a leaf that was found by the pages themselves.
    #[inline]
    pub(crate) fn search(&self, key: &[u8]) -> Result<std::result::Result<usize, usize>> {
        self.leaf.located(self.leaf.leaf.search(key))
    }

    /// The same in a leaf that may be the wrong one; none if that is possible. Keys of one leaf on both sides of `key` show
    /// that it is the right one.
    #[inline]
    pub(crate) fn search_proven(&self, key: &[u8]) -> Result<Option<std::result::Result<usize, usize>>> {
        let leaf = &self.leaf;
        Ok(match leaf.located(leaf.leaf.search_in(self.range.clone(), key))? {
            Err(index) if !leaf.is_between(index, key)? => None,
            place => Some(place),
        })
    }
}

impl<'t> LeafRef<'t> {
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Result<LeafEntry<'t>> {
        self.located(self.leaf.entry(index))
    }

    /// Whether there are elements before `index` and there, and `key` lies between them.
    #[inline]
    fn is_between(&self, index: usize, key: &[u8]) -> Result<bool> {
        let (Some(before), true) = (index.checked_sub(1), index < self.leaf.count()) else { return Ok(false) };
        let (before, behind) = (self.located(self.leaf.key(before))?, self.located(self.leaf.key(index))?);
        Ok(before < key && key < behind)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;
    use crate::format::Header;
    use crate::store::{DirtyNode, NodeKind};

    #[test]
    fn a_key_lies_between_two_others_and_is_neither() {
        let mut node = DirtyNode::empty(NodeKind::Leaf, Vec::new());
        for (index, key) in [b"b", b"d"].into_iter().enumerate() {
            node.insert_leaf(index, 0, key, b"value");
        }
        let header = Header::parse(node.bytes()).unwrap();
        let Node::Leaf(leaf) = Node::parse(node.bytes(), header).unwrap() else { unreachable!("a leaf was made") };
        let leaf = LeafRef { link: Link::from_raw(7), leaf };
        let between = |index, key: &[u8]| leaf.is_between(index, key).unwrap();
        assert!(between(1, b"c"));
        // A search among some of the elements says `Err(1)` of the first two, too, if the others are not among them.
        assert!(!between(1, b"b") && !between(1, b"d"), "they are there");
        assert!(!between(1, b"a") && !between(1, b"e"));
        assert!(!between(0, b"a") && !between(2, b"e"), "there is no key on the other side");
    }
}
