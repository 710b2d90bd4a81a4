//! A bucket whose keys and values have types.

use std::marker::PhantomData;
use std::ops::Bound;

use super::index::IndexOf;
use super::key::{AsKey, BeginsWith, Key, beginning, parsed, whole};
use super::range::KeysOf;
use super::registry::{Transaction, check, register};
use super::value::{AsValue, Value};
use crate::error::{Error, Result};
use crate::tx::{Bucket, BucketHandle, Iter, WriteTx, prefix};

/// The definition of a table: a top-level bucket whose keys are of type `K` and whose values are of type `V`. A constant.
///
/// [`open`](Self::open) it in a write transaction, [`read`](Self::read) it in any. The names of the types are stored in the
/// file with the first `open`, and other types are refused afterwards.
///
/// ```
/// use kv::table::Table;
///
/// const AGES: Table<String, u8> = Table::new("ages");
/// const VISITS: Table<(String, u64), Vec<u8>> = Table::new("visits");
///
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let (ages, visits) = (AGES.open(tx)?, VISITS.open(tx)?);
///     ages.put(tx, "ada", &36)?;
///     for day in [300, 7, 41] {
///         visits.put(tx, &("ada", day), b"by train")?;
///     }
///     assert_eq!(ages.get(tx, "ada")?, Some(36));
///     Ok(())
/// })?;
/// db.view(|tx| {
///     let days: Vec<_> = VISITS.read(tx)?.prefix("ada").map(|row| row.map(|((_, day), _)| day)).collect::<kv::Result<_>>()?;
///     assert_eq!(days, [7, 41, 300], "in the order of numbers");
///     Ok(())
/// })?;
/// let wrong: Table<String, u64> = Table::new("ages");
/// let refused = db.update(|tx| wrong.open(tx).map(drop));
/// assert!(matches!(refused, Err(kv::Error::TableMismatch { .. })));
/// # Ok::<_, kv::Error>(())
/// ```
pub struct Table<K: 'static, V: 'static> {
    name: &'static str,
    indexes: &'static [&'static dyn IndexOf<K, V>],
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: 'static, V: 'static> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: 'static, V: 'static> Copy for Table<K, V> {}

impl<K: 'static, V: 'static> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Key, V: Value> Table<K, V> {
    /// Returns the definition of the table in the top-level bucket `name`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, indexes: &[], types: PhantomData }
    }

    /// Returns the same table with secondary indexes, which [`OpenTable::put`] and [`OpenTable::remove`] keep; see
    /// [`Index`](super::Index).
    #[must_use]
    pub const fn indexed(self, indexes: &'static [&'static dyn IndexOf<K, V>]) -> Self {
        Self { indexes, ..self }
    }

    /// Returns the name of the bucket.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The names of the types.
    fn types() -> String {
        format!("{} -> {}", K::name(), V::name())
    }

    /// Opens the table for changing, and creates it if it is absent. An index that is new is filled from the rows that there
    /// are. O(log n) for the table and each index, and O(rows) for a new index.
    ///
    /// # Errors
    /// - [`Error::TableMismatch`] if the table or an index was made with other types.
    /// - [`Error::NotUnique`] if two rows have one key of a new unique index.
    /// - As [`WriteTx::create_bucket_if_absent`].
    pub fn open(&self, tx: &mut WriteTx<'_>) -> Result<OpenTable<K, V>> {
        register(tx, self.name, &Self::types())?;
        let rows = tx.create_bucket_if_absent(self.name)?.handle();
        let mut indexes = Vec::with_capacity(self.indexes.len());
        for index in self.indexes {
            let is_new = register(tx, index.name(), &index.types())?;
            let entries = tx.create_bucket_if_absent(index.name())?.handle();
            if is_new {
                tx.scan(rows, .., |tx, key, value| {
                    index.allow(tx, entries, key, value)?;
                    index.add(tx, entries, key, value)
                })?;
            }
            indexes.push(entries);
        }
        Ok(OpenTable { table: *self, rows, indexes })
    }

    /// Returns the table for reading, in a transaction of either kind. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if nobody has opened it for changing yet.
    /// - [`Error::TableMismatch`] if it was made with other types.
    /// - [`Error::Corrupt`] if a page on the way is damaged.
    pub fn read<'t>(&self, tx: &'t impl Transaction) -> Result<ReadTable<'t, K, V>> {
        check(tx, self.name, &Self::types())?;
        Ok(ReadTable { name: self.name, rows: tx.top_level(self.name)?, types: PhantomData })
    }
}

/// A table that a write transaction has opened. It does not borrow the transaction, which each method takes: several tables
/// are changed side by side.
#[derive(Debug)]
pub struct OpenTable<K: Key, V: Value> {
    table: Table<K, V>,
    rows: BucketHandle,
    indexes: Vec<BucketHandle>,
}

impl<K: Key, V: Value> OpenTable<K, V> {
    /// Returns the table for reading, with all changes so far. O(1).
    ///
    /// # Errors
    /// [`Error::StaleHandle`] if `tx` is not the transaction that opened the table.
    pub fn at<'t>(&self, tx: &'t WriteTx<'_>) -> Result<ReadTable<'t, K, V>> {
        Ok(ReadTable { name: self.table.name, rows: tx.at(self.rows)?, types: PhantomData })
    }

    /// Returns the value of `key`. O(log n).
    ///
    /// # Errors
    /// As [`at`](Self::at) and [`ReadTable::get`].
    pub fn get<'t>(&self, tx: &'t WriteTx<'_>, key: &(impl AsKey<K> + ?Sized)) -> Result<Option<V::Read<'t>>> {
        self.at(tx)?.get(key)
    }

    /// Sets the value of `key`, and the entries of the indexes. O(log n), and as much for each entry of an index that
    /// changes.
    ///
    /// # Errors
    /// - [`Error::NotUnique`] if another row has the same key of a unique index. Nothing is changed.
    /// - [`Error::Unencodable`] if the codec refuses the value.
    /// - [`Error::Undecodable`] if there is an index, and the row before is not of the types of the table.
    /// - As [`at`](Self::at) and [`WriteTx::put`].
    pub fn put(
        &self,
        tx: &mut WriteTx<'_>,
        key: &(impl AsKey<K> + ?Sized),
        value: &(impl AsValue<V> + ?Sized),
    ) -> Result<()> {
        let (key, value) = (whole::<K>(key), value.encode()?);
        if self.indexes.is_empty() {
            return tx.put(self.rows, key, value);
        }
        // All that can be refused is, before anything changes.
        let old = tx.get(self.rows, &key)?.map(<[u8]>::to_vec);
        for (index, entries) in self.indexes() {
            index.allow(tx, entries, &key, &value)?;
        }
        tx.put(self.rows, &key, &value)?;
        for (index, entries) in self.indexes() {
            if let Some(old) = &old {
                index.remove(tx, entries, &key, old)?;
            }
            index.add(tx, entries, &key, &value)?;
        }
        Ok(())
    }

    /// The indexes, each with its bucket.
    fn indexes(&self) -> impl Iterator<Item = (&'static dyn IndexOf<K, V>, BucketHandle)> + '_ {
        assert_eq!(self.indexes.len(), self.table.indexes.len(), "each index is open");
        self.table.indexes.iter().copied().zip(self.indexes.iter().copied())
    }

    /// Deletes the row of `key`, and its entries in the indexes. Returns whether there was one. O(log n), and as much for
    /// each entry of an index.
    ///
    /// # Errors
    /// As [`put`](Self::put), without those of new values.
    pub fn remove(&self, tx: &mut WriteTx<'_>, key: &(impl AsKey<K> + ?Sized)) -> Result<bool> {
        let key = whole::<K>(key);
        if !self.indexes.is_empty() {
            let Some(old) = tx.get(self.rows, &key)?.map(<[u8]>::to_vec) else { return Ok(false) };
            for (index, entries) in self.indexes() {
                index.remove(tx, entries, &key, &old)?;
            }
        }
        tx.delete(self.rows, key)
    }

    /// Deletes the rows whose keys lie within `range`, and their entries in the indexes. Returns how many there were. Without
    /// indexes as cheap as [`BucketMut::delete_range`](crate::BucketMut::delete_range); with them O(log n) for each entry.
    ///
    /// ```
    /// use kv::table::Table;
    ///
    /// const SAMPLES: Table<(String, u64), u32> = Table::new("samples");
    ///
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let samples = SAMPLES.open(tx)?;
    ///     (0..10).try_for_each(|time| samples.put(tx, &("hall", time), &21))?;
    ///     assert_eq!(samples.remove_range(tx, ("hall", 0)..("hall", 7))?, 7);
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`remove`](Self::remove). What was deleted before a row that cannot be read stays deleted in this transaction.
    pub fn remove_range(&self, tx: &mut WriteTx<'_>, range: impl KeysOf<K>) -> Result<u64> {
        let range = range.ends(true);
        for (index, entries) in self.indexes() {
            tx.scan(self.rows, range.clone(), |tx, key, value| index.remove(tx, entries, key, value))?;
        }
        tx.at_mut(self.rows)?.delete_range(range)
    }
}

/// A table for reading. It is small and `Copy`.
pub struct ReadTable<'t, K, V> {
    name: &'static str,
    rows: Bucket<'t>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for ReadTable<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for ReadTable<'_, K, V> {}

impl<K, V> std::fmt::Debug for ReadTable<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTable").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'t, K: Key, V: Value> ReadTable<'t, K, V> {
    /// Returns the value of `key`: strings and bytes without a copy. O(log n).
    ///
    /// # Errors
    /// - [`Error::Undecodable`] if the value is not of the type of the table.
    /// - [`Error::Corrupt`] if a page on the way is damaged.
    pub fn get(&self, key: &(impl AsKey<K> + ?Sized)) -> Result<Option<V::Read<'t>>> {
        let key = whole::<K>(key);
        let Some(value) = self.rows.get(&key)? else { return Ok(None) };
        V::decode(value).map(Some).ok_or_else(|| undecodable(self.name, &key, V::name()))
    }

    /// Iterates over all rows in the order of their keys, from either end. O(log n) to begin, amortised O(1) for each.
    #[must_use]
    pub fn iter(&self) -> Rows<'t, K, V> {
        self.rows(self.rows.iter())
    }

    /// Iterates over the rows whose keys lie within `range`. O(log n) to begin, amortised O(1) for each.
    pub fn range(&self, range: impl KeysOf<K>) -> Rows<'t, K, V> {
        self.rows(self.rows.range(range.ends(true)))
    }

    /// Iterates over the rows whose keys begin with `part`: of a table with keys `(A, B)` those with one `A`. O(log n) to
    /// begin, amortised O(1) for each.
    pub fn prefix<P>(&self, part: &(impl AsKey<P> + ?Sized)) -> Rows<'t, K, V>
    where
        K: BeginsWith<P>,
    {
        self.rows(self.rows.range(prefix(beginning::<P>(part))))
    }

    /// Iterates over the rows whose keys are greater than `key`: the next page of a list is `after(&last).take(n)`. O(log n)
    /// to begin, amortised O(1) for each.
    pub fn after(&self, key: &(impl AsKey<K> + ?Sized)) -> Rows<'t, K, V> {
        self.rows(self.rows.range((Bound::Excluded(whole::<K>(key)), Bound::Unbounded)))
    }

    /// Returns the row with the least key. O(log n).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn first(&self) -> Result<Option<(K, V::Read<'t>)>> {
        self.iter().next().transpose()
    }

    /// Returns the row with the greatest key. O(log n).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn last(&self) -> Result<Option<(K, V::Read<'t>)>> {
        self.iter().next_back().transpose()
    }

    /// Counts the rows. O(n), leaf by leaf.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page of the table is damaged.
    pub fn len(&self) -> Result<u64> {
        self.rows.len()
    }

    /// Returns whether there are no rows. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way is damaged.
    pub fn is_empty(&self) -> Result<bool> {
        self.rows.is_empty()
    }

    fn rows(&self, pairs: Iter<'t>) -> Rows<'t, K, V> {
        Rows { name: self.name, pairs, types: PhantomData }
    }
}

impl<'t, K: Key, V: Value> IntoIterator for &ReadTable<'t, K, V> {
    type Item = Result<(K, V::Read<'t>)>;
    type IntoIter = Rows<'t, K, V>;

    fn into_iter(self) -> Rows<'t, K, V> {
        self.iter()
    }
}

/// An iterator over the rows of a table, from either end. [`ReadTable::iter`] and other methods return it.
pub struct Rows<'t, K, V> {
    name: &'static str,
    pairs: Iter<'t>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> std::fmt::Debug for Rows<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'t, K: Key, V: Value> Rows<'t, K, V> {
    fn row(&self, (key, value): (&'t [u8], &'t [u8])) -> Result<(K, V::Read<'t>)> {
        let row = parsed(key).zip(V::decode(value));
        row.ok_or_else(|| undecodable(self.name, key, format!("{} -> {}", K::name(), V::name())))
    }
}

impl<'t, K: Key, V: Value> Iterator for Rows<'t, K, V> {
    type Item = Result<(K, V::Read<'t>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.pairs.next()?;
        Some(pair.and_then(|pair| self.row(pair)))
    }
}

impl<K: Key, V: Value> DoubleEndedIterator for Rows<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let pair = self.pairs.next_back()?;
        Some(pair.and_then(|pair| self.row(pair)))
    }
}

/// The error for a row that is not of the types of its table.
pub(super) fn undecodable(table: &str, key: &[u8], expected: String) -> Error {
    Error::Undecodable { table: table.to_owned(), key: key.to_vec(), expected }
}
