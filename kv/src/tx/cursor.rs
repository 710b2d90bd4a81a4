//! The public cursor of a bucket.

use super::Bucket;
use crate::error::Result;
use crate::format::LeafEntry;
use crate::tree;

/// An item of a bucket: a key and its value, or the name of a nested bucket and `None`.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut bucket = tx.create_bucket("b")?;
///     bucket.put("key", "value")?;
///     bucket.create_bucket("nested")?;
///     let items: Vec<kv::Item<'_>> = bucket.items(..).collect::<kv::Result<_>>()?;
///     assert_eq!(items, [(&b"key"[..], Some(&b"value"[..])), (b"nested", None)]);
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
pub type Item<'t> = (&'t [u8], Option<&'t [u8]>);

pub(super) fn item<'t>(entry: &LeafEntry<'t>) -> Item<'t> {
    (entry.key, if entry.is_bucket() { None } else { Some(entry.value) })
}

/// A position among the items of a bucket. It moves in key order, in both directions.
///
/// A new cursor has no position: [`next`](Self::next) then moves to the first item and [`prev`](Self::prev) to the last.
/// A move past either end returns `None` and leaves the cursor at its item. A cursor of a write transaction borrows that
/// transaction, so no change can invalidate the cursor. To delete items during a walk, use
/// [`CursorMut`](crate::CursorMut).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = kv::Db::open(dir.path().join("cursor.db"))?;
/// db.update(|tx| {
///     let mut planets = tx.create_bucket("planets")?;
///     for name in ["venus", "earth", "mars"] {
///         planets.put(name, "")?;
///     }
///     Ok(())
/// })?;
/// db.view(|tx| {
///     let mut cursor = tx.bucket("planets")?.cursor();
///     assert_eq!(cursor.seek("f")?, Some((&b"mars"[..], Some(&b""[..]))));
///     assert_eq!(cursor.next()?.map(|(key, _)| key), Some(&b"venus"[..]));
///     assert_eq!(cursor.next()?, None);
///     assert_eq!(cursor.prev()?.map(|(key, _)| key), Some(&b"mars"[..]));
///     Ok(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'t> {
    inner: tree::Cursor<'t>,
    bucket: Bucket<'t>,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(bucket: Bucket<'t>) -> Self {
        let (pages, root) = bucket.tree();
        Self { inner: tree::Cursor::new(pages, root), bucket }
    }

    /// Returns the bucket that the cursor walks over. O(1).
    #[must_use]
    pub const fn bucket(&self) -> Bucket<'t> {
        self.bucket
    }

    /// Moves to the first item and returns it; `None` in an empty bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn first(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.inner.first()?.as_ref().map(item))
    }

    /// Moves to the last item and returns it; `None` in an empty bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn last(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.inner.last()?.as_ref().map(item))
    }

    /// Moves to the next item and returns it; `None` at the end, where the cursor stays. Amortised O(1).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    #[allow(clippy::should_implement_trait, reason = "it can fail; `Bucket::iter` is the iterator")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.inner.next()?.as_ref().map(item))
    }

    /// Moves to the previous item and returns it; `None` at the beginning, where the cursor stays. Amortised O(1).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    #[inline]
    pub fn prev(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.inner.prev()?.as_ref().map(item))
    }

    /// Moves to the first item whose key is `key` or greater and returns it. If there is none, the cursor moves past the
    /// last item and this returns `None`. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Item<'t>>> {
        Ok(self.inner.seek(key.as_ref())?.as_ref().map(item))
    }
}
