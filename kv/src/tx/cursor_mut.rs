//! A cursor that deletes.

use super::BucketMut;
use super::bucket::Bucket;
use super::cursor::Item;
use crate::error::Result;

/// A place among the items of a changeable bucket. It stays right whatever it deletes: after
/// [`delete`](Self::delete), [`next`](Self::next) goes to the item behind the deleted one, and none is skipped.
///
/// It holds its place as a key, so each step seeks: O(log n).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = kv::Db::open(dir.path().join("cursor_mut.db"))?;
/// db.update(|tx| {
///     let mut numbers = tx.create_bucket("numbers")?;
///     for n in 0..100u8 {
///         numbers.put([n], "")?;
///     }
///     let mut cursor = numbers.cursor_mut();
///     while let Some((key, _)) = cursor.next()? {
///         if key[0] % 2 == 0 {
///             cursor.delete()?;
///         }
///     }
///     assert_eq!(numbers.iter().count(), 50);
///     Ok::<_, kv::Error>(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CursorMut<'b> {
    bucket: BucketMut<'b>,
    /// The key the cursor is at, or was at when it deleted it.
    key: Vec<u8>,
    place: Place,
}

/// Where the cursor is with regard to its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Nowhere,
    At,
    /// Between two items: the key is deleted, or nothing follows a sought key.
    Between,
}

impl<'b> CursorMut<'b> {
    pub(super) fn new(bucket: BucketMut<'b>) -> Self {
        Self { bucket, key: Vec::new(), place: Place::Nowhere }
    }

    /// The bucket whose items these are, as it is now.
    #[must_use]
    pub fn bucket(&self) -> Bucket<'_> {
        self.bucket.as_bucket()
    }

    /// To the first item. O(log n).
    pub fn first(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, _, _| bucket.cursor().first())
    }

    /// To the last item. O(log n).
    pub fn last(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, _, _| bucket.cursor().last())
    }

    /// To the item behind; the first, if the cursor has not been placed. At the end it stays. O(log n).
    #[allow(clippy::should_implement_trait, reason = "it can fail and lends its items")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, key, place| {
            let mut cursor = bucket.cursor();
            match place {
                Place::Nowhere => cursor.first(),
                Place::Between => cursor.seek(key),
                Place::At => match cursor.seek(key)? {
                    Some((found, _)) if found == key => cursor.next(),
                    behind => Ok(behind),
                },
            }
        })
    }

    /// To the item before; the last, if the cursor has not been placed. At the beginning it stays. O(log n).
    pub fn prev(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, key, place| {
            let mut cursor = bucket.cursor();
            if place == Place::Nowhere {
                return cursor.last();
            }
            match cursor.seek(key)? {
                Some(_) => cursor.prev(),
                None => cursor.last(),
            }
        })
    }

    /// To the first item whose key is `key` or greater; if there is none, behind the last. O(log n).
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Item<'_>>> {
        self.key.clear();
        self.key.extend_from_slice(key.as_ref());
        self.place = Place::Between;
        self.next()
    }

    /// Deletes the item that the cursor is at; says whether there was one. O(log n).
    ///
    /// # Errors
    /// [`Error::IncompatibleValue`](crate::Error::IncompatibleValue) for a nested bucket: use
    /// [`BucketMut::delete_bucket`].
    pub fn delete(&mut self) -> Result<bool> {
        if self.place != Place::At {
            return Ok(false);
        }
        let deleted = self.bucket.delete(&self.key)?;
        self.place = Place::Between;
        Ok(deleted)
    }

    /// Moves to the item that `find` answers; stays if it answers none.
    fn go(
        &mut self,
        find: impl for<'t> FnOnce(Bucket<'t>, &[u8], Place) -> Result<Option<Item<'t>>>,
    ) -> Result<Option<Item<'_>>> {
        let found = find(self.bucket.as_bucket(), &self.key, self.place)?;
        if let Some((key, _)) = found {
            self.key.clear();
            self.key.extend_from_slice(key);
            self.place = Place::At;
        }
        Ok(found)
    }
}
