//! The buckets that a write transaction has opened, and what it has changed of them outside their trees.
//!
//! A bucket's header (root page and sequence) lies in a leaf of its parent. While the transaction runs, the header of
//! an opened bucket is here, and the one in the parent's leaf is out of date; [`OpenBuckets::spill`] writes them back,
//! deepest first, before the commit.
#![allow(clippy::indexing_slicing, reason = "a number is given out here, and its bucket stays")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::atomic::{AtomicU64, Ordering};

use freelist_core::PageId;

use super::changes::ChangeLog;
use crate::error::{Error, Result};
use crate::format::{BUCKET_HEADER, BucketHeader, Header, Kind, LeafEntry, Malformed, Node, PAGE_HEADER, header_bytes};
use crate::store::{Link, PageRef, Slot, WriteSet, corrupt};
use crate::tree::{Path, Root, Tree, discard, find, overwrite_header, pack, rebalance};

/// The number of an opened bucket. 0 is the root bucket.
pub(crate) type BucketIndex = usize;

/// The root bucket.
pub(crate) const ROOT: BucketIndex = 0;

/// An opened bucket.
#[derive(Debug)]
pub(crate) struct OpenBucket {
    pub(crate) root: Link,
    pub(crate) sequence: u64,
    /// Whether the header in the parent's leaf, or the tree, is to be written back.
    pub(crate) changed: bool,
    /// How often its tree was opened for a change: a walk that has copied some of it looks whether it still is as it was.
    pub(super) changes: u64,
    pub(super) deleted: bool,
    pub(crate) fill: Option<f64>,
    pub(crate) children: BTreeMap<Vec<u8>, BucketIndex>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct OpenBuckets {
    /// A number that no other transaction of this process has, for handles.
    pub(super) identity: u64,
    pub(super) all: Vec<OpenBucket>,
    /// Damage that a change met. It may have been done by half, so the transaction cannot be committed.
    met: Option<(PageId, Cow<'static, str>)>,
    /// The root pages that the buckets had in the file, and whose they were.
    pub(super) roots: BTreeMap<PageId, BucketIndex>,
    /// What the transaction has changed, where somebody listens.
    pub(super) log: Option<ChangeLog>,
    /// Where the last put or deletion was. It begins at the root of its bucket.
    path: Path,
}

impl OpenBuckets {
    pub(crate) fn new(root: Link, sequence: u64) -> Self {
        static TRANSACTIONS: AtomicU64 = AtomicU64::new(0);
        let identity = TRANSACTIONS.fetch_add(1, Ordering::Relaxed);
        let roots = BTreeMap::from([(root.page_id(), ROOT)]);
        Self {
            identity,
            all: vec![OpenBucket::new(root, sequence)],
            met: None,
            roots,
            log: None,
            path: Path::default(),
        }
    }

    pub(crate) fn get(&self, at: BucketIndex) -> &OpenBucket {
        &self.all[at]
    }

    pub(crate) fn get_mut(&mut self, at: BucketIndex) -> &mut OpenBucket {
        &mut self.all[at]
    }

    /// Bucket `at` as a tree that can be changed; the bucket counts as changed.
    pub(crate) fn tree<'a>(&'a mut self, write_set: &'a mut WriteSet, at: BucketIndex) -> Tree<'a> {
        let bucket = &mut self.all[at];
        assert_ne!(bucket.root, Link::from_raw(0), "a bucket that became inline is not changed again");
        assert!(!bucket.deleted, "a bucket that is deleted is not changed");
        bucket.changed = true;
        bucket.changes = bucket.changes.wrapping_add(1);
        Tree { write_set, root: &mut bucket.root, fill: bucket.fill, path: &mut self.path }
    }

    /// The outcome of a change. If the change met damage, it may be done by half, and the commit will refuse it.
    pub(crate) fn whole<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if let Err(Error::Corrupt { page, what }) = &outcome {
            self.met.get_or_insert_with(|| (*page, what.clone()));
        }
        outcome
    }

    /// The child bucket `name` of `parent`, opened; none where there is none. An inline bucket becomes a dirty node.
    pub(crate) fn open(
        &mut self,
        write_set: &mut WriteSet,
        parent: BucketIndex,
        name: &[u8],
    ) -> Result<Option<BucketIndex>> {
        if let Some(&open) = self.all[parent].children.get(name) {
            return Ok(Some(open));
        }
        let pages = write_set.pages();
        let Some((leaf, entry)) = find(&pages, Root::Link(self.all[parent].root), name)? else { return Ok(None) };
        if !entry.is_bucket() {
            return Err(Error::IncompatibleValue { key: name.to_vec(), is_bucket: false });
        }
        let header = leaf.located(BucketHeader::parse(entry.value))?;
        let root = if header.root == 0 {
            let (at, len) = (leaf.link, entry.value.len());
            // The inline page is copied out first: its bytes may lie in a node that moves when another is made.
            let value = entry.value.to_vec();
            let inline = BucketHeader::inline_leaf(&value).map_err(|Malformed(what)| corrupt(at, what))?;
            Link::to_slot(write_set.copy_inline(&Node::Leaf(inline), len).map_err(|Malformed(what)| corrupt(at, what))?)
        } else {
            let root = pages.bucket_root(leaf.link, header.root)?;
            let claimed = self.claim(write_set, &leaf.page(), (parent, name), root);
            self.whole(claimed)?;
            root
        };
        Ok(Some(self.insert(parent, name, OpenBucket::new(root, header.sequence))))
    }

    /// A new, empty bucket; the name must be free.
    pub(crate) fn create(&mut self, write_set: &mut WriteSet, parent: BucketIndex, name: &[u8]) -> Result<BucketIndex> {
        // A placeholder with the size of an empty inline bucket, so that cursors meet the name already.
        let put = self.tree(write_set, parent).put_bucket(name, &empty_inline());
        self.whole(put)?;
        let root = Link::to_slot(write_set.create_leaf());
        let at = self.insert(parent, name, OpenBucket::new(root, 0));
        self.all[at].changed = true;
        if let Some(log) = &mut self.log {
            log.bucket_created(at);
        }
        Ok(at)
    }

    /// Deletes the child bucket `name` with all that is in it; false where there is none.
    pub(crate) fn delete(&mut self, write_set: &mut WriteSet, parent: BucketIndex, name: &[u8]) -> Result<bool> {
        let deleted = self.delete_unlogged(write_set, parent, name)?;
        if let Some(log) = self.log.as_mut().filter(|_| deleted) {
            log.bucket_deleted(parent, name);
        }
        Ok(deleted)
    }

    fn delete_unlogged(&mut self, write_set: &mut WriteSet, parent: BucketIndex, name: &[u8]) -> Result<bool> {
        let Some(at) = self.open(write_set, parent, name)? else { return Ok(false) };
        let deleted = self.delete_opened(write_set, parent, name, at);
        self.whole(deleted)
    }

    fn delete_opened(
        &mut self,
        write_set: &mut WriteSet,
        parent: BucketIndex,
        name: &[u8],
        at: BucketIndex,
    ) -> Result<bool> {
        self.discard(write_set, at)?;
        assert!(self.all[at].children.is_empty(), "what is inside a bucket goes before it");
        let closed = self.all[parent].children.remove(name);
        assert_eq!(closed, Some(at), "the bucket was opened under its name");
        self.tree(write_set, parent).delete(name)
    }

    /// Deletes the items of bucket `at` between two keys, and the buckets among them with all that is in them. Returns how
    /// many items there were.
    pub(crate) fn delete_range(
        &mut self,
        write_set: &mut WriteSet,
        at: BucketIndex,
        (start, end): (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<u64> {
        // Opened buckets know their trees better than the headers in the leaves do: they go first.
        let inside = |name: &[u8]| (start, end).contains(name);
        let opened: Vec<_> = self.all[at].children.keys().filter(|name| inside(name)).cloned().collect();
        for name in &opened {
            let deleted = self.delete_unlogged(write_set, at, name)?;
            assert!(deleted, "a bucket that is open exists");
        }
        let before = self.all[at].changed;
        let deleted = self.tree(write_set, at).delete_range(start, end);
        self.all[at].changed = before || !matches!(deleted, Ok(0));
        let deleted = self.whole(deleted)?.saturating_add(opened.len() as u64);
        if let Some(log) = self.log.as_mut().filter(|_| deleted > 0) {
            log.range_deleted(at, (start, end));
        }
        Ok(deleted)
    }

    /// Deletes the pairs of bucket `at` that `keep` refuses; returns how many.
    pub(crate) fn retain(
        &mut self,
        write_set: &mut WriteSet,
        at: BucketIndex,
        keep: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<u64> {
        // The bucket counts as changed while `keep` runs, which may panic after the first pairs are gone.
        let before = self.all[at].changed;
        // Not there while `keep` runs: if it panics, the log is incomplete, and so it is gone.
        let mut log = self.log.take();
        let deleted = self.tree(write_set, at).retain(&mut |key, value| {
            let kept = keep(key, value);
            if let Some(log) = log.as_mut().filter(|_| !kept) {
                log.deleted(at, key);
            }
            kept
        });
        debug_assert!(self.log.is_none(), "nothing else changes while pairs go");
        self.log = log;
        self.all[at].changed = before || !matches!(deleted, Ok(0));
        self.whole(deleted)
    }

    /// Copies the nodes on the way to `key` in the bucket at `path`, so that the commit gives them other pages; nothing if
    /// there is no such bucket any more. The content stays, so damage on the way does not refuse the commit.
    ///
    /// # Errors
    /// `Corrupt` with the damaged page.
    pub(crate) fn copy_way(&mut self, write_set: &mut WriteSet, path: &[Vec<u8>], key: &[u8]) -> Result<()> {
        let met = self.met.clone();
        let copied = self.copy_way_in(write_set, path, key);
        self.met = met;
        copied
    }

    fn copy_way_in(&mut self, write_set: &mut WriteSet, path: &[Vec<u8>], key: &[u8]) -> Result<()> {
        let mut at = ROOT;
        for name in path {
            match self.open(write_set, at, name) {
                Ok(Some(child)) => at = child,
                Ok(None) | Err(Error::IncompatibleValue { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.tree(write_set, at).copy_way(key)
    }

    /// Whether the transaction has changed anything. O(opened buckets).
    pub(crate) fn any_changed(&self) -> bool {
        self.all.iter().any(|bucket| bucket.changed)
    }

    /// Hangs the child bucket `name` of `from` under `to`, with everything that this transaction did to it.
    pub(crate) fn relocate(
        &mut self,
        write_set: &mut WriteSet,
        name: &[u8],
        from: BucketIndex,
        to: BucketIndex,
    ) -> Result<()> {
        let not_found = || Error::BucketNotFound { name: name.to_vec() };
        let moved = self.open(write_set, from, name)?.ok_or_else(not_found)?;
        assert_ne!(moved, ROOT, "the root bucket is in no other");
        if from == to || self.contains(moved, to) {
            return Err(Error::SameBuckets);
        }
        if let Some((_, entry)) = find(&write_set.pages(), Root::Link(self.all[to].root), name)? {
            return Err(taken(name, &entry));
        }
        let put = self.tree(write_set, to).put_bucket(name, &empty_inline());
        self.whole(put)?;
        let deleted = self.tree(write_set, from).delete(name);
        self.whole(deleted)?;
        let left = self.all[from].children.remove(name);
        assert_eq!(left, Some(moved), "the bucket was opened under its name");
        let there = self.all[to].children.insert(name.to_vec(), moved);
        assert_eq!(there, None, "the name was free");
        self.all[moved].changed = true;
        self.log_move(name, (from, to), moved);
        Ok(())
    }

    fn log_move(&mut self, name: &[u8], (from, to): (BucketIndex, BucketIndex), moved: BucketIndex) {
        let Some(mut log) = self.log.take() else { return };
        log.bucket_moved(name, from, to);
        log.hung(moved, to, name);
        for (parent, name, at) in self.opened_below(moved) {
            debug_assert_ne!(at, moved, "a bucket is not inside itself");
            log.hung(at, parent, &name);
        }
        self.log = Some(log);
    }

    /// Writes the headers of all changed buckets into their parents' leaves, deepest first, after merging what
    /// deletions have left nearly empty, and packing where a share of a page was asked for. Buckets small enough become
    /// inline. Whether anything changed.
    ///
    /// A bucket that has pages gets a header with its root's link; [`patch`](Self::patch) puts the page number there.
    pub(crate) fn spill(&mut self, write_set: &mut WriteSet) -> Result<bool> {
        if let Some((page, what)) = self.met.clone() {
            return Err(Error::Corrupt { page, what });
        }
        write_set.check_early()?;
        self.check_kept(write_set)?;
        for at in self.deepest_first() {
            let children = std::mem::take(&mut self.all[at].children);
            let written = self.put_headers(write_set, at, &children);
            self.all[at].children = children;
            written?;
            self.settle_one(write_set, at)?;
        }
        Ok(self.all[ROOT].changed)
    }

    /// Brings all changed trees into the shape that a file may have.
    pub(super) fn settle(&self, write_set: &mut WriteSet) -> Result<()> {
        self.deepest_first().into_iter().try_for_each(|at| self.settle_one(write_set, at))
    }

    fn settle_one(&self, write_set: &mut WriteSet, at: BucketIndex) -> Result<()> {
        let OpenBucket { root, changed, fill, .. } = self.all[at];
        assert!(changed || root.slot().is_none() || at != ROOT, "a dirty root is that of a changed bucket");
        let Some(root) = root.slot().filter(|_| changed) else { return Ok(()) };
        if let Some(share) = fill.filter(|_| write_set.splits > 0) {
            pack(write_set, root, share);
        }
        if write_set.any_shrunk { rebalance(write_set, root, fill) } else { Ok(()) }
    }

    /// Puts the headers of the changed buckets among `children` into the tree of bucket `at`, which they are in.
    fn put_headers(
        &mut self,
        write_set: &mut WriteSet,
        at: BucketIndex,
        children: &BTreeMap<Vec<u8>, BucketIndex>,
    ) -> Result<()> {
        for (name, &child) in children {
            if self.all[child].changed {
                let header = self.header(write_set, child);
                self.tree(write_set, at).put_bucket(name, &header)?;
            }
        }
        Ok(())
    }

    /// The changed buckets whose roots are in memory, deepest first: those whose nodes get pages.
    pub(crate) fn changed_roots(&self) -> Vec<(BucketIndex, Slot)> {
        assert!(self.all[ROOT].changed || self.all[ROOT].root.slot().is_none(), "a change reaches the root bucket");
        let changed =
            |at: BucketIndex| self.all[at].root.slot().filter(|_| self.all[at].changed).map(|slot| (at, slot));
        self.deepest_first().into_iter().filter_map(changed).collect()
    }

    /// Puts page numbers in place of links into the headers, in their parents' leaves. All nodes have their pages, so
    /// from here on the write set takes no more nodes. O(changed buckets * log n).
    ///
    /// The links between the nodes of a tree are still needed to find the headers: they are replaced after this.
    pub(crate) fn patch(&self, write_set: &mut WriteSet, page_of: impl Fn(Slot) -> u64) {
        write_set.freeze();
        for at in self.deepest_first() {
            for (name, &child) in &self.all[at].children {
                let OpenBucket { root, sequence, changed, .. } = self.all[child];
                let Some(slot) = root.slot().filter(|_| changed) else { continue };
                let tree = self.all[at].root.slot().filter(|_| self.all[at].changed);
                let Some(tree) = tree else { unreachable!("a bucket with a changed child is changed and has pages") };
                let root = page_of(slot);
                assert!(
                    root >= 2 && !Link::from_raw(root).in_memory(),
                    "a bucket's root has a page before its header does"
                );
                overwrite_header(write_set, tree, name, slot, BucketHeader { root, sequence });
            }
        }
    }

    /// The value of bucket `at` in its parent's leaf. A bucket that fits becomes inline, and its node goes.
    fn header(&mut self, write_set: &mut WriteSet, at: BucketIndex) -> Vec<u8> {
        let OpenBucket { root, sequence, .. } = self.all[at];
        if let Some(slot) = root.slot().filter(|&slot| fits_inline(write_set, slot)) {
            let mut value = BucketHeader { root: 0, sequence }.to_bytes().to_vec();
            value.extend_from_slice(write_set.packed(slot).bytes());
            assert!(
                value.len() <= BUCKET_HEADER.saturating_add(write_set.page_size() / 4),
                "an inline bucket takes a quarter of a page at most"
            );
            assert!(self.all[at].children.is_empty(), "an inline bucket has no buckets inside it");
            write_set.vacate(slot);
            // No node is left that needs a page. No link with page number 0 is followed.
            self.all[at].root = Link::from_raw(0);
            return value;
        }
        assert_ne!(root.raw(), 0, "a bucket that is not inline has a root");
        BucketHeader { root: root.raw(), sequence }.to_bytes().to_vec()
    }

    /// Frees all pages of bucket `at` and of the buckets inside it.
    fn discard(&mut self, write_set: &mut WriteSet, at: BucketIndex) -> Result<()> {
        // Opened buckets know their trees better than the headers in their parents' leaves do: they go first, the
        // deepest before all, and their headers with them.
        for (parent, name, child) in self.opened_below(at).into_iter().rev() {
            discard(write_set, vec![self.all[child].root], Vec::new())?;
            self.tree(write_set, parent).delete(&name)?;
            assert!(!self.all[child].deleted, "a bucket is deleted once");
            self.all[child].deleted = true;
        }
        self.all[at].children.clear();
        assert!(!self.all[at].deleted, "a bucket is deleted once");
        self.all[at].deleted = true;
        discard(write_set, vec![self.all[at].root], Vec::new()).map(drop)
    }

    /// Whether `inner` is `outer` or lies inside it.
    fn contains(&self, outer: BucketIndex, inner: BucketIndex) -> bool {
        outer == inner || self.opened_below(outer).iter().any(|&(_, _, child)| child == inner)
    }

    /// All opened buckets inside `at`, parents before children: parent, name and number of each.
    fn opened_below(&self, at: BucketIndex) -> Vec<(BucketIndex, Vec<u8>, BucketIndex)> {
        let children =
            |at: BucketIndex| self.all[at].children.iter().map(move |(name, &child)| (at, name.clone(), child));
        let mut below: Vec<_> = children(at).collect();
        let mut next = 0;
        while let Some(&(_, _, child)) = below.get(next) {
            below.extend(children(child));
            next = next.saturating_add(1);
        }
        below
    }

    fn insert(&mut self, parent: BucketIndex, name: &[u8], bucket: OpenBucket) -> BucketIndex {
        let at = self.all.len();
        self.all.push(bucket);
        let opened = self.all[parent].children.insert(name.to_vec(), at);
        assert_eq!(opened, None, "a bucket is opened once");
        assert!(at > ROOT, "the root bucket is opened first");
        if let Some(log) = &mut self.log {
            log.opened(parent, name);
        }
        at
    }

    /// Every opened bucket that still exists, children before parents.
    pub(super) fn deepest_first(&self) -> Vec<BucketIndex> {
        let mut order = vec![ROOT];
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            order.extend(self.all[at].children.values());
            next = next.saturating_add(1);
        }
        assert!(order.len() <= self.all.len(), "opened buckets form a tree");
        order.reverse();
        order
    }
}

impl OpenBucket {
    fn new(root: Link, sequence: u64) -> Self {
        Self { root, sequence, changed: false, changes: 0, deleted: false, fill: None, children: BTreeMap::new() }
    }
}

/// The error for a name that is taken already.
pub(crate) fn taken(name: &[u8], entry: &LeafEntry<'_>) -> Error {
    let name = name.to_vec();
    if entry.is_bucket() {
        Error::BucketExists { name }
    } else {
        Error::IncompatibleValue { key: name, is_bucket: false }
    }
}

/// bbolt's rule: one leaf without buckets, not larger than a quarter of a page.
fn fits_inline(write_set: &WriteSet, slot: Slot) -> bool {
    let node = write_set.dirty(slot);
    if node.is_branch() || node.size() > write_set.page_size() / 4 {
        return false;
    }
    match write_set.pages().node(Link::to_slot(slot)) {
        Ok(PageRef { node: Node::Leaf(leaf), .. }) => (0..leaf.count()).all(|index| !leaf.is_bucket(index)),
        _ => false,
    }
}

/// The value of an inline bucket with nothing in it.
fn empty_inline() -> [u8; BUCKET_HEADER + PAGE_HEADER] {
    let mut value = [0; BUCKET_HEADER + PAGE_HEADER];
    let page = header_bytes(Header { id: 0, kind: Kind::Leaf, count: 0, overflow: 0 });
    value[BUCKET_HEADER..].copy_from_slice(&page);
    value
}
