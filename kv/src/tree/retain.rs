//! Keeps the pairs that a caller wants, in one pass over the leaves.
//!
//! The leaves below one branch at a time are read, without being changed, and what stays of those that lose something is
//! copied into new leaves at once: each pair that stays moves once, and pages that lose nothing are left alone.
#![allow(clippy::arithmetic_side_effects, reason = "indices and sizes within nodes in memory, which stay below 4 GiB")]

use super::path::Path;
use super::split::{Cut, split_child};
use super::{Root, TOO_DEEP, Tree};
use crate::error::Result;
use crate::format::{Branch, DEPTH_MAX, ELEMENT, Leaf, LeafEntry, Node, PAGE_HEADER};
use crate::store::{DirtyNode, Link, PageRef, Pages, Slot, WriteSet, corrupt};

const UNORDERED: &str = "keys do not ascend, or lie outside the range that the page's parent has for it";

/// The way to a branch above leaves.
struct Way<'t> {
    /// The children taken from the root on.
    indices: Vec<usize>,
    page: PageRef<'t>,
    /// What all keys below the branch are less than.
    high: Option<&'t [u8]>,
}

/// What becomes of a child of a branch.
enum Leaving {
    /// It lost nothing.
    Stays,
    /// This takes its place.
    Becomes(DirtyNode),
    /// What it kept, if anything, is in the one before it.
    Goes,
}

impl Tree<'_> {
    /// Deletes the pairs that `keep` refuses, asked in key order, and returns how many; buckets stay. Nothing is copied
    /// if all stay. O(n).
    ///
    /// If `keep` panics, the pairs below the branches before are gone, and the tree is whole.
    pub(crate) fn retain(&mut self, keep: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<u64> {
        *self.path = Path::default();
        let mut removed = 0u64;
        let mut from = Vec::new();
        loop {
            let Some(way) = way_to(&self.write_set.pages(), *self.root, &from)? else {
                return self.retain_in_root(keep);
            };
            let mut sieve = Sieve { keep: &mut *keep, page_size: self.write_set.page_size(), removed: 0 };
            let children = sieve.children(&self.write_set.pages(), &way)?;
            removed = removed.saturating_add(sieve.removed);
            let (indices, high) = (way.indices, way.high.map(<[u8]>::to_vec));
            if children.iter().any(|child| !matches!(child, Leaving::Stays)) {
                self.replace_children(&indices, children)?;
            }
            match high {
                Some(high) => from = high,
                None => return Ok(removed),
            }
        }
    }

    /// A tree of one leaf.
    fn retain_in_root(&mut self, keep: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<u64> {
        let page = self.write_set.pages().node(*self.root)?;
        let Node::Leaf(leaf) = page.node else { unreachable!("a tree without a branch above leaves is a leaf") };
        let mut wants = |entry: LeafEntry<'_>| entry.is_bucket() || keep(entry.key, entry.value);
        let entries = (0..leaf.count()).map(|index| page.entry(&leaf, index));
        let kept: Vec<bool> = entries.map(|entry| entry.map(&mut wants)).collect::<Result<_>>()?;
        let removed = kept.iter().filter(|&&kept| !kept).count();
        assert_eq!(kept.len(), leaf.count(), "every item of the leaf has been asked about");
        if removed > 0 {
            let root = self.write_set.touch(*self.root)?;
            *self.root = Link::to_slot(root);
            self.write_set.packed(root).retain(&kept);
        }
        Ok(removed as u64)
    }

    /// Puts new leaves in the place of old ones below the branch at the end of the way.
    fn replace_children(&mut self, indices: &[usize], children: Vec<Leaving>) -> Result<()> {
        let path = Path::along(self.write_set, self.root, indices)?;
        let (branch, _) = path.leaf();
        assert_eq!(self.write_set.dirty(branch).count(), children.len(), "the branch that was read is changed");
        let kept: Vec<bool> = children.iter().map(|child| !matches!(child, Leaving::Goes)).collect();
        for (index, child) in children.into_iter().enumerate() {
            if let Leaving::Stays = child {
                continue;
            }
            self.write_set.discard(Link::from_raw(self.write_set.dirty(branch).child(index)))?;
            match child {
                Leaving::Becomes(leaf) => {
                    let leaf = self.write_set.insert(leaf);
                    self.write_set.dirty_mut(branch).set_child(index, Link::to_slot(leaf).raw());
                }
                _ => self.write_set.note_merge(),
            }
        }
        self.write_set.packed(branch).retain(&kept);
        debug_assert!(self.write_set.dirty(branch).ascends(), "the children that stay are in order");
        self.write_set.any_shrunk = true;
        self.drop_empty(&path);
        if kept.contains(&true) {
            split_children(self.write_set, branch);
            self.split_overfull(&path);
        }
        Ok(())
    }
}

/// Splits what another engine has left larger than a page.
fn split_children(write_set: &mut WriteSet, branch: Slot) {
    let mut index = 0;
    while index < write_set.dirty(branch).count() {
        index += split_child(write_set, branch, index, Cut::Growth { fill: None, last: false });
    }
}

/// The way to the branch above the leaf that `key` belongs to; none if the root is a leaf.
fn way_to<'t>(pages: &Pages<'t>, root: Link, key: &[u8]) -> Result<Option<Way<'t>>> {
    let mut way = Way { indices: Vec::new(), page: Root::Link(root).open(pages)?, high: None };
    for _ in 0..DEPTH_MAX {
        let Node::Branch(branch) = way.page.node else { return Ok(None) };
        let index = way.page.located(branch.search(key))?;
        let child = pages.node(way.page.child(&branch, index)?)?;
        if let Node::Leaf(_) = child.node {
            return Ok(Some(way));
        }
        if index + 1 < branch.count() {
            way.high = Some(way.page.located(branch.key(index + 1))?);
        }
        if way.high.is_some_and(|high| high <= key) {
            // The next search would lead here again.
            return Err(corrupt(way.page.link, UNORDERED));
        }
        way.indices.push(index);
        way.page = child;
    }
    Err(corrupt(way.page.link, TOO_DEEP))
}

/// Asks which pairs stay.
struct Sieve<'k> {
    keep: &'k mut dyn FnMut(&[u8], &[u8]) -> bool,
    page_size: usize,
    removed: u64,
}

/// What stays of leaves in a row, on its way into one new leaf.
#[derive(Default)]
struct Gathered<'t> {
    entries: Vec<LeafEntry<'t>>,
    size: usize,
    /// The first of them.
    index: usize,
}

impl Sieve<'_> {
    /// Reads the leaves below a branch and makes new ones of what stays. Neighbours that fit into one page are joined.
    fn children<'t>(&mut self, pages: &Pages<'t>, way: &Way<'t>) -> Result<Vec<Leaving>> {
        let Node::Branch(branch) = way.page.node else { unreachable!("a way leads to a branch") };
        let mut children: Vec<Leaving> = Vec::with_capacity(branch.count());
        let (mut gathered, mut stays) = (Gathered::default(), Vec::new());
        for index in 0..branch.count() {
            let page = pages.node(way.page.child(&branch, index)?)?;
            let Node::Leaf(leaf) = page.node else { return Err(corrupt(page.link, "a branch lies beside leaves")) };
            stays.clear();
            let size = self.leaf(&page, &leaf, bounds(way, &branch, index)?, &mut stays)?;
            if stays.len() == leaf.count() {
                gathered.flush(&mut children, self.page_size);
                children.push(Leaving::Stays);
                continue;
            }
            self.removed += (leaf.count() - stays.len()) as u64;
            if gathered.size + size + PAGE_HEADER > self.page_size {
                gathered.flush(&mut children, self.page_size);
            }
            if gathered.entries.is_empty() {
                gathered.index = index;
            }
            gathered.entries.append(&mut stays);
            gathered.size += size;
            children.push(Leaving::Goes);
        }
        gathered.flush(&mut children, self.page_size);
        assert_eq!(children.len(), branch.count(), "each child of the branch stays, changes or goes");
        Ok(children)
    }

    /// The entries of a leaf that stay, and how many bytes they take. Checks the leaf as a whole, as every page is that is
    /// copied in order to be changed: its keys ascend within `bounds`, and its elements do not overlap.
    fn leaf<'t>(
        &mut self,
        page: &PageRef<'t>,
        leaf: &Leaf<'t>,
        (low, high): (&[u8], Option<&[u8]>),
        stays: &mut Vec<LeafEntry<'t>>,
    ) -> Result<usize> {
        let (mut size, mut all, mut before) = (0, PAGE_HEADER, None);
        for index in 0..leaf.count() {
            let entry = page.entry(leaf, index)?;
            if before.map_or(entry.key < low, |before| entry.key <= before) {
                return Err(corrupt(page.link, UNORDERED));
            }
            before = Some(entry.key);
            let len = ELEMENT + entry.key.len() + entry.value.len();
            all += len;
            if entry.is_bucket() || (self.keep)(entry.key, entry.value) {
                size += len;
                stays.push(entry);
            }
        }
        if before.zip(high).is_some_and(|(last, high)| last >= high) {
            return Err(corrupt(page.link, UNORDERED));
        }
        if all > page.node.page_len() {
            return Err(corrupt(page.link, "elements overlap"));
        }
        assert!(size + PAGE_HEADER <= all, "what stays takes no more than there was");
        Ok(size)
    }
}

/// The least key that child `index` may have, and the key that all of its are less than.
fn bounds<'t>(way: &Way<'t>, branch: &Branch<'t>, index: usize) -> Result<(&'t [u8], Option<&'t [u8]>)> {
    let low = way.page.located(branch.key(index))?;
    let next = (index + 1 < branch.count()).then(|| way.page.located(branch.key(index + 1))).transpose()?;
    Ok((low, next.or(way.high)))
}

impl Gathered<'_> {
    /// Makes a leaf of what has been gathered, in the place of the child that it begins with.
    fn flush(&mut self, children: &mut [Leaving], page_size: usize) {
        if let Some(child) = children.get_mut(self.index).filter(|_| !self.entries.is_empty()) {
            assert!(matches!(child, Leaving::Goes), "a leaf that lost pairs is replaced once");
            *child = Leaving::Becomes(DirtyNode::leaf_of(&self.entries, self.size + PAGE_HEADER, page_size));
        }
        self.entries.clear();
        self.size = 0;
    }
}
