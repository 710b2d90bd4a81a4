//! A position in a tree, movable both ways.

use super::{Root, TOO_DEEP};
use crate::error::Result;
use crate::format::{DEPTH_MAX, Leaf, LeafEntry, Node};
use crate::store::{Link, PageRef, Pages, corrupt};

/// One level of the way down. In the leaf, the index may be one past the last element.
#[derive(Clone, Copy, Debug)]
struct Frame<'t> {
    page: PageRef<'t>,
    index: usize,
}

/// A cursor over one tree. Moving is O(1) amortised, seeking O(log n).
///
/// On a damaged file it stops with an error rather than go in circles: keys must ascend from leaf to leaf, the way
/// down is bounded, and so is the number of empty leaves passed over in one step.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    pages: Pages<'t>,
    root: Root<'t>,
    stack: Vec<Frame<'t>>,
}

/// Which way a step goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Forward,
    Back,
}

const UNORDERED: &str = "keys do not ascend from leaf to leaf";

impl<'t> Cursor<'t> {
    pub(crate) fn new(pages: Pages<'t>, root: Root<'t>) -> Self {
        Self { pages, root, stack: Vec::with_capacity(8) }
    }

    pub(crate) fn first(&mut self) -> Result<Option<LeafEntry<'t>>> {
        self.enter(Way::Forward)
    }

    pub(crate) fn last(&mut self) -> Result<Option<LeafEntry<'t>>> {
        self.enter(Way::Back)
    }

    /// The first item whose key is not less than `key`.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<Option<LeafEntry<'t>>> {
        self.stack.clear();
        let mut page = self.root.open(&self.pages)?;
        loop {
            match &page.node {
                Node::Branch(branch) => {
                    let index = page.located(branch.search(key))?;
                    self.push(page, index)?;
                    page = self.pages.node(page.child(branch, index)?)?;
                }
                Node::Leaf(leaf) => {
                    let index = page.located(leaf.search(key))?.unwrap_or_else(|index| index);
                    self.push(page, index)?;
                    debug_assert!(
                        index == leaf.count() || leaf.key(index).is_ok_and(|found| found >= key),
                        "a cursor is at the key that was sought, or at a greater one, or after all"
                    );
                    break;
                }
            }
        }
        match self.leaf() {
            Some((page, leaf, index)) if index < leaf.count() => page.entry(&leaf, index).map(Some),
            _ => self.cross(Way::Forward),
        }
    }

    /// The next item; the first, if the cursor has no position yet. At the end it stays where it is.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16")]
    pub(crate) fn next(&mut self) -> Result<Option<LeafEntry<'t>>> {
        match self.stack.last_mut() {
            None => self.first(),
            Some(Frame { page, index }) => {
                if let Node::Leaf(leaf) = &page.node
                    && *index + 1 < leaf.count()
                {
                    *index += 1;
                    return page.entry(leaf, *index).map(Some);
                }
                self.cross(Way::Forward)
            }
        }
    }

    /// The item before; the last, if the cursor has no position yet. At the beginning it stays where it is.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16")]
    pub(crate) fn prev(&mut self) -> Result<Option<LeafEntry<'t>>> {
        match self.stack.last_mut() {
            None => self.last(),
            Some(Frame { page, index }) => {
                if let Node::Leaf(leaf) = &page.node
                    && *index > 0
                {
                    *index -= 1;
                    return page.entry(leaf, *index).map(Some);
                }
                self.cross(Way::Back)
            }
        }
    }

    fn leaf(&self) -> Option<(PageRef<'t>, Leaf<'t>, usize)> {
        match self.stack.last() {
            Some(Frame { page, index }) => match &page.node {
                Node::Leaf(leaf) => Some((*page, *leaf, *index)),
                Node::Branch(_) => None,
            },
            None => None,
        }
    }

    fn enter(&mut self, way: Way) -> Result<Option<LeafEntry<'t>>> {
        self.stack.clear();
        let root = self.root.open(&self.pages)?;
        self.descend(root, way)?;
        debug_assert!(self.leaf().is_some(), "the way down ends in a leaf");
        match self.edge(way) {
            None => self.cross(way),
            edge => edge.transpose(),
        }
    }

    /// The current leaf's first or last item.
    fn edge(&self, way: Way) -> Option<Result<LeafEntry<'t>>> {
        let (page, leaf, _) = self.leaf()?;
        let index = match way {
            Way::Forward => 0,
            Way::Back => leaf.count().checked_sub(1)?,
        };
        (index < leaf.count()).then(|| page.entry(&leaf, index))
    }

    /// From the edge of one leaf to the next that has an item.
    fn cross(&mut self, way: Way) -> Result<Option<LeafEntry<'t>>> {
        let left = self.edge(match way {
            Way::Forward => Way::Back,
            Way::Back => Way::Forward,
        });
        let left = left.transpose()?.map(|entry| entry.key);
        let mut passed = 0u64;
        while self.turn(way)? {
            if let Some(entry) = self.edge(way) {
                let entry = entry?;
                self.ordered(way, left, entry.key)?;
                return Ok(Some(entry));
            }
            passed = passed.saturating_add(1);
            if passed > self.pages.nodes() {
                return Err(corrupt(self.link(), "empty leaves lead in a circle"));
            }
        }
        Ok(None)
    }

    /// Keys ascend across the border, and within the leaf just entered from its first to its last: together that
    /// makes the sequence of leaves strictly ascending, so no walk is endless.
    fn ordered(&self, way: Way, left: Option<&[u8]>, entered: &[u8]) -> Result<()> {
        let border = left.is_none_or(|left| if way == Way::Forward { left < entered } else { entered < left });
        let inside = match self.leaf() {
            Some((page, leaf, _)) => {
                let last = leaf.count().saturating_sub(1);
                page.located(leaf.key(0))? <= page.located(leaf.key(last))?
            }
            None => true,
        };
        if border && inside { Ok(()) } else { Err(corrupt(self.link(), UNORDERED)) }
    }

    /// To the neighbouring leaf; false, and unmoved, when there is none.
    fn turn(&mut self, way: Way) -> Result<bool> {
        for depth in (0..self.stack.len()).rev() {
            let Some(&Frame { page, index }) = self.stack.get(depth) else { break };
            let Node::Branch(branch) = &page.node else { continue };
            let next = match way {
                Way::Forward => index.checked_add(1).filter(|&next| next < branch.count()),
                Way::Back => index.checked_sub(1),
            };
            if let Some(next) = next {
                let child = self.pages.node(page.child(branch, next)?)?;
                self.stack.truncate(depth);
                self.push(page, next)?;
                self.descend(child, way)?;
                debug_assert!(self.leaf().is_some(), "a cursor that has moved is in a leaf");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Down the first or last children to a leaf.
    fn descend(&mut self, mut page: PageRef<'t>, way: Way) -> Result<()> {
        loop {
            let last = page.node.count().saturating_sub(1);
            let index = if way == Way::Forward { 0 } else { last };
            self.push(page, index)?;
            match &page.node {
                Node::Leaf(_) => return Ok(()),
                Node::Branch(branch) => page = self.pages.node(page.child(branch, index)?)?,
            }
        }
    }

    fn push(&mut self, page: PageRef<'t>, index: usize) -> Result<()> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(corrupt(page.link, TOO_DEEP));
        }
        debug_assert!(
            self.stack.last().is_none_or(|above| matches!(above.page.node, Node::Branch(_))),
            "nothing lies below a leaf"
        );
        self.stack.push(Frame { page, index });
        Ok(())
    }

    /// The page that the cursor is in, for messages.
    pub(crate) fn link(&self) -> Link {
        self.stack.last().map_or(Link::from_raw(0), |frame| frame.page.link)
    }
}
