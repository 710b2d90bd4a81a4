//! Pages that two buckets of a damaged file have in common, as far as a write transaction can notice it.
//!
//! A change under one bucket frees the page that the other still names, and a later transaction overwrites it. So a bucket
//! is not opened for changes if its root page is that of another bucket that the transaction has opened, or of another in
//! the same leaf, or belongs to a tree that the transaction has changed. A page that two trees share further down is
//! noticed when the transaction changes it the second time. Only a walk over all trees notices what lies elsewhere.
#![allow(clippy::indexing_slicing, reason = "a number is given out once, and its bucket stays")]

use super::open_buckets::{BucketIndex, OpenBuckets, ROOT};
use crate::error::{Error, Name, Result};
use crate::format::{BucketHeader, LeafEntry, Node};
use crate::store::{Link, PageRef, SHARED, WriteSet};

impl OpenBuckets {
    /// Notes that the bucket that is about to be opened has the page `root`: the bucket of this name in `parent`, found in
    /// the leaf `page`. O(buckets in the leaf).
    ///
    /// # Errors
    /// `Corrupt` if another bucket has the page, too.
    pub(super) fn claim(
        &mut self,
        write_set: &WriteSet,
        page: &PageRef<'_>,
        (parent, name): (BucketIndex, &[u8]),
        root: Link,
    ) -> Result<()> {
        assert!(!root.in_memory(), "a bucket that is not inline begins at a page of the file");
        let other = match (sibling_with(page, name, root.raw()), self.roots.get(&root.page_id())) {
            (Some(sibling), _) => self.inside(parent, sibling),
            (None, Some(&other)) => self.path(other),
            (None, None) if write_set.has_freed(root) => CHANGED.to_owned(),
            (None, None) => {
                self.roots.insert(root.page_id(), self.all.len());
                return Ok(());
            }
        };
        Err(shared(root, &self.inside(parent, name), &other))
    }

    /// Every opened bucket that has not changed still has its root.
    ///
    /// # Errors
    /// `Corrupt` if a change of another tree has taken it.
    pub(super) fn check_kept(&self, write_set: &WriteSet) -> Result<()> {
        let lost = self.deepest_first().into_iter().find(|&at| write_set.has_freed(self.all[at].root));
        lost.map_or(Ok(()), |at| Err(shared(self.all[at].root, &self.path(at), CHANGED)))
    }

    /// The path of bucket `at`, for a message.
    fn path(&self, at: BucketIndex) -> String {
        match self.around(at) {
            Some((parent, name)) => self.inside(parent, name),
            None if at == ROOT => "the bucket of all buckets".to_owned(),
            None => "a bucket that this transaction has deleted".to_owned(),
        }
    }

    /// The path of the bucket `name` in bucket `parent`. A loop, as buckets may nest deeper than a stack.
    fn inside(&self, parent: BucketIndex, name: &[u8]) -> String {
        let mut names = vec![Name(name).to_string()];
        let mut inner = parent;
        while let Some((parent, name)) = self.around(inner) {
            names.push(Name(name).to_string());
            inner = parent;
        }
        names.reverse();
        format!("the bucket {}", names.join("/"))
    }

    /// The bucket that has bucket `inner` inside it, and the name there. O(opened buckets).
    fn around(&self, inner: BucketIndex) -> Option<(BucketIndex, &[u8])> {
        self.all.iter().enumerate().find_map(|(at, bucket)| {
            bucket.children.iter().find(|&(_, &child)| child == inner).map(|(name, _)| (at, &name[..]))
        })
    }
}

const CHANGED: &str = "a tree that this transaction has changed";

fn shared(root: Link, one: &str, other: &str) -> Error {
    Error::Corrupt { page: root.page_id(), what: format!("{SHARED}: by {one}, and by {other}").into() }
}

/// The name of another bucket in the leaf `page` that begins at page `root`, too.
fn sibling_with<'t>(page: &PageRef<'t>, name: &[u8], root: u64) -> Option<&'t [u8]> {
    let Node::Leaf(leaf) = &page.node else { return None };
    let buckets = (0..leaf.count()).filter(|&index| leaf.is_bucket(index));
    // One that is damaged is met when it is opened itself.
    let same = |entry: &LeafEntry<'_>| BucketHeader::parse(entry.value).is_ok_and(|header| header.root == root);
    let found = buckets.filter_map(|index| leaf.entry(index).ok()).find(|entry| entry.key != name && same(entry));
    found.map(|entry| entry.key)
}
