//! A bucket, to change.

use std::ops::RangeBounds;

use super::bucket::{Bucket, Iter};
use super::cursor::{Cursor, Item};
use super::cursor_mut::CursorMut;
use super::open_buckets::{BucketIndex, OpenBuckets, taken};
use crate::error::{Error, Result};
use crate::format::{MAX_KEY_SIZE, MAX_VALUE_SIZE};
use crate::store::{Link, WriteSet};
use crate::tree::{Root, find};

/// A bucket of a write transaction.
///
/// It borrows its transaction, so there is one at a time; asking for the same bucket again costs next to nothing. What
/// [`get`](Self::get) returns borrows the `BucketMut`, so nothing can change under it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = kv::Db::open(dir.path().join("bucket_mut.db"))?;
/// db.update(|tx| {
///     let mut orders = tx.create_bucket("orders")?;
///     let number = orders.next_sequence()?;
///     orders.put(number.to_be_bytes(), "two teapots")?;
///     assert!(orders.delete(number.to_be_bytes())?);
///     assert!(!orders.delete("never there")?);
///     Ok::<_, kv::Error>(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BucketMut<'t> {
    write_set: &'t mut WriteSet,
    buckets: &'t mut OpenBuckets,
    at: BucketIndex,
}

impl<'t> BucketMut<'t> {
    /// The child bucket `name` of `parent`.
    pub(super) fn child(
        write_set: &'t mut WriteSet,
        buckets: &'t mut OpenBuckets,
        parent: BucketIndex,
        name: &[u8],
    ) -> Result<Self> {
        let at = buckets.open(write_set, parent, name)?.ok_or_else(|| Error::BucketNotFound { name: name.to_vec() })?;
        Ok(Self { write_set, buckets, at })
    }

    /// The bucket `at`, which is open.
    pub(super) fn opened(write_set: &'t mut WriteSet, buckets: &'t mut OpenBuckets, at: BucketIndex) -> Self {
        Self { write_set, buckets, at }
    }

    /// Its number in this transaction.
    pub(crate) const fn index(&self) -> BucketIndex {
        self.at
    }

    /// The nested bucket `name`, in place of this one: for following a path.
    ///
    /// # Errors
    /// Those of [`bucket_mut`](Self::bucket_mut).
    pub fn into_bucket_mut(self, name: impl AsRef<[u8]>) -> Result<Self> {
        Self::child(self.write_set, self.buckets, self.at, name.as_ref())
    }

    /// The bucket as it is now, to read.
    #[must_use]
    pub fn as_bucket(&self) -> Bucket<'_> {
        Bucket::opened(self.write_set.pages(), self.buckets, self.at)
    }

    /// The value of `key`; none if it is absent or names a bucket. O(log n).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<&[u8]>> {
        self.as_bucket().get(key)
    }

    /// Inserts or replaces the value of `key`. O(log n).
    ///
    /// # Errors
    /// [`Error::KeyRequired`], [`Error::KeyTooLarge`], [`Error::ValueTooLarge`]; [`Error::IncompatibleValue`] if `key`
    /// names a bucket. The bucket is then as it was.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        match key.len() {
            0 => return Err(Error::KeyRequired),
            len if len > MAX_KEY_SIZE => return Err(Error::KeyTooLarge { len }),
            _ => {}
        }
        if value.len() > MAX_VALUE_SIZE {
            return Err(Error::ValueTooLarge { len: value.len() });
        }
        self.buckets.tree(self.write_set, self.at).put(key, value)
    }

    /// Removes `key`; says whether it was there. O(log n).
    ///
    /// # Errors
    /// [`Error::IncompatibleValue`] if `key` names a bucket.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        match find(&self.write_set.pages(), Root::Link(self.root()), key)? {
            None => Ok(false),
            Some((_, entry)) if entry.is_bucket() => {
                Err(Error::IncompatibleValue { key: key.to_vec(), is_bucket: true })
            }
            Some(_) => self.buckets.tree(self.write_set, self.at).delete(key),
        }
    }

    /// The bucket's counter.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.buckets.get(self.at).sequence
    }

    /// Sets the bucket's counter.
    #[allow(clippy::unnecessary_wraps, reason = "as every change, it may come to fail")]
    pub fn set_sequence(&mut self, sequence: u64) -> Result<()> {
        let bucket = self.buckets.get_mut(self.at);
        bucket.sequence = sequence;
        bucket.changed = true;
        Ok(())
    }

    /// Adds one to the bucket's counter and returns it: 1 first. Numbers drawn by a transaction that is rolled back are
    /// drawn again. After 2^64 - 1 it wraps around to 0, as bbolt's does.
    pub fn next_sequence(&mut self) -> Result<u64> {
        let next = self.sequence().wrapping_add(1);
        self.set_sequence(next)?;
        Ok(next)
    }

    /// The nested bucket `name`, to read. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`]; [`Error::IncompatibleValue`] if `name` is a key.
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Bucket<'_>> {
        self.as_bucket().bucket(name)
    }

    /// The nested bucket `name`, to read, if there is one. O(log n).
    pub fn get_bucket(&self, name: impl AsRef<[u8]>) -> Result<Option<Bucket<'_>>> {
        self.as_bucket().get_bucket(name)
    }

    /// The nested bucket `name`, to change. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`]; [`Error::IncompatibleValue`] if `name` is a key.
    pub fn bucket_mut(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        BucketMut::child(self.write_set, self.buckets, self.at, name.as_ref())
    }

    /// Creates the nested bucket `name`. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketExists`], [`Error::BucketNameRequired`], [`Error::BucketNameTooLarge`];
    /// [`Error::IncompatibleValue`] if `name` is a key.
    pub fn create_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create(self.write_set, self.buckets, self.at, named(name.as_ref())?)
    }

    /// The nested bucket `name`, created if it is not there. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNameRequired`], [`Error::BucketNameTooLarge`]; [`Error::IncompatibleValue`] if `name` is a key.
    pub fn create_bucket_if_absent(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(self.write_set, self.buckets, self.at, named(name.as_ref())?)
    }

    /// The nested bucket `name`, created if it is not there, however long the name is.
    ///
    /// The format sets no limit to names, and bbolt takes what is longer than [`MAX_KEY_SIZE`]: this is for whoever
    /// copies such a database, as [`compact`](crate::compact()) does.
    ///
    /// # Errors
    /// [`Error::BucketNameRequired`]; [`Error::IncompatibleValue`] if `name` is a key.
    pub fn import_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(self.write_set, self.buckets, self.at, name.as_ref())
    }

    /// Deletes the nested bucket `name` and everything in it. O(pages of the bucket).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`]; [`Error::IncompatibleValue`] if `name` is a key.
    pub fn delete_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        if self.buckets.delete(self.write_set, self.at, name)? {
            Ok(())
        } else {
            Err(Error::BucketNotFound { name: name.to_vec() })
        }
    }

    /// A cursor to read with; it borrows the bucket, so nothing changes under it.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        self.as_bucket().cursor()
    }

    /// A cursor that can delete the item it is at.
    #[must_use]
    pub fn cursor_mut(&mut self) -> CursorMut<'_> {
        CursorMut::new(BucketMut { write_set: self.write_set, buckets: self.buckets, at: self.at })
    }

    /// All items in key order, from either end.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.as_bucket().iter()
    }

    /// The items whose keys lie within `bounds`, from either end.
    pub fn range<K: AsRef<[u8]>>(&self, bounds: impl RangeBounds<K>) -> Iter<'_> {
        self.as_bucket().range(bounds)
    }

    /// How full the pages of this bucket are left where nodes are split, as a share from 0.1 to 1.0 (what is outside is
    /// brought to the nearest). It holds for this bucket until the transaction ends, and is not stored.
    ///
    /// - In key order at the end of the bucket: each page is filled to the share, and the last has the rest.
    /// - Out of order: what one page has grown into within this transaction is packed to the share at the commit, where
    ///   that makes it fewer pages (or more, for a small share). Where one page has become two that stay two, each keeps
    ///   half: bbolt would leave a full page and a sliver.
    ///
    /// Pages that were not split stay as they are. Left alone, a node that grew in key order stays full and any other is
    /// halved, which comes to two thirds and suits most loads. 1.0 suits a load into a bucket that is then only read.
    pub fn set_fill_percent(&mut self, fill: f64) {
        let fill = if fill.is_nan() { 0.5 } else { fill.clamp(0.1, 1.0) };
        self.buckets.get_mut(self.at).fill = Some(fill);
    }

    fn root(&self) -> Link {
        self.buckets.get(self.at).root
    }
}

impl<'b> IntoIterator for &'b BucketMut<'_> {
    type Item = Result<Item<'b>>;
    type IntoIter = Iter<'b>;

    fn into_iter(self) -> Iter<'b> {
        self.iter()
    }
}

/// A name that is as long as this library lets new names be.
pub(super) fn named(name: &[u8]) -> Result<&[u8]> {
    if name.len() > MAX_KEY_SIZE { Err(Error::BucketNameTooLarge { len: name.len() }) } else { Ok(name) }
}

/// Creates the bucket `name` inside `parent`.
pub(super) fn create<'t>(
    write_set: &'t mut WriteSet,
    buckets: &'t mut OpenBuckets,
    parent: BucketIndex,
    name: &[u8],
) -> Result<BucketMut<'t>> {
    if name.is_empty() {
        return Err(Error::BucketNameRequired);
    }
    if let Some((_, entry)) = find(&write_set.pages(), Root::Link(buckets.get(parent).root), name)? {
        return Err(taken(name, &entry));
    }
    let at = buckets.create(write_set, parent, name)?;
    Ok(BucketMut { write_set, buckets, at })
}

/// The bucket `name` inside `parent`, created if there is none.
pub(super) fn create_if_absent<'t>(
    write_set: &'t mut WriteSet,
    buckets: &'t mut OpenBuckets,
    parent: BucketIndex,
    name: &[u8],
) -> Result<BucketMut<'t>> {
    match buckets.open(write_set, parent, name)? {
        Some(at) => Ok(BucketMut { write_set, buckets, at }),
        None => create(write_set, buckets, parent, name),
    }
}
