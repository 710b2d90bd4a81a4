//! The nodes that lie near the end of the file, found by a walk that can stop after each leaf and go on in a later state.
//!
//! Page numbers stand in the parents, so a leaf is looked at only for its buckets and its length. The walk remembers keys
//! and no pages: between two parts of it the tree may change as it likes.

use super::{Root, TOO_DEEP, find};
use crate::error::Result;
use crate::format::{BucketHeader, DEPTH_MAX, Node};
use crate::store::{Link, PageRef, Pages, bucket_root, corrupt};

/// Leaves that are touched before the first of them is read.
const AHEAD: usize = 16;

/// Where a walk goes on: the names of the buckets on the way to one, and the next key there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    pub(crate) path: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

/// What to do once a node is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    GoOn,
    /// Stop before this node: the next part of the walk finds it again.
    Stop,
}

/// A walk over the nodes of all trees, in key order; a bucket comes where its name does.
pub(crate) struct TailWalk<'t, F> {
    pages: Pages<'t>,
    root: Link,
    /// The first page number of the end of the file.
    from: u64,
    /// How many leaves and buckets may still be looked at.
    left: usize,
    found: F,
}

/// The way down to a leaf.
struct Way<'t> {
    /// The branch above it and the index of the child taken there; none if the root is a leaf.
    parent: Option<(PageRef<'t>, usize)>,
    leaf: Link,
    /// The first key behind everything below `parent`; none at the end of the tree.
    beyond: Option<&'t [u8]>,
    /// Pages of the branches on the way that lie in the end of the file.
    pages: u64,
}

/// Why the walk leaves a leaf.
enum Left {
    Done,
    /// For the bucket of this name.
    Bucket(Vec<u8>),
    Stopped,
}

impl<'t, F: FnMut(&Place, u64) -> Next> TailWalk<'t, F> {
    /// A walk over at most `most` leaves and buckets of the trees at `root`. `found` gets a key in each leaf that reaches to
    /// page `from` or beyond, or has a branch above it that does, and how many pages these nodes take.
    pub(crate) const fn new(pages: Pages<'t>, root: Link, from: u64, most: usize, found: F) -> Self {
        Self { pages, root, from, left: most, found }
    }

    /// Goes on from `place` and leaves there where it stopped. Whether it came to the end. O(leaves looked at * depth).
    ///
    /// # Errors
    /// `Corrupt` with a damaged page on the way.
    pub(crate) fn go_on(mut self, place: &mut Place) -> Result<bool> {
        while self.left > 0 {
            self.left = self.left.saturating_sub(1);
            let beyond = match self.bucket(place)? {
                None => None,
                Some(root) => match self.below_one_branch(root, place)? {
                    (Left::Stopped, _) => return Ok(false),
                    (Left::Bucket(name), _) => {
                        place.path.push(name);
                        place.key.clear();
                        continue;
                    }
                    (Left::Done, beyond) => beyond,
                },
            };
            if let Some(key) = beyond {
                place.key = key.to_vec();
            } else if let Some(mut name) = place.path.pop() {
                // The bucket is at its end, or gone: the walk goes on behind its name.
                name.push(0);
                place.key = name;
            } else {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The root of the bucket that the walk is in; none if there is none with pages of its own any more.
    fn bucket(&self, place: &Place) -> Result<Option<Link>> {
        let mut root = self.root;
        for name in &place.path {
            let Some((leaf, entry)) = find(&self.pages, Root::Link(root), name)? else { return Ok(None) };
            if !entry.is_bucket() {
                return Ok(None);
            }
            let header = leaf.located(BucketHeader::parse(entry.value))?;
            if header.root == 0 {
                return Ok(None);
            }
            root = bucket_root(leaf.link, header.root)?;
        }
        Ok(Some(root))
    }

    /// Looks at the leaves below one branch, from the key of `place` on.
    fn below_one_branch(&mut self, root: Link, place: &mut Place) -> Result<(Left, Option<&'t [u8]>)> {
        let Way { parent, leaf, beyond, pages } = self.way(root, &place.key)?;
        let Some((page, first)) = parent else { return Ok((self.leaf(leaf, place, pages)?, beyond)) };
        let Node::Branch(branch) = page.node else { unreachable!("a parent is a branch") };
        let mut above = pages;
        for index in first..branch.count() {
            if index > first {
                place.key = page.located(branch.key(index))?.to_vec();
                if self.left == 0 {
                    return Ok((Left::Stopped, beyond));
                }
                self.left = self.left.saturating_sub(1);
            }
            if index.saturating_sub(first).is_multiple_of(AHEAD) {
                let ahead = index..branch.count().min(index.saturating_add(AHEAD));
                let children: Result<Vec<u64>> =
                    ahead.map(|index| Ok(page.child(&branch, index)?.page_id().get())).collect();
                self.pages.touch(&children?);
            }
            match self.leaf(page.child(&branch, index)?, place, std::mem::take(&mut above))? {
                Left::Done => {}
                left => return Ok((left, beyond)),
            }
        }
        Ok((Left::Done, beyond))
    }

    /// Goes down to the leaf that has `key`, or would have it.
    fn way(&self, root: Link, key: &[u8]) -> Result<Way<'t>> {
        let mut way = Way { parent: None, leaf: root, beyond: None, pages: 0 };
        let mut next = None;
        for _ in 0..DEPTH_MAX {
            let page = self.pages.node(way.leaf)?;
            let Node::Branch(branch) = page.node else {
                debug_assert!(way.parent.is_some() || way.leaf == root, "a way without a branch is a root");
                return Ok(way);
            };
            let index = page.located(branch.search(key))?;
            way.beyond = next;
            if index.saturating_add(1) < branch.count() {
                next = Some(page.located(branch.key(index.saturating_add(1)))?);
            }
            way.pages = way.pages.saturating_add(self.pages_at_the_end(way.leaf)?);
            (way.parent, way.leaf) = (Some((page, index)), page.child(&branch, index)?);
        }
        Err(corrupt(way.leaf, TOO_DEEP))
    }

    /// Looks at one leaf: where it lies, if it is entered at its first key, and for buckets from the key of `place` on.
    fn leaf(&mut self, link: Link, place: &Place, above: u64) -> Result<Left> {
        let page = self.pages.node(link)?;
        let Node::Leaf(leaf) = page.node else { return Err(corrupt(link, "branch lies beside leaves")) };
        let pages = above.saturating_add(self.pages_at_the_end(link)?);
        let entered = page.first_key()?.is_none_or(|first| place.key.as_slice() <= first);
        if pages > 0 && entered && (self.found)(place, pages) == Next::Stop {
            return Ok(Left::Stopped);
        }
        for index in leaf.buckets() {
            let entry = page.entry(&leaf, index)?;
            if entry.key >= place.key.as_slice() && page.located(BucketHeader::parse(entry.value))?.root != 0 {
                return Ok(Left::Bucket(entry.key.to_vec()));
            }
        }
        Ok(Left::Done)
    }

    /// The pages of a node, if it reaches into the end of the file.
    fn pages_at_the_end(&self, link: Link) -> Result<u64> {
        let pages = self.pages.extent(link)?;
        let end = link.page_id().get().saturating_add(pages);
        debug_assert!(end <= self.pages.high_water(), "a page that was read lies below the high-water mark");
        Ok(if end > self.from { pages } else { 0 })
    }
}
