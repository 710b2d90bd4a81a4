//! Deletes everything between two keys. Nodes that lie inside as a whole leave the tree unread.

use std::ops::{Bound, Range};

use super::path::{Path, high_of_child, own_child};
use super::{Root, TOO_DEEP, Tree, discard};
use crate::error::Result;
use crate::format::{BUCKET_FLAG, BucketHeader, DEPTH_MAX, Malformed};
use crate::store::{DirtyNode, Link, Slot, bucket_root, corrupt};
use crate::tree;

/// The keys to delete, and what of the tree has left it so far.
#[derive(Debug)]
struct Cutting<'k> {
    start: Bound<&'k [u8]>,
    end: Bound<&'k [u8]>,
    /// Nodes that lay inside as a whole, with all below them.
    parts: Vec<Link>,
    /// Buckets among the items of leaves that lay inside in part.
    roots: Vec<Link>,
    /// How many items these were.
    items: u64,
}

impl Tree<'_> {
    /// Deletes the items whose keys are between `start` and `end`, and the buckets among them with all that is in them;
    /// none of these is opened. Returns how many items there were. O(log n), and what [`discard`] costs.
    pub(crate) fn delete_range(&mut self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Result<u64> {
        if self.is_vacant(start, end)? {
            return Ok(0);
        }
        *self.path = Path::default();
        let root = self.write_set.touch(*self.root)?;
        *self.root = Link::to_slot(root);
        let mut cutting = Cutting { start, end, parts: Vec::new(), roots: Vec::new(), items: 0 };
        self.cut(&mut cutting, root, None, 0)?;
        self.restore_root(root);
        self.write_set.any_shrunk = true;
        let Cutting { parts, roots, items, .. } = cutting;
        let deleted = items.saturating_add(discard(self.write_set, parts, roots)?);
        debug_assert!(self.is_vacant(start, end)?, "nothing is left between the two keys");
        Ok(deleted)
    }

    fn is_vacant(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Result<bool> {
        let (start, end) = (start.map(<[u8]>::to_vec), end.map(<[u8]>::to_vec));
        let mut items = tree::Range::new(self.write_set.pages(), Root::Link(*self.root), start, end);
        Ok(items.next().transpose()?.is_none())
    }

    /// Cuts the keys out of the node at `slot`, whose keys are less than `high`, and of those below it. It may be empty
    /// then.
    fn cut(&mut self, cutting: &mut Cutting<'_>, slot: Slot, high: Option<&[u8]>, depth: usize) -> Result<()> {
        if depth >= DEPTH_MAX {
            return Err(corrupt(Link::to_slot(slot), TOO_DEEP));
        }
        let node = self.write_set.dirty(slot);
        let (gone, borders) =
            if node.is_branch() { cutting.children(node) } else { (cutting.leaf(slot, node)?, [None, None]) };
        let mut kept = vec![true; node.count()];
        kept.get_mut(gone).unwrap_or_default().fill(false);
        for index in borders.into_iter().flatten() {
            let below = high_of_child(self.write_set, slot, index, high);
            let border = own_child(self.write_set, slot, index, high)?;
            assert!(
                kept.get(index).is_some_and(|&kept| kept),
                "a child that lies inside in part is not gone as a whole"
            );
            self.cut(cutting, border, below.as_deref(), depth.saturating_add(1))?;
            if self.write_set.dirty(border).count() == 0 {
                self.write_set.vacate(border);
                self.write_set.note_merge();
                kept.get_mut(index..=index).unwrap_or_default().fill(false);
            }
        }
        self.write_set.packed(slot).retain(&kept);
        debug_assert!(self.write_set.dirty(slot).ascends(), "what stays is in order");
        Ok(())
    }
}

impl Cutting<'_> {
    /// Where the keys to delete are in `node`, if they are there.
    fn within(&self, node: &DirtyNode) -> Range<usize> {
        let first = |key: &[u8], found: usize| node.search(key).map_or_else(|at| at, |at| at.saturating_add(found));
        let start = match self.start {
            Bound::Unbounded => 0,
            Bound::Included(key) => first(key, 0),
            Bound::Excluded(key) => first(key, 1),
        };
        let end = match self.end {
            Bound::Unbounded => node.count(),
            Bound::Included(key) => first(key, 1),
            Bound::Excluded(key) => first(key, 0),
        };
        let end = end.max(start);
        assert!(end <= node.count(), "both bounds are among the elements or at their ends");
        start..end
    }

    /// The elements of a leaf that go.
    fn leaf(&mut self, slot: Slot, leaf: &DirtyNode) -> Result<Range<usize>> {
        let gone = self.within(leaf);
        for index in gone.clone().filter(|&index| leaf.flags(index) & BUCKET_FLAG != 0) {
            let link = Link::to_slot(slot);
            let header = BucketHeader::parse(leaf.value(index)).map_err(|Malformed(what)| corrupt(link, what))?;
            if header.root != 0 {
                self.roots.push(bucket_root(link, header.root)?);
            }
        }
        assert!(gone.end <= leaf.count(), "what goes are items of the leaf");
        self.items = self.items.saturating_add(gone.len() as u64);
        Ok(gone)
    }

    /// The children of a branch that go as a whole, and the two beside them that lie inside in part: the keys of a child
    /// lie between its own in the branch and the next one.
    fn children(&mut self, branch: &DirtyNode) -> (Range<usize>, [Option<usize>; 2]) {
        let Range { start, mut end } = self.within(branch);
        let before = start.checked_sub(1);
        let mut last = None;
        if self.end != Bound::Unbounded && end > start {
            end = end.saturating_sub(1);
            last = Some(end);
        }
        assert!(start <= end && end <= branch.count(), "what goes are children of the branch");
        self.parts.extend((start..end).map(|index| Link::from_raw(branch.child(index))));
        (start..end, [before, last])
    }
}
