//! A bucket for reading and changing.

use super::bucket::Bucket;
use super::cursor::Cursor;
use super::cursor_mut::CursorMut;
use super::early::keep_within_memory;
use super::handle::BucketHandle;
use super::iter::{Items, Iter, Pair};
use super::key_range::KeyRange;
use super::open_buckets::{BucketIndex, OpenBuckets, taken};
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::format::{MAX_KEY_SIZE, MAX_VALUE_SIZE};
use crate::store::{Link, WriteSet};
use crate::tree::{Root, find};

/// A bucket of a write transaction, for reading and changing.
///
/// It borrows its transaction exclusively, so only one exists at a time; a [`handle`](Self::handle) does not. Opening the
/// same bucket again is cheap: the transaction remembers the buckets that it has opened. A value that [`get`](Self::get)
/// returns borrows the `BucketMut`, so no change can invalidate it.
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
///     Ok(())
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

    /// Returns a handle to the bucket, which does not borrow the transaction. O(1). See [`BucketHandle`].
    #[must_use]
    pub fn handle(&self) -> BucketHandle {
        self.buckets.handle(self.at)
    }

    /// The same bucket, borrowed for less long.
    pub(super) fn reborrow(&mut self) -> BucketMut<'_> {
        BucketMut { write_set: self.write_set, buckets: self.buckets, at: self.at }
    }

    /// The next step of a walk over this bucket.
    pub(super) fn step<'w>(&self, walk: &'w mut Walk) -> Result<Option<Pair<'w>>> {
        walk.step(self.write_set, self.buckets)
    }

    /// Exchanges this bucket for its nested bucket `name`, to follow a path. O(log n).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| tx.create_bucket("a")?.create_bucket("b")?.create_bucket("c").map(drop))?;
    /// # let mut tx = db.begin_write()?;
    /// let mut bucket = tx.bucket_mut("a")?;
    /// for name in ["b", "c"] {
    ///     bucket = bucket.into_bucket_mut(name)?;
    /// }
    /// bucket.put("key", "in the innermost bucket")?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`bucket_mut`](Self::bucket_mut).
    pub fn into_bucket_mut(self, name: impl AsRef<[u8]>) -> Result<Self> {
        Self::child(self.write_set, self.buckets, self.at, name.as_ref())
    }

    /// Returns the bucket for reading, with all changes so far. O(1).
    #[must_use]
    pub fn as_bucket(&self) -> Bucket<'_> {
        Bucket::opened(self.write_set.pages(), self.buckets, self.at)
    }

    /// Returns the value of `key`, or `None` if the key is absent or names a nested bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way to the key is damaged.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<&[u8]>> {
        self.as_bucket().get(key)
    }

    /// Sets the value of `key`, which may be new. O(log n), and a copy of the key and value.
    ///
    /// # Errors
    /// None of these changes the bucket.
    /// - [`Error::KeyRequired`] for an empty key.
    /// - [`Error::KeyTooLarge`] for a key of more than [`MAX_KEY_SIZE`] bytes.
    /// - [`Error::ValueTooLarge`] for a value of more than [`MAX_VALUE_SIZE`] bytes.
    /// - [`Error::IncompatibleValue`] if `key` names a nested bucket.
    /// - [`Error::Corrupt`] if a page on the way to the key is damaged.
    /// - [`Error::NotCommitted`] if the transaction is larger than [`Options::write_memory`](crate::Options::write_memory),
    ///   and writing its first changes failed: it cannot be committed any more.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        check_pair(key, value)?;
        keep_within_memory(self.write_set, self.buckets)?;
        let put = self.buckets.tree(self.write_set, self.at).put(key, value);
        self.buckets.whole(put)?;
        if let Some(log) = &mut self.buckets.log {
            log.put(self.at, key, value);
        }
        Ok(())
    }

    /// Deletes `key` and its value, and returns whether the key was there. O(log n).
    ///
    /// # Errors
    /// - [`Error::IncompatibleValue`] if `key` names a nested bucket: use [`delete_bucket`](Self::delete_bucket).
    /// - [`Error::Corrupt`] if a page on the way to the key is damaged.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        match find(&self.write_set.pages(), Root::Link(self.root()), key)? {
            None => Ok(false),
            Some((_, entry)) if entry.is_bucket() => {
                Err(Error::IncompatibleValue { key: key.to_vec(), is_bucket: true })
            }
            Some(_) => {
                keep_within_memory(self.write_set, self.buckets)?;
                let deleted = self.buckets.tree(self.write_set, self.at).delete(key);
                let deleted = self.buckets.whole(deleted)?;
                if let Some(log) = self.buckets.log.as_mut().filter(|_| deleted) {
                    log.deleted(self.at, key);
                }
                Ok(deleted)
            }
        }
    }

    /// Deletes the items whose keys lie within `range`: those that [`items`](Self::items) returns, nested buckets with
    /// everything in them. Returns how many items of this bucket there were; a nested bucket is one.
    ///
    /// Values are not read, and leaves that lie within the bounds as a whole are not copied. O(log n), and a header and a
    /// table of elements for each page that becomes free.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut log = tx.create_bucket("log")?;
    ///     for day in 1..=30u8 {
    ///         log.put([day], "what happened")?;
    ///     }
    ///     assert_eq!(log.delete_range(..[20])?, 19);
    ///     assert_eq!(log.iter().count(), 11);
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way, or one that becomes free, is damaged.
    pub fn delete_range(&mut self, range: impl KeyRange) -> Result<u64> {
        self.buckets.delete_range(self.write_set, self.at, (range.start(), range.end()))
    }

    /// Deletes everything in the bucket, nested buckets included. The counter stays. O(pages of the bucket).
    ///
    /// # Errors
    /// As [`delete_range`](Self::delete_range).
    pub fn clear(&mut self) -> Result<()> {
        self.delete_range(..).map(drop)
    }

    /// Deletes the pairs that `keep` refuses and returns how many. It is asked for each pair, in key order. Nested buckets
    /// stay, and it is not asked for them.
    ///
    /// One pass over the leaves: each that loses pairs is copied once, without them, and joined with its neighbour if both
    /// fit into one page. If all pairs stay, nothing changes. O(n).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut sessions = tx.create_bucket("sessions")?;
    ///     for (name, expires) in [("ada", 10u8), ("alan", 99), ("grace", 20)] {
    ///         sessions.put(name, [expires])?;
    ///     }
    ///     let now = 50;
    ///     assert_eq!(sessions.retain(|_name, value| value > &[now][..])?, 2);
    ///     assert_eq!(sessions.get("alan")?, Some(&[99][..]));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page of the bucket is damaged.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) -> Result<u64> {
        self.buckets.retain(self.write_set, self.at, &mut keep)
    }

    /// Returns the bucket's counter. A new bucket has 0. O(1).
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.buckets.get(self.at).sequence
    }

    /// Sets the bucket's counter. O(1).
    ///
    /// # Errors
    /// None today. The signature allows for them, as that of every change.
    #[allow(clippy::unnecessary_wraps, reason = "every change may fail one day")]
    pub fn set_sequence(&mut self, sequence: u64) -> Result<()> {
        let bucket = self.buckets.get_mut(self.at);
        bucket.sequence = sequence;
        bucket.changed = true;
        if let Some(log) = &mut self.buckets.log {
            log.sequence(self.at, sequence);
        }
        Ok(())
    }

    /// Adds one to the bucket's counter and returns the new number. O(1).
    ///
    /// The first number of a new bucket is 1. After 2^64 - 1 the counter wraps around to 0, as bbolt's does. A rollback
    /// also rolls the counter back: later transactions return the same numbers again.
    ///
    /// # Errors
    /// As [`set_sequence`](Self::set_sequence).
    pub fn next_sequence(&mut self) -> Result<u64> {
        let next = self.sequence().wrapping_add(1);
        self.set_sequence(next)?;
        Ok(next)
    }

    /// Returns the nested bucket `name` for reading. O(log n).
    ///
    /// # Errors
    /// As [`Bucket::bucket`].
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Bucket<'_>> {
        self.as_bucket().bucket(name)
    }

    /// Returns the nested bucket `name` for reading, or `None` if there is no item `name`. O(log n).
    ///
    /// # Errors
    /// As [`Bucket::get_bucket`].
    pub fn get_bucket(&self, name: impl AsRef<[u8]>) -> Result<Option<Bucket<'_>>> {
        self.as_bucket().get_bucket(name)
    }

    /// Returns the nested bucket `name` for changing. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no item `name`.
    /// - [`Error::IncompatibleValue`] if `name` is a key with a value.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn bucket_mut(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        BucketMut::child(self.write_set, self.buckets, self.at, name.as_ref())
    }

    /// Creates the nested bucket `name` and returns it. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketExists`] if the bucket exists already.
    /// - [`Error::IncompatibleValue`] if `name` is a key with a value.
    /// - [`Error::BucketNameRequired`] for an empty name.
    /// - [`Error::BucketNameTooLarge`] for a name of more than [`MAX_KEY_SIZE`] bytes.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn create_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create(self.write_set, self.buckets, self.at, named(name.as_ref())?)
    }

    /// Returns the nested bucket `name` and creates it if it is absent. O(log n).
    ///
    /// # Errors
    /// As [`create_bucket`](Self::create_bucket), without [`Error::BucketExists`].
    pub fn create_bucket_if_absent(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(self.write_set, self.buckets, self.at, named(name.as_ref())?)
    }

    /// Returns the nested bucket `name` and creates it if it is absent, even if its name is longer than [`MAX_KEY_SIZE`]
    /// bytes. O(log n).
    ///
    /// The format does not limit names, and bbolt creates buckets with longer ones. Programs that copy such a database
    /// need this, as [`compact`](crate::compact()) does.
    ///
    /// # Errors
    /// As [`create_bucket_if_absent`](Self::create_bucket_if_absent), without [`Error::BucketNameTooLarge`].
    pub fn import_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(self.write_set, self.buckets, self.at, name.as_ref())
    }

    /// Deletes the nested bucket `name` with everything in it. O(pages of the bucket).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no item `name`.
    /// - [`Error::IncompatibleValue`] if `name` is a key with a value.
    /// - [`Error::Corrupt`] if a page of the bucket is damaged.
    pub fn delete_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        if self.buckets.delete(self.write_set, self.at, name)? {
            Ok(())
        } else {
            Err(Error::BucketNotFound { name: name.to_vec() })
        }
    }

    /// Returns a cursor for reading. It borrows the bucket, so no change can invalidate it. O(1).
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        self.as_bucket().cursor()
    }

    /// Returns a cursor that can change and delete its current item. O(1).
    #[must_use]
    pub fn cursor_mut(&mut self) -> CursorMut<'_> {
        CursorMut::new(self.reborrow())
    }

    /// Iterates over all pairs in key order, from either end; see [`Bucket::iter`].
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.as_bucket().iter()
    }

    /// Iterates over the pairs whose keys lie within `range`, from either end; see [`Bucket::range`].
    pub fn range(&self, range: impl KeyRange) -> Iter<'_> {
        self.as_bucket().range(range)
    }

    /// Iterates over the items whose keys lie within `range`, nested buckets included; see [`Bucket::items`].
    pub fn items(&self, range: impl KeyRange) -> Items<'_> {
        self.as_bucket().items(range)
    }

    /// Sets how full a split leaves the pages of this bucket: a share from 0.1 to 1.0. A share outside this range becomes
    /// the nearest within it, and NaN becomes 0.5. It applies to this bucket until the transaction ends; the file does not
    /// store it. O(1).
    ///
    /// - Inserts in key order at the end of the bucket fill each page to the share; the last page gets the rest.
    /// - Other inserts: the commit packs the pages that one page has grown into to the share, if that changes their
    ///   number. Where one page has become two and stays two, each keeps half; bbolt would leave a full page and a
    ///   nearly empty one.
    ///
    /// Pages that were not split do not change. Without this call, a node that grew in key order stays full and any other
    /// node is halved. Random inserts then fill pages to two thirds, which suits most loads. 1.0 suits a bucket that is
    /// filled once and only read afterwards.
    pub fn set_fill_percent(&mut self, fill: f64) {
        let fill = if fill.is_nan() { 0.5 } else { fill.clamp(0.1, 1.0) };
        self.buckets.get_mut(self.at).fill = Some(fill);
    }

    fn root(&self) -> Link {
        self.buckets.get(self.at).root
    }
}

impl<'b> IntoIterator for &'b BucketMut<'_> {
    type Item = Result<Pair<'b>>;
    type IntoIter = Iter<'b>;

    fn into_iter(self) -> Iter<'b> {
        self.iter()
    }
}

/// Returns `name` unless it is too long for a new bucket.
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
    keep_within_memory(write_set, buckets)?;
    let at = buckets.create(write_set, parent, name)?;
    assert_eq!(buckets.get(at).sequence, 0, "a new bucket has counted nothing");
    assert!(buckets.get(parent).changed, "a new bucket changes its parent");
    debug_assert!(
        find(&write_set.pages(), Root::Link(buckets.get(parent).root), name)?
            .is_some_and(|(_, entry)| entry.is_bucket()),
        "a walk meets the name of a new bucket"
    );
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

/// # Errors
/// If a bucket cannot have the pair.
pub(super) const fn check_pair(key: &[u8], value: &[u8]) -> Result<()> {
    match (key.len(), value.len()) {
        (0, _) => Err(Error::KeyRequired),
        (len, _) if len > MAX_KEY_SIZE => Err(Error::KeyTooLarge { len }),
        (_, len) if len > MAX_VALUE_SIZE => Err(Error::ValueTooLarge { len }),
        _ => Ok(()),
    }
}
