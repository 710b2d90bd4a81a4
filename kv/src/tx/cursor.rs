//! The public cursor of a bucket.

use super::Bucket;
use crate::error::Result;
use crate::format::LeafEntry;
use crate::tree;

/// A key, and its value; no value where the key names a nested bucket.
pub type Item<'t> = (&'t [u8], Option<&'t [u8]>);

pub(super) fn item<'t>(entry: &LeafEntry<'t>) -> Item<'t> {
    (entry.key, if entry.is_bucket() { None } else { Some(entry.value) })
}

/// A place among the items of a bucket, in key order, movable both ways.
///
/// A cursor begins nowhere: [`next`](Self::next) then goes to the first item and [`prev`](Self::prev) to the last.
/// Moving past either end answers `None` and leaves the cursor at the item it was at. A cursor of a write transaction
/// borrows it, so nothing can change under it; to delete while walking, use [`CursorMut`](crate::CursorMut).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = kv::Db::open(dir.path().join("cursor.db"))?;
/// db.update(|tx| {
///     let mut planets = tx.create_bucket("planets")?;
///     for name in ["venus", "earth", "mars"] {
///         planets.put(name, "")?;
///     }
///     Ok::<_, kv::Error>(())
/// })?;
/// db.view(|tx| {
///     let mut cursor = tx.bucket("planets")?.cursor();
///     assert_eq!(cursor.seek("f")?, Some((&b"mars"[..], Some(&b""[..]))));
///     assert_eq!(cursor.next()?.map(|(key, _)| key), Some(&b"venus"[..]));
///     assert_eq!(cursor.next()?, None);
///     assert_eq!(cursor.prev()?.map(|(key, _)| key), Some(&b"mars"[..]));
///     Ok::<_, kv::Error>(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'t> {
    place: tree::Cursor<'t>,
    bucket: Bucket<'t>,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(bucket: Bucket<'t>) -> Self {
        let (pages, root) = bucket.tree();
        Self { place: tree::Cursor::new(pages, root), bucket }
    }

    /// The bucket whose items these are.
    #[must_use]
    pub const fn bucket(&self) -> Bucket<'t> {
        self.bucket
    }

    /// To the first item. O(log n).
    pub fn first(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.place.first()?.as_ref().map(item))
    }

    /// To the last item. O(log n).
    pub fn last(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.place.last()?.as_ref().map(item))
    }

    /// To the next item. O(1) amortised.
    #[allow(clippy::should_implement_trait, reason = "it can fail; `Bucket::iter` is the iterator")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.place.next()?.as_ref().map(item))
    }

    /// To the item before. O(1) amortised.
    #[inline]
    pub fn prev(&mut self) -> Result<Option<Item<'t>>> {
        Ok(self.place.prev()?.as_ref().map(item))
    }

    /// To the first item whose key is `key` or greater; past the end, if there is none. O(log n).
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Item<'t>>> {
        Ok(self.place.seek(key.as_ref())?.as_ref().map(item))
    }
}
