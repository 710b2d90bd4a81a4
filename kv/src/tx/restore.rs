//! Back to an older state that a reader still has open.
//!
//! The trees of both states are compared, without a look at the pages that they share, and what differs is put back by
//! ordinary changes. The pages of the old state are not taken back: they are pending, since they were freed for this reader to
//! end, and a page that is pending stays so until nobody needs it. So the price is a copy of the leaves that differ, and a
//! crash meets a commit like any other.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::open_buckets::{BucketIndex, ROOT};
use super::{Bucket, BucketMut, ReadTx, WriteTx};
use crate::error::{Error, Result};
use crate::store::{PageRef, Pages};
use crate::tree::{Difference, Root, differences};

/// What [`WriteTx::restore_from`] has done.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// # db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// let before = db.begin_read();
/// let restored: kv::Restored = db.update(|tx| tx.restore_from(&before))?;
/// assert_eq!((restored.put, restored.deleted), (0, 0), "nothing has changed");
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Pages of both states that were compared. Pages that both states share are not among them.
    pub pages: u64,
    /// Pairs put and buckets made.
    pub put: u64,
    /// Pairs and buckets deleted; those inside a deleted bucket are not counted.
    pub deleted: u64,
}

impl WriteTx<'_> {
    /// Gives the database the content of `snapshot`, a read transaction of the same database, whatever was committed or
    /// changed since. So an undo needs no copy of the data: keep the read transaction open.
    ///
    /// Pages that are the same in both states are not read. O(pages that differ), and for the leaves among them what it costs
    /// to put and delete their pairs. Handles of buckets that the snapshot does not have become stale.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| tx.create_bucket("notes")?.put("today", "buy tea"))?;
    /// let before = db.begin_read();
    /// db.update(|tx| {
    ///     tx.bucket_mut("notes")?.put("today", "")?;
    ///     tx.create_bucket("by mistake").map(drop)
    /// })?;
    /// db.update(|tx| tx.restore_from(&before))?;
    /// let now = db.begin_read();
    /// assert_eq!(now.bucket("notes")?.get("today")?, Some(&b"buy tea"[..]));
    /// assert!(now.get_bucket("by mistake")?.is_none());
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::OtherDatabase`] if `snapshot` is of another database, or of the same file opened before.
    /// - [`Error::Corrupt`] if a page on the way is damaged. Some of it is restored then: roll the transaction back.
    /// - As [`BucketMut::put`].
    pub fn restore_from(&mut self, snapshot: &ReadTx<'_>) -> Result<Restored> {
        self.check_same_database(snapshot)?;
        self.restore(ROOT, snapshot.root())
    }

    /// Gives the bucket at `path`, with everything in it, the content that it has in `snapshot`: see
    /// [`restore_from`](Self::restore_from). It is created or deleted if that is the difference.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| tx.create_bucket("a")?.create_bucket("b")?.put("key", "value"))?;
    /// let before = db.begin_read();
    /// db.update(|tx| tx.bucket_mut("a")?.delete_bucket("b"))?;
    /// db.update(|tx| tx.restore_bucket_from(&[b"a", b"b"], &before))?;
    /// assert_eq!(db.begin_read().bucket("a")?.bucket("b")?.get("key")?, Some(&b"value"[..]));
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// - Those of [`restore_from`](Self::restore_from).
    /// - [`Error::BucketNotFound`] if the bucket around it is not there now, while the snapshot has the bucket.
    /// - [`Error::IncompatibleValue`] if there is a key with a value in its place, now or in the snapshot.
    pub fn restore_bucket_from(&mut self, path: &[&[u8]], snapshot: &ReadTx<'_>) -> Result<Restored> {
        self.check_same_database(snapshot)?;
        let Some((name, parents)) = path.split_last() else { return self.restore_from(snapshot) };
        let old = path.iter().try_fold(Some(snapshot.root()), |bucket, name| match bucket {
            Some(bucket) => bucket.get_bucket(name),
            None => Ok(None),
        })?;
        let parent = match (self.descend(parents), &old) {
            // What is not there and was not there is restored.
            (Err(Error::BucketNotFound { .. }), None) => return Ok(Restored::default()),
            (parent, _) => parent?,
        };
        match old {
            None => {
                let deleted = self.buckets.delete(&mut self.write_set, parent, name)?.into();
                Ok(Restored { deleted, ..Restored::default() })
            }
            Some(old) => {
                let mut parent = BucketMut::opened(&mut self.write_set, &mut self.buckets, parent);
                let made = u64::from(parent.get_bucket(name)?.is_none());
                let at = parent.import_bucket(name)?.index();
                debug_assert_ne!(at, ROOT, "a bucket with a name lies in another");
                let restored = self.restore(at, old)?;
                Ok(Restored { put: restored.put.saturating_add(made), ..restored })
            }
        }
    }

    /// The pages that two databases have under one number have nothing to do with each other.
    fn check_same_database(&self, snapshot: &ReadTx<'_>) -> Result<()> {
        if !std::ptr::eq(self.core(), snapshot.core()) {
            return Err(Error::OtherDatabase);
        }
        assert!(snapshot.id() < self.id(), "what a reader sees was committed before");
        Ok(())
    }

    /// Gives bucket `at`, and those inside it, the content of `old`.
    fn restore(&mut self, at: BucketIndex, old: Bucket<'_>) -> Result<Restored> {
        let mut restored = Restored::default();
        let mut left = vec![(at, old)];
        while let Some((at, old)) = left.pop() {
            let mut inside = self.restore_items(at, old, &mut restored)?;
            // What this transaction has changed in a bucket does not show in the leaf of its parent.
            for (name, &child) in &self.buckets.get(at).children {
                if !inside.contains_key(&child)
                    && let Some(old) = old.get_bucket(name)?
                {
                    inside.insert(child, old);
                }
            }
            left.extend(inside);
        }
        Ok(restored)
    }

    /// Gives bucket `at` the pairs, the counter and the nested buckets of `old`, and returns those whose content may differ.
    fn restore_items<'o>(
        &mut self,
        at: BucketIndex,
        old: Bucket<'o>,
        restored: &mut Restored,
    ) -> Result<BTreeMap<BucketIndex, Bucket<'o>>> {
        let (pages, root) = old.tree();
        let (edits, read) = edits(self.write_set.pages(), Root::Link(self.buckets.get(at).root), pages, root)?;
        restored.pages = restored.pages.saturating_add(read);
        let mut inside = BTreeMap::new();
        for edit in edits {
            let mut bucket = BucketMut::opened(&mut self.write_set, &mut self.buckets, at);
            match edit {
                Edit::Delete(start, end) => {
                    let deleted = bucket.delete_range((start, end))?;
                    restored.deleted = restored.deleted.saturating_add(deleted);
                    continue;
                }
                Edit::Put { key, value, bucket_now } => {
                    if bucket_now {
                        bucket.delete_bucket(key)?;
                    }
                    bucket.put(key, value)?;
                }
                Edit::Bucket { name, old, pair_now } => {
                    if pair_now {
                        bucket.delete(name)?;
                    }
                    let made = bucket.get_bucket(name)?.is_none();
                    inside.insert(bucket.import_bucket(name)?.index(), old);
                    if !made {
                        continue;
                    }
                }
            }
            restored.put = restored.put.saturating_add(1);
        }
        let sequence = old.sequence();
        let mut bucket = BucketMut::opened(&mut self.write_set, &mut self.buckets, at);
        if bucket.sequence() != sequence {
            bucket.set_sequence(sequence)?;
        }
        debug_assert_eq!(bucket.sequence(), sequence, "the counter is that of the snapshot");
        debug_assert!(inside.keys().all(|&child| child != at && child != ROOT), "no bucket lies inside itself");
        Ok(inside)
    }
}

/// A change that brings one item or several back.
#[derive(Debug)]
enum Edit<'o> {
    Delete(Bound<Vec<u8>>, Bound<Vec<u8>>),
    Put { key: &'o [u8], value: &'o [u8], bucket_now: bool },
    Bucket { name: &'o [u8], old: Bucket<'o>, pair_now: bool },
}

/// What makes the newer tree the older one, in key order, and how many pages were read to find it.
fn edits<'o>(
    new_pages: Pages<'_>,
    new_root: Root<'_>,
    old_pages: Pages<'o>,
    old_root: Root<'o>,
) -> Result<(Vec<Edit<'o>>, u64)> {
    let mut edits = Vec::new();
    let mut failed = Ok(());
    // Whether the last edit is a deletion, and nothing that stays lies between it and what comes next.
    let mut going = false;
    let back = |page: PageRef<'o>, entry: crate::format::LeafEntry<'o>, bucket_now, pair_now| {
        Ok(if entry.is_bucket() {
            Edit::Bucket { name: entry.key, old: Bucket::of_entry(old_pages, page, &entry)?, pair_now }
        } else {
            Edit::Put { key: entry.key, value: entry.value, bucket_now }
        })
    };
    let read = differences((new_pages, new_root), (old_pages, old_root), |difference| {
        let edit = match difference {
            Difference::Gone(start, end) => {
                let end = end.map(<[u8]>::to_vec);
                if let (true, Some(Edit::Delete(_, last))) = (going, edits.last_mut()) {
                    *last = end;
                } else {
                    edits.push(Edit::Delete(start.map(<[u8]>::to_vec), end));
                }
                going = true;
                return;
            }
            Difference::Same => {
                going = false;
                return;
            }
            Difference::Back(page, entry) => back(page, entry, false, false),
            Difference::Other { page, entry, bucket_now } => back(page, entry, bucket_now, !bucket_now),
        };
        going = false;
        match edit {
            Ok(edit) => edits.push(edit),
            Err(error) => failed = Err(error),
        }
    })?;
    failed.map(|()| (edits, read))
}
