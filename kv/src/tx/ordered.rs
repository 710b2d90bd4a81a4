//! A bucket as a sorted map, for reading: its ends, its prefixes, its pages of a list, its length.

use std::ops::Bound;

use super::bucket::Bucket;
use super::bucket_mut::BucketMut;
use super::iter::{Iter, Pair};
use super::key_range::prefix;
use crate::error::Result;
use crate::tree::count_pairs;

impl<'t> Bucket<'t> {
    /// Returns the pair with the least key, or `None` if there are no pairs. O(log n), and O(1) for each nested bucket
    /// before it.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| {
    /// #     let mut marks = tx.create_bucket("marks")?;
    /// #     ["a", "b", "c"].iter().try_for_each(|key| marks.put(key, "!"))
    /// # })?;
    /// # let tx = db.begin_read();
    /// let marks = tx.bucket("marks")?;
    /// assert_eq!(marks.first()?, Some((&b"a"[..], &b"!"[..])));
    /// assert_eq!(marks.last()?, Some((&b"c"[..], &b"!"[..])));
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn first(&self) -> Result<Option<Pair<'t>>> {
        self.iter().next().transpose()
    }

    /// Returns the pair with the greatest key, or `None` if there are no pairs. O(log n), and O(1) for each nested bucket
    /// after it.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn last(&self) -> Result<Option<Pair<'t>>> {
        self.iter().next_back().transpose()
    }

    /// Iterates over the pairs whose keys begin with `bytes`, in key order, from either end. O(log n) to begin, amortised
    /// O(1) for each pair. It is `range(kv::prefix(bytes))`; see [`prefix`](crate::prefix()).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| {
    /// #     let mut files = tx.create_bucket("files")?;
    /// #     ["etc/hosts", "usr/bin", "usr/lib", "var"].iter().try_for_each(|key| files.put(key, ""))
    /// # })?;
    /// # let tx = db.begin_read();
    /// let files = tx.bucket("files")?;
    /// assert_eq!(files.prefix("usr/").count(), 2);
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn prefix(&self, bytes: impl AsRef<[u8]>) -> Iter<'t> {
        self.range(prefix(bytes))
    }

    /// Iterates over the pairs whose keys are greater than `key`, which need not be there: the next page of a list is
    /// `after(last).take(n)`, where `last` is the last key of the page before, or `""` for the first page. O(log n) to begin,
    /// amortised O(1) for each pair.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| {
    /// #     let mut letters = tx.create_bucket("letters")?;
    /// #     ["a", "b", "c", "d", "e"].iter().try_for_each(|key| letters.put(key, ""))
    /// # })?;
    /// # let tx = db.begin_read();
    /// let letters = tx.bucket("letters")?;
    /// let (mut last, mut pages) = (Vec::new(), Vec::new());
    /// loop {
    ///     let page = letters.after(&last).take(2).collect::<kv::Result<Vec<_>>>()?;
    ///     let Some((key, _)) = page.last() else { break };
    ///     last = key.to_vec();
    ///     pages.push(page.len());
    /// }
    /// assert_eq!(pages, [2, 2, 1]);
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn after(&self, key: impl AsRef<[u8]>) -> Iter<'t> {
        self.range((Bound::Excluded(key), Bound::Unbounded))
    }

    /// Counts the pairs; nested buckets are not among them. O(n), leaf by leaf: no key and no value is looked at. The format
    /// has no count; a program that asks often keeps one in a pair of its own.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page of the bucket is damaged.
    pub fn len(&self) -> Result<u64> {
        let (pages, root) = self.tree();
        count_pairs(pages, root)
    }

    /// Returns whether there are no pairs. There may be nested buckets. O(log n), and O(1) for each of these.
    ///
    /// # Errors
    /// As [`first`](Self::first).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.first()?.is_none())
    }
}

impl BucketMut<'_> {
    /// Returns the pair with the least key; see [`Bucket::first`].
    ///
    /// # Errors
    /// As [`Bucket::first`].
    pub fn first(&self) -> Result<Option<Pair<'_>>> {
        self.as_bucket().first()
    }

    /// Returns the pair with the greatest key; see [`Bucket::last`].
    ///
    /// # Errors
    /// As [`Bucket::last`].
    pub fn last(&self) -> Result<Option<Pair<'_>>> {
        self.as_bucket().last()
    }

    /// Iterates over the pairs whose keys begin with `bytes`; see [`Bucket::prefix`].
    pub fn prefix(&self, bytes: impl AsRef<[u8]>) -> Iter<'_> {
        self.as_bucket().prefix(bytes)
    }

    /// Iterates over the pairs whose keys are greater than `key`; see [`Bucket::after`].
    pub fn after(&self, key: impl AsRef<[u8]>) -> Iter<'_> {
        self.as_bucket().after(key)
    }

    /// Counts the pairs; see [`Bucket::len`]. O(n).
    ///
    /// # Errors
    /// As [`Bucket::len`].
    pub fn len(&self) -> Result<u64> {
        self.as_bucket().len()
    }

    /// Returns whether there are no pairs; see [`Bucket::is_empty`].
    ///
    /// # Errors
    /// As [`Bucket::is_empty`].
    pub fn is_empty(&self) -> Result<bool> {
        self.as_bucket().is_empty()
    }
}
