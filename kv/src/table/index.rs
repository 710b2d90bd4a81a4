//! Secondary indexes: the keys of a table's rows, by something else that is in them.

use std::marker::PhantomData;

use super::key::{AsKey, Key, beginning, parsed};
use super::range::{KeysOf, beginnings};
use super::registry::{Transaction, check};
use super::table::undecodable;
use super::value::Value;
use crate::error::{Error, Result};
use crate::format::MAX_KEY_SIZE;
use crate::tx::{Bucket, BucketHandle, Iter, Pair, WriteTx, prefix};

/// What an index takes out of the value of a row: any number of keys.
pub type Keys<V, I> = for<'a> fn(<V as Value>::Read<'a>) -> Vec<I>;

/// The definition of a secondary index over a table with keys `K` and values `V`: a top-level bucket with an entry for each
/// `I` that `of` finds in a row. The table keeps it in the same transaction ([`Table::indexed`](super::Table::indexed)).
///
/// The key of an entry is the byte form of `I`, as of a part that others follow ([`Key`]). In a unique index its value is the
/// key of the row; in one that is not, the key of the row follows in the key, and there is no value.
///
/// ```
/// use kv::table::{Index, Table};
///
/// /// Name and address, with a tab between them.
/// const USERS: Table<u64, String> = Table::new("users").indexed(&[&BY_ADDRESS, &BY_WORD]);
/// const BY_ADDRESS: Index<u64, String, String> = Index::unique("users by address", |user| {
///     user.split('\t').skip(1).map(str::to_owned).collect()
/// });
/// const BY_WORD: Index<u64, String, String> = Index::new("users by word", |user| {
///     user.split_whitespace().map(str::to_lowercase).collect()
/// });
///
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let users = USERS.open(tx)?;
///     users.put(tx, &1, "Ada Lovelace\tada@example.org")?;
///     users.put(tx, &2, "Ada Yonath\tyonath@example.org")?;
///     let taken = users.put(tx, &3, "Impostor\tada@example.org");
///     assert!(matches!(taken, Err(kv::Error::NotUnique { .. })));
///     Ok(())
/// })?;
/// db.view(|tx| {
///     assert_eq!(BY_ADDRESS.read(tx)?.first("ada@example.org")?, Some(1));
///     let adas: Vec<u64> = BY_WORD.read(tx)?.all("ada").map(|entry| entry.map(|(_, id)| id)).collect::<kv::Result<_>>()?;
///     assert_eq!(adas, [1, 2]);
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
pub struct Index<K, V: Value, I> {
    name: &'static str,
    unique: bool,
    of: Keys<V, I>,
    types: PhantomData<fn() -> K>,
}

impl<K, V: Value, I> std::fmt::Debug for Index<K, V, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("name", &self.name).field("unique", &self.unique).finish_non_exhaustive()
    }
}

impl<K: Key, V: Value, I: Key> Index<K, V, I> {
    /// Returns an index in which rows may share a key.
    #[must_use]
    pub const fn new(name: &'static str, of: Keys<V, I>) -> Self {
        Self { name, unique: false, of, types: PhantomData }
    }

    /// Returns an index in which no two rows may have the same key.
    #[must_use]
    pub const fn unique(name: &'static str, of: Keys<V, I>) -> Self {
        Self { name, unique: true, of, types: PhantomData }
    }

    /// Returns the index for reading, in a transaction of either kind. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if nobody has opened its table with it yet.
    /// - [`Error::TableMismatch`] if it was made with other types.
    /// - [`Error::Corrupt`] if a page on the way is damaged.
    pub fn read<'t>(&self, tx: &'t impl Transaction) -> Result<ReadIndex<'t, K, I>> {
        check(tx, self.name, &self.types())?;
        Ok(ReadIndex { name: self.name, entries: tx.top_level(self.name)?, types: PhantomData })
    }

    /// The entries of a row.
    fn entries(&self, key: &[u8], value: &[u8]) -> Result<Vec<Vec<u8>>> {
        let value = V::decode(value).ok_or_else(|| undecodable(self.name, key, V::name()))?;
        let rest = if self.unique { &[] } else { key };
        let mut entries: Vec<_> = (self.of)(value).iter().map(|part| [&beginning::<I>(part), rest].concat()).collect();
        entries.sort_unstable();
        entries.dedup();
        Ok(entries)
    }
}

/// An index of a table, whatever its keys are. [`Index`] is what implements it.
pub trait IndexOf<K, V>: Sync {
    #[doc(hidden)]
    fn name(&self) -> &'static str;
    #[doc(hidden)]
    fn types(&self) -> String;
    #[doc(hidden)]
    fn allow(&self, tx: &WriteTx<'_>, entries: BucketHandle, key: &[u8], value: &[u8]) -> Result<()>;
    #[doc(hidden)]
    fn add(&self, tx: &mut WriteTx<'_>, entries: BucketHandle, key: &[u8], value: &[u8]) -> Result<()>;
    #[doc(hidden)]
    fn remove(&self, tx: &mut WriteTx<'_>, entries: BucketHandle, key: &[u8], value: &[u8]) -> Result<()>;
}

impl<K: Key, V: Value, I: Key> IndexOf<K, V> for Index<K, V, I> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn types(&self) -> String {
        format!("{}index {} -> {}", if self.unique { "unique " } else { "" }, I::name(), K::name())
    }

    fn allow(&self, tx: &WriteTx<'_>, entries: BucketHandle, key: &[u8], value: &[u8]) -> Result<()> {
        for entry in self.entries(key, value)? {
            if entry.len() > MAX_KEY_SIZE {
                return Err(Error::KeyTooLarge { len: entry.len() });
            }
            if self.unique && tx.get(entries, &entry)?.is_some_and(|row| row != key) {
                return Err(Error::NotUnique { index: self.name.to_owned(), key: entry });
            }
        }
        Ok(())
    }

    fn add(&self, tx: &mut WriteTx<'_>, entries: BucketHandle, key: &[u8], value: &[u8]) -> Result<()> {
        let row = if self.unique { key } else { &[] };
        self.entries(key, value)?.iter().try_for_each(|entry| tx.put(entries, entry, row))
    }

    fn remove(&self, tx: &mut WriteTx<'_>, entries: BucketHandle, key: &[u8], value: &[u8]) -> Result<()> {
        self.entries(key, value)?.iter().try_for_each(|entry| tx.delete(entries, entry).map(drop))
    }
}

/// An index for reading.
pub struct ReadIndex<'t, K, I> {
    name: &'static str,
    entries: Bucket<'t>,
    types: PhantomData<fn() -> (K, I)>,
}

impl<K, I> std::fmt::Debug for ReadIndex<'_, K, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadIndex").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'t, K: Key, I: Key> ReadIndex<'t, K, I> {
    /// Returns the key of the first row that has `key` in the index: of a unique index, the only one. O(log n).
    ///
    /// # Errors
    /// - [`Error::Undecodable`] if the entry is not of the types of the index.
    /// - [`Error::Corrupt`] if a page on the way is damaged.
    pub fn first(&self, key: &(impl AsKey<I> + ?Sized)) -> Result<Option<K>> {
        Ok(self.all(key).next().transpose()?.map(|(_, row)| row))
    }

    /// Iterates over the entries that have `key` in the index, each with the key of a row, in the order of these. O(log n) to
    /// begin, amortised O(1) for each.
    pub fn all(&self, key: &(impl AsKey<I> + ?Sized)) -> Entries<'t, K, I> {
        self.entries(self.entries.range(prefix(beginning::<I>(key))))
    }

    /// Iterates over the entries within `range`, in the order of the index. O(log n) to begin, amortised O(1) for each.
    pub fn range(&self, range: impl KeysOf<I>) -> Entries<'t, K, I> {
        self.entries(self.entries.range(beginnings(&range)))
    }

    fn entries(&self, pairs: Iter<'t>) -> Entries<'t, K, I> {
        Entries { name: self.name, pairs, types: PhantomData }
    }
}

/// An iterator over the entries of an index, from either end: the key in the index, and the key of the row.
/// [`ReadIndex::all`] and [`ReadIndex::range`] return it.
pub struct Entries<'t, K, I> {
    name: &'static str,
    pairs: Iter<'t>,
    types: PhantomData<fn() -> (K, I)>,
}

impl<K, I> std::fmt::Debug for Entries<'_, K, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Key, I: Key> Entries<'_, K, I> {
    fn entry(&self, (key, value): Pair<'_>) -> Result<(I, K)> {
        let mut rest = key;
        let index = I::decode(&mut rest, false);
        let row = parsed(if rest.is_empty() { value } else { rest });
        index.zip(row).ok_or_else(|| undecodable(self.name, key, format!("{} -> {}", I::name(), K::name())))
    }
}

impl<K: Key, I: Key> Iterator for Entries<'_, K, I> {
    type Item = Result<(I, K)>;

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.pairs.next()?;
        Some(pair.and_then(|pair| self.entry(pair)))
    }
}

impl<K: Key, I: Key> DoubleEndedIterator for Entries<'_, K, I> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let pair = self.pairs.next_back()?;
        Some(pair.and_then(|pair| self.entry(pair)))
    }
}
