//! Buckets by handle: several at once, none of which borrows the transaction.

use super::bucket::Bucket;
use super::bucket_mut::BucketMut;
use super::key_range::KeyRange;
use super::open_buckets::{BucketIndex, OpenBuckets};
use super::walk::Walk;
use super::write::WriteTx;
use crate::error::{Error, Result};

/// A handle to a bucket that a write transaction has opened. It is `Copy` and does not borrow the transaction, so any
/// number of buckets can be changed side by side, and one be changed while another is walked over.
///
/// [`BucketMut::handle`] returns it. [`WriteTx::get`], [`put`](WriteTx::put), [`delete`](WriteTx::delete),
/// [`scan`](WriteTx::scan) and [`walk`](WriteTx::walk) take it, and [`at`](WriteTx::at) and [`at_mut`](WriteTx::at_mut)
/// exchange it for a [`Bucket`] or a [`BucketMut`], which have all other methods. It costs O(1) more than the borrowing
/// form: its transaction is compared.
///
/// A handle is of one bucket of one transaction: with another transaction, or after the bucket was deleted, it is
/// [`Error::StaleHandle`]. It stays valid when its bucket is moved.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let notes = tx.create_bucket("notes")?.handle();
///     let words = tx.create_bucket("words")?.handle();
///     for (id, text) in [("1", "tea and cake"), ("2", "tea")] {
///         tx.put(notes, id, text)?;
///     }
///     tx.scan(notes, .., |tx, id, text| {
///         for word in text.split(|byte| *byte == b' ') {
///             tx.put(words, [word, b"/", id].concat(), "")?;
///         }
///         Ok(())
///     })?;
///     let tea: Vec<_> = tx.at(words)?.range("tea/".."tea0").map(|item| item.map(|(key, _)| key)).collect::<Result<_, _>>()?;
///     assert_eq!(tea, [b"tea/1", b"tea/2"]);
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BucketHandle {
    /// The identity of its transaction.
    tx: u64,
    at: BucketIndex,
}

impl OpenBuckets {
    /// A handle to bucket `at`.
    pub(super) fn handle(&self, at: BucketIndex) -> BucketHandle {
        assert!(!self.get(at).deleted, "a bucket that is borrowed is there");
        BucketHandle { tx: self.identity, at }
    }

    /// The bucket of `handle`.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] if it is of another transaction, or was deleted.
    #[inline]
    pub(super) fn of(&self, handle: BucketHandle) -> Result<BucketIndex> {
        if handle.tx != self.identity {
            return Err(Error::StaleHandle { deleted: false });
        }
        assert!(handle.at < self.all.len(), "a handle of this transaction names a bucket that it has opened");
        if self.get(handle.at).deleted {
            return Err(Error::StaleHandle { deleted: true });
        }
        Ok(handle.at)
    }
}

impl WriteTx<'_> {
    /// Returns the bucket of a handle, for reading. O(1).
    ///
    /// # Errors
    /// [`Error::StaleHandle`] if the bucket was deleted, or the handle is of another transaction.
    pub fn at(&self, bucket: BucketHandle) -> Result<Bucket<'_>> {
        let at = self.buckets.of(bucket)?;
        Ok(Bucket::opened(self.write_set.pages(), &self.buckets, at))
    }

    /// Returns the bucket of a handle, for changing. O(1).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let (todo, done) = (tx.create_bucket("todo")?.handle(), tx.create_bucket("done")?.handle());
    ///     tx.put(todo, "wash up", "")?;
    ///     tx.at_mut(todo)?.delete("wash up")?;
    ///     let number = tx.at_mut(done)?.next_sequence()?;
    ///     tx.put(done, number.to_be_bytes(), "wash up")
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn at_mut(&mut self, bucket: BucketHandle) -> Result<BucketMut<'_>> {
        let at = self.buckets.of(bucket)?;
        Ok(BucketMut::opened(&mut self.write_set, &mut self.buckets, at))
    }

    /// Returns the value of `key`; see [`Bucket::get`]. O(log n).
    ///
    /// # Errors
    /// As [`at`](Self::at) and [`Bucket::get`].
    pub fn get(&self, bucket: BucketHandle, key: impl AsRef<[u8]>) -> Result<Option<&[u8]>> {
        self.at(bucket)?.get(key)
    }

    /// Sets the value of `key`; see [`BucketMut::put`]. O(log n).
    ///
    /// # Errors
    /// As [`at`](Self::at) and [`BucketMut::put`].
    pub fn put(&mut self, bucket: BucketHandle, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.at_mut(bucket)?.put(key, value)
    }

    /// Deletes `key`, and returns whether it was there; see [`BucketMut::delete`]. O(log n).
    ///
    /// # Errors
    /// As [`at`](Self::at) and [`BucketMut::delete`].
    pub fn delete(&mut self, bucket: BucketHandle, key: impl AsRef<[u8]>) -> Result<bool> {
        self.at_mut(bucket)?.delete(key)
    }

    /// Calls `visit` with this transaction, the key and the value of each pair within `range`, in key order. Nested buckets
    /// are passed over. `visit` may change anything, the bucket itself included: of what lies ahead, the scan meets what
    /// is there when it comes to it. An error of `visit` ends the scan.
    ///
    /// Keys and values are copied, many at a time. O(log n) to begin and after each change of the bucket itself, and the
    /// bytes of each pair. A loop that ends early or has errors of its own uses [`walk`](Self::walk).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let stock = tx.create_bucket("stock")?.handle();
    ///     let empty = tx.create_bucket("sold out")?.handle();
    ///     for (fruit, pieces) in [("apple", "12"), ("cherry", "0"), ("plum", "0")] {
    ///         tx.put(stock, fruit, pieces)?;
    ///     }
    ///     tx.scan(stock, .., |tx, fruit, pieces| {
    ///         if pieces == b"0" {
    ///             tx.delete(stock, fruit)?;
    ///             tx.put(empty, fruit, "")?;
    ///         }
    ///         Ok(())
    ///     })?;
    ///     assert_eq!((tx.at(stock)?.iter().count(), tx.at(empty)?.iter().count()), (1, 2));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::StaleHandle`] if the handle is of another transaction, or the bucket is deleted, by `visit` for example.
    /// - [`Error::Corrupt`] if a page of the bucket is damaged.
    /// - The errors of `visit`.
    pub fn scan(
        &mut self,
        bucket: BucketHandle,
        range: impl KeyRange,
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut walk = self.walk(bucket, range)?;
        while let Some((key, value)) = walk.next(self)? {
            visit(self, key, value)?;
        }
        Ok(())
    }

    /// Returns a walk over the pairs within `range` that does not borrow the transaction. O(1).
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn walk(&self, bucket: BucketHandle, range: impl KeyRange) -> Result<Walk> {
        self.buckets.of(bucket)?;
        Ok(Walk::new(bucket, &range))
    }
}
