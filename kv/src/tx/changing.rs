//! A bucket as a sorted map, for changing: values that come back, entries that change in place.

use freelist_core::PageId;

use super::bucket_mut::BucketMut;
use super::extract_if::ExtractIf;
use super::key_range::KeyRange;
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::tree;

/// A key and its value, owned: what leaves a bucket.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let job: Option<kv::OwnedPair> = db.update(|tx| tx.create_bucket("jobs")?.pop_first())?;
/// assert_eq!(job, None);
/// # Ok::<_, kv::Error>(())
/// ```
pub type OwnedPair = (Vec<u8>, Vec<u8>);

/// An end of a bucket.
#[derive(Clone, Copy, Debug)]
enum End {
    First,
    Last,
}

impl BucketMut<'_> {
    /// Sets the value of `key`, which may be new, and returns the value before. O(log n), and a copy of key and values.
    /// [`put`](Self::put) does the same without the old value, at half the cost.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut ages = tx.create_bucket("ages")?;
    ///     assert_eq!(ages.insert("ada", "36")?, None);
    ///     assert_eq!(ages.insert("ada", "37")?.as_deref(), Some(&b"36"[..]));
    ///     assert_eq!(ages.remove("ada")?.as_deref(), Some(&b"37"[..]));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn insert(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        let key = key.as_ref();
        let old = self.get(key)?.map(<[u8]>::to_vec);
        self.put(key, value)?;
        debug_assert!(self.get(key)?.is_some(), "what was put is there");
        Ok(old)
    }

    /// Deletes `key` and returns its value, or `None` if it was not there. O(log n), and a copy of the value.
    /// [`delete`](Self::delete) does the same without the value.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        let key = key.as_ref();
        let old = self.get(key)?.map(<[u8]>::to_vec);
        self.delete(key)?;
        debug_assert!(!self.as_bucket().contains(key)?, "what was deleted is gone");
        Ok(old)
    }

    /// Replaces the value of `key` by what `change` makes of it. `change` gets `None` if `key` is absent, and returns `None`
    /// for it to be so afterwards. O(log n).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut visits = tx.create_bucket("visits")?;
    ///     for name in ["ada", "alan", "ada"] {
    ///         visits.update(name, |count| Some([count.map_or(1, |count| count[0] + 1)]))?;
    ///     }
    ///     assert_eq!(visits.get("ada")?, Some(&[2][..]));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put) and [`delete`](Self::delete).
    pub fn update<V: AsRef<[u8]>>(
        &mut self,
        key: impl AsRef<[u8]>,
        change: impl FnOnce(Option<&[u8]>) -> Option<V>,
    ) -> Result<()> {
        let key = key.as_ref();
        match change(self.get(key)?) {
            Some(value) => self.put(key, value),
            None => self.delete(key).map(drop),
        }
    }

    /// Returns the value of `key`; sets it to what `make` returns first, if `key` is absent. O(log n).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut settings = tx.create_bucket("settings")?;
    ///     assert_eq!(settings.get_or_insert_with("theme", || "light")?, b"light");
    ///     assert_eq!(settings.get_or_insert_with("theme", || "dark")?, b"light");
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn get_or_insert_with<V: AsRef<[u8]>>(
        &mut self,
        key: impl AsRef<[u8]>,
        make: impl FnOnce() -> V,
    ) -> Result<&[u8]> {
        let key = key.as_ref();
        if self.get(key)?.is_none() {
            self.put(key, make())?;
        }
        match self.get(key)? {
            Some(value) => Ok(value),
            None => unreachable!("the key was there, or was put"),
        }
    }

    /// Deletes the pair with the least key and returns it, or `None` if there are no pairs. O(log n), and a copy of the
    /// pair.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| {
    /// #     let mut jobs = tx.create_bucket("jobs")?;
    /// #     [1u8, 2, 3].iter().try_for_each(|n| jobs.put([*n], "job"))
    /// # })?;
    /// db.update(|tx| {
    ///     let mut jobs = tx.bucket_mut("jobs")?;
    ///     assert_eq!(jobs.pop_first()?, Some((vec![1], b"job".to_vec())));
    ///     assert_eq!(jobs.pop_last()?, Some((vec![3], b"job".to_vec())));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way is damaged.
    pub fn pop_first(&mut self) -> Result<Option<OwnedPair>> {
        self.pop(End::First)
    }

    /// Deletes the pair with the greatest key and returns it, or `None` if there are no pairs. O(log n), and a copy of the
    /// pair.
    ///
    /// # Errors
    /// As [`pop_first`](Self::pop_first).
    pub fn pop_last(&mut self) -> Result<Option<OwnedPair>> {
        self.pop(End::Last)
    }

    /// Deletes the pair that is nearest to an end of the bucket.
    fn pop(&mut self, end: End) -> Result<Option<OwnedPair>> {
        let (pages, root) = self.as_bucket().tree();
        let mut cursor = tree::Cursor::new(pages, root);
        let (pair, page) = loop {
            let step = match end {
                End::First => cursor.next()?,
                End::Last => cursor.prev()?,
            };
            match step {
                None => return Ok(None),
                Some(entry) if entry.is_bucket() => {}
                Some(entry) => break ((entry.key.to_vec(), entry.value.to_vec()), cursor.link().page_id()),
            }
        };
        self.delete_met(&pair.0, page)?;
        Ok(Some(pair))
    }

    /// Deletes a key that a walk has met in `page`.
    ///
    /// # Errors
    /// `Corrupt` if a search does not find it: a caller that deletes what it meets would meet it for ever.
    pub(super) fn delete_met(&mut self, key: &[u8], page: PageId) -> Result<()> {
        const UNFOUND: &str = "a key is not found where a walk meets it: keys do not ascend";
        if self.delete(key)? { Ok(()) } else { Err(Error::Corrupt { page, what: UNFOUND.into() }) }
    }

    /// Returns an iterator that deletes the pairs within `range` that `take` accepts, and returns them: one at each step,
    /// in key order. Nested buckets stay. Where the iterator is dropped the rest stays.
    ///
    /// O(log n) for each pair that is deleted, amortised O(1) for each that stays, and a copy of both. If nobody wants what
    /// was deleted, [`retain`](Self::retain) and [`delete_range`](Self::delete_range) cost less.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut timers = tx.create_bucket("timers")?;
    ///     for (at, what) in [(10u8, "tea"), (20, "bread"), (90, "cake")] {
    ///         timers.put([at], what)?;
    ///     }
    ///     let due = timers.extract_if(..=[50], |_, what| what != b"bread").collect::<kv::Result<Vec<_>>>()?;
    ///     assert_eq!(due, [(vec![10], b"tea".to_vec())]);
    ///     assert_eq!(timers.len()?, 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn extract_if<F: FnMut(&[u8], &[u8]) -> bool>(&mut self, range: impl KeyRange, take: F) -> ExtractIf<'_, F> {
        let walk = Walk::new(self.handle(), &range);
        ExtractIf::new(self.reborrow(), walk, take)
    }
}
