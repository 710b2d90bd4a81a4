//! A position in a tree, movable both ways.

use pagefile_std::prefetch;

use super::search::locate;
use super::{Root, TOO_DEEP};
use crate::error::Result;
use crate::format::{DEPTH_MAX, LeafEntry, Node};
use crate::store::{LeafRef, Link, PageRef, Pages, corrupt};

/// A cursor over one tree. Moving is O(1) amortised, seeking O(log n).
///
/// It remembers the branches on its way by their links: a seek that finds its way by what is remembered of them does not
/// touch them, and neither does a scan within a leaf.
///
/// On a damaged file it stops with an error rather than go in circles: keys must ascend from leaf to leaf, the way
/// down is bounded, and so is the number of empty leaves passed over in one step.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    pages: Pages<'t>,
    root: Root<'t>,
    /// The branches from the root on, and the child taken in each.
    branches: Vec<(Link, usize)>,
    /// The leaf and the index in it, which may be one past the last element. None while the cursor has no position.
    at: Option<(LeafRef<'t>, usize)>,
    /// Of the leaf after this one, what has not been brought near yet.
    ahead: &'t [u8],
}

/// Bytes of the next leaf that each step brings near. A page of 4 KiB has mostly more than 16 items.
const STEP: usize = 256;

/// Which way a step goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Forward,
    Back,
}

impl Way {
    /// The index beside `index`; there may be no child there.
    fn step(self, index: usize) -> Option<usize> {
        match self {
            Self::Forward => index.checked_add(1),
            Self::Back => index.checked_sub(1),
        }
    }
}

const UNORDERED: &str = "keys do not ascend from leaf to leaf";

impl<'t> Cursor<'t> {
    pub(crate) const fn new(pages: Pages<'t>, root: Root<'t>) -> Self {
        Self { pages, root, branches: Vec::new(), at: None, ahead: &[] }
    }

    pub(crate) fn first(&mut self) -> Result<Option<LeafEntry<'t>>> {
        self.enter(Way::Forward)
    }

    pub(crate) fn last(&mut self) -> Result<Option<LeafEntry<'t>>> {
        self.enter(Way::Back)
    }

    /// The first item whose key is not less than `key`.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<Option<LeafEntry<'t>>> {
        self.leave();
        let branches = &mut self.branches;
        let (leaf, place) = locate(&self.pages, self.root, key, |step| match step {
            None => branches.clear(),
            Some(step) => branches.push(step),
        })?;
        let index = place.unwrap_or_else(|index| index);
        debug_assert!(
            index == leaf.leaf.count() || leaf.leaf.key(index).is_ok_and(|found| found >= key),
            "a cursor is at the key that was sought, or at a greater one, or after all"
        );
        debug_assert!(self.branches.len() < DEPTH_MAX, "the way down is bounded, and the leaf is a level of it");
        self.at = Some((leaf, index));
        self.look_ahead(Way::Forward)?;
        if index < leaf.leaf.count() { leaf.entry(index).map(Some) } else { self.cross(Way::Forward) }
    }

    /// The next item; the first, if the cursor has no position yet. At the end it stays where it is.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16")]
    pub(crate) fn next(&mut self) -> Result<Option<LeafEntry<'t>>> {
        match &mut self.at {
            None => self.first(),
            Some((leaf, index)) if *index + 1 < leaf.leaf.count() => {
                *index += 1;
                let entry = leaf.entry(*index);
                self.bring_near();
                entry.map(Some)
            }
            Some(_) => self.cross(Way::Forward),
        }
    }

    /// The item before; the last, if the cursor has no position yet. At the beginning it stays where it is.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16")]
    pub(crate) fn prev(&mut self) -> Result<Option<LeafEntry<'t>>> {
        match &mut self.at {
            None => self.last(),
            Some((leaf, index)) if *index > 0 => {
                *index -= 1;
                let entry = leaf.entry(*index);
                self.bring_near();
                entry.map(Some)
            }
            Some(_) => self.cross(Way::Back),
        }
    }

    /// The next item, if it is one of the leaf's before index `stop`, and whole; else none, and the cursor stays where it is.
    /// Nothing on this way has an error in its hands: a walk then costs what its items do.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16")]
    pub(super) fn next_before(&mut self, stop: usize) -> Option<LeafEntry<'t>> {
        let (leaf, index) = self.at.as_mut().filter(|(_, index)| *index + 1 < stop)?;
        let entry = leaf.leaf.entry(*index + 1).ok()?;
        *index += 1;
        self.bring_near();
        Some(entry)
    }

    /// The item before, in the same way: one of the leaf's that is not before index `stop`.
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "an index that is greater than another is not 0")]
    pub(super) fn prev_from(&mut self, stop: usize) -> Option<LeafEntry<'t>> {
        let (leaf, index) = self.at.as_mut().filter(|(_, index)| *index > stop)?;
        let entry = leaf.leaf.entry(*index - 1).ok()?;
        *index -= 1;
        self.bring_near();
        Some(entry)
    }

    /// The leaf that the cursor is in, and its index there.
    #[inline]
    pub(super) const fn position(&self) -> Option<(LeafRef<'t>, usize)> {
        self.at
    }

    /// Brings a part of the next leaf near, so that it is there when the walk comes to it.
    #[inline]
    fn bring_near(&mut self) {
        let (now, later) = self.ahead.split_at(STEP.min(self.ahead.len()));
        prefetch(now);
        self.ahead = later;
    }

    /// Looks which leaf comes next.
    fn look_ahead(&mut self, way: Way) -> Result<()> {
        self.ahead = &[];
        let Some(&(link, index)) = self.branches.last() else { return Ok(()) };
        if let Some(next) = way.step(index)
            && let Some(child) = self.pages.child(link, next)?
        {
            self.ahead = self.pages.page_bytes(child);
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.ahead = &[];
        self.branches.clear();
        self.at = None;
    }

    fn enter(&mut self, way: Way) -> Result<Option<LeafEntry<'t>>> {
        self.leave();
        let root = self.root.open(&self.pages)?;
        self.descend(root, way)?;
        debug_assert!(self.at.is_some(), "the way down ends in a leaf");
        match self.edge(way) {
            None => self.cross(way),
            edge => edge.transpose(),
        }
    }

    /// The current leaf's first or last item.
    fn edge(&self, way: Way) -> Option<Result<LeafEntry<'t>>> {
        let (leaf, _) = self.at?;
        let index = match way {
            Way::Forward => 0,
            Way::Back => leaf.leaf.count().checked_sub(1)?,
        };
        (index < leaf.leaf.count()).then(|| leaf.entry(index))
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
        let inside = match self.at {
            Some((leaf, _)) => {
                let last = leaf.leaf.count().saturating_sub(1);
                leaf.located(leaf.leaf.key(0))? <= leaf.located(leaf.leaf.key(last))?
            }
            None => true,
        };
        if border && inside { Ok(()) } else { Err(corrupt(self.link(), UNORDERED)) }
    }

    /// To the neighbouring leaf; false, and unmoved, when there is none.
    fn turn(&mut self, way: Way) -> Result<bool> {
        for depth in (0..self.branches.len()).rev() {
            let Some(&(link, index)) = self.branches.get(depth) else { break };
            let Some(next) = way.step(index) else { continue };
            if let Some(child) = self.pages.child(link, next)? {
                self.branches.truncate(depth);
                self.push(link, next)?;
                let child = self.pages.node(child)?;
                self.descend(child, way)?;
                self.look_ahead(way)?;
                debug_assert!(self.at.is_some(), "a cursor that has moved is in a leaf");
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
            match page.node {
                Node::Leaf(leaf) => {
                    self.at = Some((LeafRef { link: page.link, leaf }, index));
                    return Ok(());
                }
                Node::Branch(branch) => {
                    self.push(page.link, index)?;
                    let child = page.child(&branch, index)?;
                    self.pages.check_named(page.link, child)?;
                    page = self.pages.node(child)?;
                }
            }
        }
    }

    fn push(&mut self, link: Link, index: usize) -> Result<()> {
        // The leaf is a level too.
        if self.branches.len().saturating_add(1) >= DEPTH_MAX {
            return Err(corrupt(link, TOO_DEEP));
        }
        self.branches.push((link, index));
        debug_assert!(self.branches.len() < DEPTH_MAX, "there is a level left for the leaf");
        Ok(())
    }

    /// The page that the cursor is in, for messages.
    pub(crate) fn link(&self) -> Link {
        self.at.map_or(Link::from_raw(0), |(leaf, _)| leaf.link)
    }
}
