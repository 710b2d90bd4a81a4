//! The way from a root down to a leaf, every node on it changeable.

use super::TOO_DEEP;
use crate::error::Result;
use crate::format::{DEPTH_MAX, Malformed};
use crate::store::{Link, Slot, WriteSet, corrupt};

/// The nodes from the root to a leaf. A step's index is the child taken; the leaf's is where the key is or goes.
#[derive(Debug, Default)]
pub(crate) struct Path {
    steps: Vec<(Slot, usize)>,
    /// Whether every step took the last child: the leaf is the last of its tree.
    pub(crate) last: bool,
    /// Whether the leaf has the key.
    pub(crate) found: bool,
    /// The element of a branch whose key is greater than all of the leaf's.
    high: Option<(Slot, usize)>,
    /// The [shape](WriteSet::shape) of the write set when this path was found.
    shape: u64,
}

impl Path {
    /// Leads to `key`, copying each node on the way. `root` becomes the copied root. If the path leads to its leaf already,
    /// only the leaf is searched: keys that come in order share their leaf with the one before.
    ///
    /// With `lower`, a key less than all of a branch's becomes that branch's first key: a child's keys are never less
    /// than its parent's key for it.
    pub(crate) fn lead(&mut self, write_set: &mut WriteSet, root: &mut Link, key: &[u8], lower: bool) -> Result<()> {
        if !self.leads_to(write_set, *root, key) {
            let mut slot = write_set.touch(*root)?;
            *root = Link::to_slot(slot);
            self.steps.clear();
            (self.last, self.high) = (true, None);
            while write_set.dirty(slot).is_branch() {
                slot = self.step_down(write_set, slot, key, lower)?;
            }
            self.push(slot, 0)?;
            self.shape = write_set.shape();
        }
        let Some((leaf, index)) = self.steps.last_mut() else { return Ok(()) };
        let search = write_set.dirty_mut(*leaf).seek(key);
        self.found = search.is_ok();
        *index = search.unwrap_or_else(|index| index);
        Ok(())
    }

    /// Whether the path leads from `root` to the leaf whose range `key` falls into.
    fn leads_to(&self, write_set: &WriteSet, root: Link, key: &[u8]) -> bool {
        if self.shape != write_set.shape() || self.steps.first().is_none_or(|&(first, _)| Link::to_slot(first) != root)
        {
            return false;
        }
        let leaf = write_set.dirty(self.leaf().0);
        let above = leaf.count() > 0 && leaf.key(0) <= key;
        above && self.high.is_none_or(|(slot, index)| key < write_set.dirty(slot).key(index))
    }

    /// From the branch at `slot` to its child for `key`.
    #[allow(clippy::arithmetic_side_effects, reason = "an index in a node that was read is below 2^16")]
    fn step_down(&mut self, write_set: &mut WriteSet, slot: Slot, key: &[u8], lower: bool) -> Result<Slot> {
        let node = write_set.dirty_mut(slot);
        let search = node.seek(key);
        let index = search.unwrap_or_else(|next| next.saturating_sub(1));
        if index + 1 < node.count() {
            (self.high, self.last) = (Some((slot, index + 1)), false);
        }
        if lower && search == Err(0) {
            write_set.packed(slot).replace_key(0, key);
        }
        debug_assert!(
            !lower || write_set.dirty(slot).key(index) <= key,
            "no key in a child is less than the parent's key for it"
        );
        self.push(slot, index)?;
        touch_child(write_set, slot, index, self.high.map_or(High::Unbounded, |(slot, index)| High::Key(slot, index)))
    }

    /// Goes down by the children at `indices`, copying each node: a way that reading has found. It may end in a branch.
    pub(crate) fn along(write_set: &mut WriteSet, root: &mut Link, indices: &[usize]) -> Result<Self> {
        let mut path = Self::default();
        let mut slot = write_set.touch(*root)?;
        *root = Link::to_slot(slot);
        let mut high = None;
        for &index in indices {
            path.push(slot, index)?;
            let next = high_of_child(write_set, slot, index, high.as_deref());
            slot = own_child(write_set, slot, index, high.as_deref())?;
            high = next;
        }
        path.push(slot, 0)?;
        assert_eq!(path.len(), indices.len().saturating_add(1), "a path has a node more than it has steps");
        Ok(path)
    }

    /// The leaf, and the index in it.
    pub(crate) fn leaf(&self) -> (Slot, usize) {
        assert!(self.len() > 0, "a path that was found leads to a leaf");
        self.step(self.len().saturating_sub(1))
    }

    /// Steps from the root (0) to the leaf.
    pub(crate) const fn len(&self) -> usize {
        self.steps.len()
    }

    #[allow(clippy::indexing_slicing, reason = "asserted")]
    pub(crate) fn step(&self, depth: usize) -> (Slot, usize) {
        assert!(depth < self.len(), "a path has a step for each of its levels");
        self.steps[depth]
    }

    fn push(&mut self, slot: Slot, index: usize) -> Result<()> {
        if self.len() >= DEPTH_MAX {
            return Err(corrupt(Link::to_slot(slot), TOO_DEEP));
        }
        self.steps.push((slot, index));
        Ok(())
    }
}

/// The upper bound of a node's keys: the next key of its parent, or of a branch above for a last child.
#[derive(Clone, Copy, Debug)]
pub(super) enum High<'k> {
    /// Nothing: the node is the last of its level.
    Unbounded,
    /// The key of this element of a branch.
    Key(Slot, usize),
    /// This key.
    Copied(&'k [u8]),
}

impl High<'_> {
    fn key<'a>(&'a self, write_set: &'a WriteSet) -> Option<&'a [u8]> {
        match *self {
            Self::Unbounded => None,
            Self::Key(slot, index) => Some(write_set.dirty(slot).key(index)),
            Self::Copied(key) => Some(key),
        }
    }
}

/// Child `index` of `parent`.
pub(super) fn child(write_set: &WriteSet, parent: Slot, index: usize) -> Link {
    Link::from_raw(write_set.dirty(parent).child(index))
}

/// Child `index` of `parent`, changeable. A page that is copied for it must keep to the range that the branches above
/// have for it; so all nodes in memory are in order, each in itself and one after the other.
pub(super) fn touch_child(write_set: &mut WriteSet, parent: Slot, index: usize, high: High<'_>) -> Result<Slot> {
    let link = child(write_set, parent, index);
    let slot = write_set.touch_if(link, |write_set, node| {
        let Some(last) = node.count().checked_sub(1) else { return Ok(()) };
        let above = write_set.dirty(parent).key(index) <= node.key(0);
        let below = high.key(write_set).is_none_or(|high| node.key(last) < high);
        if above && below { Ok(()) } else { Err(Malformed(OUT_OF_RANGE)) }
    })?;
    assert_ne!(slot, parent, "no node is its own child");
    if !link.in_memory() {
        write_set.dirty_mut(parent).set_child(index, Link::to_slot(slot).raw());
    }
    debug_assert_eq!(child(write_set, parent, index), Link::to_slot(slot), "the parent leads to the copy");
    Ok(slot)
}

/// Child `index` of `parent`, whose keys are all less than `high`, changeable.
pub(super) fn own_child(write_set: &mut WriteSet, parent: Slot, index: usize, high: Option<&[u8]>) -> Result<Slot> {
    let next = index.saturating_add(1);
    let last = next == write_set.dirty(parent).count();
    let high = if last { high.map_or(High::Unbounded, High::Copied) } else { High::Key(parent, next) };
    touch_child(write_set, parent, index, high)
}

/// The upper bound of the keys of child `index`, if `high` is that of `parent`.
pub(super) fn high_of_child(write_set: &WriteSet, parent: Slot, index: usize, high: Option<&[u8]>) -> Option<Vec<u8>> {
    let (node, next) = (write_set.dirty(parent), index.saturating_add(1));
    if next < node.count() { Some(node.key(next).to_vec()) } else { high.map(<[u8]>::to_vec) }
}

const OUT_OF_RANGE: &str = "keys are not in the range that the page's parent has for it";
