//! Where two trees differ, of which one grew out of the other.
//!
//! Both are walked at once, in key order. A page of the file that both have is the same in both, with all that is below it,
//! and is passed over without a look at it: the older tree is pinned, so none of its pages was used for something else since.

use std::cmp::Ordering;
use std::ops::Bound;

use super::{MORE_LINKS, Root, TOO_DEEP};
use crate::error::Result;
use crate::format::{DEPTH_MAX, Leaf, LeafEntry, Node};
use crate::store::{Link, PageRef, Pages, corrupt};

/// One difference. The keys ascend from one to the next.
#[derive(Debug)]
pub(crate) enum Difference<'n, 'o> {
    /// The newer tree alone has items between these keys.
    Gone(Bound<&'n [u8]>, Bound<&'n [u8]>),
    /// The older tree alone has this item of this page.
    Back(PageRef<'o>, LeafEntry<'o>),
    /// Both have an item of this key, and they are not the same; this is the older one.
    Other { page: PageRef<'o>, entry: LeafEntry<'o>, bucket_now: bool },
    /// Both have a part that is not looked at.
    Same,
}

/// Calls `tell` with each difference between a newer tree and an older one, each with its pages, and returns how many pages it
/// has read. O(pages that one of them has and the other has not).
///
/// # Errors
/// Damage of a page that was read.
pub(crate) fn differences<'n, 'o>(
    (new_pages, new_root): (Pages<'n>, Root<'n>),
    (old_pages, old_root): (Pages<'o>, Root<'o>),
    mut tell: impl FnMut(Difference<'n, 'o>),
) -> Result<u64> {
    assert_eq!(new_pages.page_size(), old_pages.page_size(), "both states are of one file");
    let (mut new, mut old) = (Side::new(new_pages, new_root), Side::new(old_pages, old_root));
    loop {
        match (new.front()?, old.front()?) {
            (None, None) => return Ok(new.read.saturating_add(old.read)),
            (Some(ours), None) => {
                new.pass();
                tell(ours.gone());
            }
            (None, Some(Front::Item(page, entry))) => {
                old.pass();
                tell(Difference::Back(page, entry));
            }
            (Some(ours), Some(theirs)) if ours.ends_before(&theirs) => {
                new.pass();
                tell(ours.gone());
            }
            (None | Some(Front::Item(..)), Some(Front::Part(_))) => old.open()?,
            (Some(Front::Part(ours)), Some(Front::Part(theirs))) => match ours.low.cmp(&theirs.low) {
                _ if ours.link == theirs.link && !ours.link.in_memory() => {
                    new.pass();
                    old.pass();
                    tell(Difference::Same);
                }
                Ordering::Less => new.open()?,
                Ordering::Greater => old.open()?,
                // Of a branch and a leaf the branch, below which the leaf may be.
                Ordering::Equal => {
                    let (ours, theirs) = (new.is_branch()?, old.is_branch()?);
                    if ours || !theirs {
                        new.open()?;
                    }
                    if theirs || !ours {
                        old.open()?;
                    }
                }
            },
            (Some(Front::Part(_)), Some(Front::Item(page, entry))) => {
                if new.begins_after(entry.key) {
                    old.pass();
                    tell(Difference::Back(page, entry));
                } else {
                    new.open()?;
                }
            }
            (Some(Front::Item(_, ours)), Some(Front::Item(page, entry))) => {
                old.pass();
                if ours.key == entry.key {
                    new.pass();
                    let same = (ours.is_bucket(), ours.value) == (entry.is_bucket(), entry.value);
                    let other = Difference::Other { page, entry, bucket_now: ours.is_bucket() };
                    tell(if same { Difference::Same } else { other });
                } else {
                    tell(Difference::Back(page, entry));
                }
            }
        }
    }
}

/// What comes next in a tree.
#[derive(Clone, Copy, Debug)]
enum Front<'t> {
    /// A page that has not been opened, and what is below it.
    Part(Part<'t>),
    Item(PageRef<'t>, LeafEntry<'t>),
}

/// A page, and the keys that may be in it and below it.
#[derive(Clone, Copy, Debug)]
struct Part<'t> {
    link: Link,
    depth: usize,
    low: Option<&'t [u8]>,
    high: Option<&'t [u8]>,
    /// The page, once it was looked at.
    page: Option<PageRef<'t>>,
}

impl<'t> Front<'t> {
    /// Whether all of it comes before what the other tree has next.
    fn ends_before(&self, other: &Front<'_>) -> bool {
        let next = match other {
            Front::Part(part) => part.low,
            Front::Item(_, entry) => Some(entry.key),
        };
        let Some(next) = next else { return false };
        match self {
            Self::Part(part) => part.high.is_some_and(|high| high <= next),
            Self::Item(_, entry) => entry.key < next,
        }
    }

    fn gone<'o>(&self) -> Difference<'t, 'o> {
        match self {
            Self::Item(_, entry) => Difference::Gone(Bound::Included(entry.key), Bound::Included(entry.key)),
            Self::Part(part) => Difference::Gone(
                part.low.map_or(Bound::Unbounded, Bound::Included),
                part.high.map_or(Bound::Unbounded, Bound::Excluded),
            ),
        }
    }
}

/// One of the two trees, and how far the walk has come in it.
#[derive(Debug)]
struct Side<'t> {
    pages: Pages<'t>,
    /// The leaf that is open, and the element of it that comes next.
    leaf: Option<(PageRef<'t>, Leaf<'t>, usize)>,
    /// What comes after the leaf, the nearest last.
    parts: Vec<Part<'t>>,
    /// Pages looked at.
    read: u64,
    /// How many children there can be still: every page is the child of one branch.
    left: u64,
}

impl<'t> Side<'t> {
    fn new(pages: Pages<'t>, root: Root<'t>) -> Self {
        let mut side = Self { pages, leaf: None, parts: Vec::new(), read: 0, left: pages.nodes() };
        match root {
            Root::Link(link) => side.parts.push(Part { link, depth: 0, low: None, high: None, page: None }),
            Root::Inline { leaf, home } => {
                side.leaf = Some((PageRef { link: home, node: Node::Leaf(leaf) }, leaf, 0));
            }
        }
        side
    }

    fn front(&mut self) -> Result<Option<Front<'t>>> {
        if let Some((page, leaf, index)) = &self.leaf {
            if *index < leaf.count() {
                return Ok(Some(Front::Item(*page, page.entry(leaf, *index)?)));
            }
            self.leaf = None;
        }
        Ok(self.parts.last().copied().map(Front::Part))
    }

    /// Goes on after what comes next.
    fn pass(&mut self) {
        debug_assert!(self.leaf.is_some() || !self.parts.is_empty(), "what is passed comes next");
        match &mut self.leaf {
            Some((_, leaf, index)) => {
                debug_assert!(*index < leaf.count(), "an item that is passed is there");
                *index = index.saturating_add(1);
            }
            None => drop(self.parts.pop()),
        }
    }

    /// The page of the part that comes next.
    fn look(&mut self) -> Result<Option<PageRef<'t>>> {
        assert!(self.leaf.is_none(), "a part comes next when no leaf is open");
        let Some(part) = self.parts.last_mut() else { return Ok(None) };
        if part.page.is_none() {
            part.page = Some(self.pages.node(part.link)?);
            self.read = self.read.saturating_add(1);
        }
        Ok(part.page)
    }

    fn is_branch(&mut self) -> Result<bool> {
        Ok(self.look()?.is_some_and(|page| matches!(page.node, Node::Branch(_))))
    }

    /// Puts what is in the part that comes next in its place: its items, or the parts below it.
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a page is below 2^16, and a depth below 64")]
    fn open(&mut self) -> Result<()> {
        let Some(page) = self.look()? else { return Ok(()) };
        let Some(Part { depth, high, .. }) = self.parts.pop() else { return Ok(()) };
        let branch = match &page.node {
            Node::Leaf(leaf) => {
                self.leaf = Some((page, *leaf, 0));
                return Ok(());
            }
            Node::Branch(branch) => branch,
        };
        // The leaf is a level too.
        if depth + 2 > DEPTH_MAX {
            return Err(corrupt(page.link, TOO_DEEP));
        }
        debug_assert!(depth + 1 < DEPTH_MAX, "there is a level left for the children");
        let shared = || corrupt(page.link, MORE_LINKS);
        self.left = self.left.checked_sub(branch.count() as u64).ok_or_else(shared)?;
        let mut high = high;
        for index in (0..branch.count()).rev() {
            let link = page.child(branch, index)?;
            self.pages.check_named(page.link, link)?;
            let low = Some(page.located(branch.key(index))?);
            self.parts.push(Part { link, depth: depth + 1, low, high, page: None });
            high = low;
        }
        debug_assert!(self.leaf.is_none(), "items come next when all parts before them were passed");
        Ok(())
    }

    /// Whether the part that comes next has no key up to `key`.
    fn begins_after(&self, key: &[u8]) -> bool {
        debug_assert!(self.leaf.is_none(), "a part comes next when no leaf is open");
        self.parts.last().is_some_and(|part| part.low.is_some_and(|low| low > key))
    }
}
