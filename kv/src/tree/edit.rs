//! Put and delete.

use std::mem;

use super::path::{Path, child};
use super::split::{Cut, split_child, split_root};
use super::{Root, find};
use crate::error::{Error, Result};
use crate::format::{BUCKET_FLAG, BUCKET_HEADER, ELEMENT, NODE_BYTES_MAX};
use crate::store::{Link, Slot, WriteSet};

/// One tree of a write set, changeable.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(crate) write_set: &'a mut WriteSet,
    pub(crate) root: &'a mut Link,
    /// The share of a page that a node that grows at its end keeps; none keeps it full.
    pub(crate) fill: Option<f64>,
    /// The path of the put or deletion before, if any.
    pub(crate) path: &'a mut Path,
}

impl Tree<'_> {
    /// Inserts or replaces a pair. O(log n).
    ///
    /// # Errors
    /// [`Error::IncompatibleValue`], and nothing changed, if the key names a bucket.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.set(key, 0, value)
    }

    /// Inserts or replaces the header of the bucket `name`.
    pub(crate) fn put_bucket(&mut self, name: &[u8], header: &[u8]) -> Result<()> {
        assert!(header.len() >= BUCKET_HEADER, "the value of a bucket begins with its header");
        self.set(name, BUCKET_FLAG, header)
    }

    fn set(&mut self, key: &[u8], flags: u32, value: &[u8]) -> Result<()> {
        let mut path = mem::take(self.path);
        path.lead(self.write_set, self.root, key, true)?;
        let (slot, index) = path.leaf();
        let added = ELEMENT.saturating_add(key.len()).saturating_add(value.len());
        self.write_set.make_room(slot, added);
        let leaf = self.write_set.dirty_mut(slot);
        if leaf.size().saturating_add(added) > NODE_BYTES_MAX {
            // Only a leaf with several gigantic values, as another engine may write it, comes here.
            return Err(Error::ValueTooLarge { len: value.len() });
        }
        if !path.found {
            leaf.insert_leaf(index, flags, key, value);
        } else if leaf.flags(index) & BUCKET_FLAG == flags {
            let in_place = leaf.value(index).len() == value.len();
            let leaf = if in_place { leaf } else { self.write_set.packed(slot) };
            leaf.replace_value(index, flags, value);
        } else {
            return Err(Error::IncompatibleValue { key: key.to_vec(), is_bucket: flags == 0 });
        }
        debug_assert_eq!(self.write_set.dirty(slot).search(key), Ok(index), "a pair is where a search finds it");
        self.split_overfull(&path);
        *self.path = path;
        Ok(())
    }

    /// Copies the nodes on the way to `key`, so that the commit gives them other pages. O(log n).
    pub(crate) fn copy_way(&mut self, key: &[u8]) -> Result<()> {
        Path::default().lead(self.write_set, self.root, key, false)
    }

    /// Removes an item; false, and nothing copied, when there is none. O(log n). A leaf that is empty then goes at once: a
    /// walk never passes over leaves that deletions have emptied.
    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<bool> {
        if find(&self.write_set.pages(), Root::Link(*self.root), key)?.is_none() {
            return Ok(false);
        }
        let mut path = mem::take(self.path);
        path.lead(self.write_set, self.root, key, false)?;
        let (slot, index) = path.leaf();
        if path.found {
            assert!(self.write_set.dirty(slot).key(index) == key, "what is removed has the key");
            self.write_set.packed(slot).remove(index);
            self.write_set.any_shrunk = true;
            self.drop_empty(&path);
        }
        let found = path.found;
        *self.path = path;
        Ok(found)
    }

    /// Takes the node at the end of `path` out of its tree if it is empty, and so the branches above it.
    pub(super) fn drop_empty(&mut self, path: &Path) {
        for depth in (1..path.len()).rev() {
            let (slot, _) = path.step(depth);
            if self.write_set.dirty(slot).count() > 0 {
                return;
            }
            let (parent, index) = path.step(depth.saturating_sub(1));
            assert_eq!(child(self.write_set, parent, index), Link::to_slot(slot), "a path leads from parent to child");
            self.write_set.packed(parent).remove(index);
            self.write_set.vacate(slot);
            self.write_set.note_merge();
        }
        self.restore_root(path.step(0).0);
    }

    /// Makes a root that has no child left an empty leaf.
    pub(super) fn restore_root(&mut self, root: Slot) {
        if self.write_set.dirty(root).is_branch() && self.write_set.dirty(root).count() == 0 {
            let leaf = self.write_set.create_leaf();
            self.write_set.replace(root, leaf);
        }
    }

    /// Splits what has grown over a page, from the leaf upwards. A root keeps its slot and gets a level below it.
    pub(super) fn split_overfull(&mut self, path: &Path) {
        let page_size = self.write_set.page_size();
        let cut = Cut::Growth { fill: self.fill, last: path.last };
        for depth in (0..path.len()).rev() {
            let (slot, _) = path.step(depth);
            if !self.write_set.dirty(slot).is_overfull(page_size) {
                // A branch above may still have grown by a lower first key.
                continue;
            }
            if depth == 0 {
                split_root(self.write_set, slot, cut);
            } else {
                let (parent, index) = path.step(depth.saturating_sub(1));
                split_child(self.write_set, parent, index, cut);
            }
        }
        debug_assert!(
            (0..path.len()).all(|depth| !self.write_set.dirty(path.step(depth).0).is_overfull(page_size)),
            "no node on the path is overfull after an insertion"
        );
    }
}
