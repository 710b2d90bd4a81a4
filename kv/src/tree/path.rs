//! The way from a root down to a leaf, every node on it changeable.

use super::TOO_DEEP;
use crate::error::Result;
use crate::format::{DEPTH_MAX, Node};
use crate::store::{Link, Slot, WriteSet, corrupt};

/// The nodes from the root to a leaf. A step's index is the child taken; the leaf's is where the key is or goes.
#[derive(Debug)]
pub(crate) struct Path {
    steps: [(Slot, usize); DEPTH_MAX],
    len: usize,
    /// Whether every step took the last child: the leaf is the last of its tree.
    pub(crate) last: bool,
    /// Whether the leaf has the key.
    pub(crate) found: bool,
}

impl Path {
    /// Goes down to `key`, copying each node on the way. `root` becomes the copied root.
    ///
    /// With `lower`, a key less than all of a branch's becomes that branch's first key: a child's keys are never less
    /// than its parent's key for it.
    pub(crate) fn open(write_set: &mut WriteSet, root: &mut Link, key: &[u8], lower: bool) -> Result<Self> {
        let mut path = Self { steps: [(Slot::at(0), 0); DEPTH_MAX], len: 0, last: true, found: false };
        let mut slot = write_set.touch(*root)?;
        *root = Link::to_slot(slot);
        loop {
            let page = write_set.pages().node(Link::to_slot(slot))?;
            match &page.node {
                Node::Leaf(leaf) => {
                    let place = page.located(leaf.search(key))?;
                    path.found = place.is_ok();
                    return path.push(slot, place.unwrap_or_else(|index| index)).map(|()| path);
                }
                Node::Branch(branch) => {
                    let index = page.located(branch.search(key))?;
                    let child = page.child(branch, index)?;
                    let lowers = lower && index == 0 && key < page.located(branch.key(0))?;
                    path.last &= index + 1 == branch.count();
                    path.push(slot, index)?;
                    if lowers {
                        write_set.dirty_mut(slot).replace_key(0, key);
                    }
                    let copied = write_set.touch(child)?;
                    if Link::to_slot(copied) != child {
                        write_set.dirty_mut(slot).set_child(index, Link::to_slot(copied).raw());
                    }
                    slot = copied;
                }
            }
        }
    }

    /// The leaf, and the index in it.
    pub(crate) fn leaf(&self) -> (Slot, usize) {
        self.step(self.len - 1)
    }

    /// Steps from the root (0) to the leaf.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn step(&self, depth: usize) -> (Slot, usize) {
        self.steps[depth]
    }

    fn push(&mut self, slot: Slot, index: usize) -> Result<()> {
        let Some(step) = self.steps.get_mut(self.len) else {
            return Err(corrupt(Link::to_slot(slot), TOO_DEEP));
        };
        *step = (slot, index);
        self.len += 1;
        Ok(())
    }
}
