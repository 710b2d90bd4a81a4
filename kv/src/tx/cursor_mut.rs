//! A cursor that changes and deletes.

use super::BucketMut;
use super::bucket::Bucket;
use super::cursor::Item;
use crate::error::Result;

/// A position among the items of a bucket of a write transaction. It can change and delete the current item.
///
/// After [`delete`](Self::delete), [`next`](Self::next) moves to the item after the deleted one: no item is skipped. The
/// cursor remembers its position as a key and searches for it at each step, so a step costs O(log n).
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
///     Ok(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CursorMut<'b> {
    bucket: BucketMut<'b>,
    /// The key the cursor is at, or was at when it deleted it.
    key: Vec<u8>,
    position: Position,
}

/// The cursor's position relative to its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    Nowhere,
    At,
    /// Between two items: the key is deleted, or nothing follows a sought key.
    Between,
}

impl<'b> CursorMut<'b> {
    pub(super) fn new(bucket: BucketMut<'b>) -> Self {
        Self { bucket, key: Vec::new(), position: Position::Nowhere }
    }

    /// Returns the bucket that the cursor walks over, with all changes so far. O(1).
    #[must_use]
    pub fn bucket(&self) -> Bucket<'_> {
        self.bucket.as_bucket()
    }

    /// Moves to the first item and returns it; `None` in an empty bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn first(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, _, _| bucket.cursor().first())
    }

    /// Moves to the last item and returns it; `None` in an empty bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn last(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, _, _| bucket.cursor().last())
    }

    /// Moves to the next item and returns it; `None` at the end, where the cursor stays. A new cursor moves to the first
    /// item. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    #[allow(clippy::should_implement_trait, reason = "it can fail and lends its items")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, key, position| {
            let mut cursor = bucket.cursor();
            match position {
                Position::Nowhere => cursor.first(),
                Position::Between => cursor.seek(key),
                Position::At => match cursor.seek(key)? {
                    Some((found, _)) if found == key => cursor.next(),
                    after => Ok(after),
                },
            }
        })
    }

    /// Moves to the previous item and returns it; `None` at the beginning, where the cursor stays. A new cursor moves to
    /// the last item. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn prev(&mut self) -> Result<Option<Item<'_>>> {
        self.go(|bucket, key, position| {
            let mut cursor = bucket.cursor();
            if position == Position::Nowhere {
                return cursor.last();
            }
            match cursor.seek(key)? {
                Some(_) => cursor.prev(),
                None => cursor.last(),
            }
        })
    }

    /// Moves to the first item whose key is `key` or greater and returns it. If there is none, the cursor moves past the
    /// last item and this returns `None`. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Item<'_>>> {
        self.key.clear();
        self.key.extend_from_slice(key.as_ref());
        self.position = Position::Between;
        self.next()
    }

    /// Sets the value of the current item and returns whether there was one. The cursor stays there. O(log n).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut prices = tx.create_bucket("prices")?;
    ///     for fruit in ["apple", "cherry", "plum"] {
    ///         prices.put(fruit, [10])?;
    ///     }
    ///     let mut cursor = prices.cursor_mut();
    ///     while let Some((_, price)) = cursor.next()? {
    ///         let raised = price.map(|price| [price[0] + 1]);
    ///         cursor.put(raised.unwrap_or_default())?;
    ///     }
    ///     assert_eq!(prices.get("plum")?, Some(&[11][..]));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`BucketMut::put`]; [`Error::IncompatibleValue`](crate::Error::IncompatibleValue) for a nested bucket.
    pub fn put(&mut self, value: impl AsRef<[u8]>) -> Result<bool> {
        if self.position != Position::At {
            return Ok(false);
        }
        self.bucket.put(&self.key, value)?;
        Ok(true)
    }

    /// Deletes the current item and returns whether there was one. O(log n).
    ///
    /// # Errors
    /// - [`Error::IncompatibleValue`](crate::Error::IncompatibleValue) for a nested bucket: use
    ///   [`BucketMut::delete_bucket`].
    /// - [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged.
    pub fn delete(&mut self) -> Result<bool> {
        if self.position != Position::At {
            return Ok(false);
        }
        let deleted = self.bucket.delete(&self.key)?;
        self.position = Position::Between;
        Ok(deleted)
    }

    /// Moves to the item that `find` returns; stays if it returns none.
    fn go(
        &mut self,
        find: impl for<'t> FnOnce(Bucket<'t>, &[u8], Position) -> Result<Option<Item<'t>>>,
    ) -> Result<Option<Item<'_>>> {
        let found = find(self.bucket.as_bucket(), &self.key, self.position)?;
        if let Some((key, _)) = found {
            self.key.clear();
            self.key.extend_from_slice(key);
            self.position = Position::At;
        }
        Ok(found)
    }
}
