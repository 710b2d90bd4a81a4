//! A bucket for reading.

use freelist_core::PageId;

use super::cursor::Cursor;
use super::iter::{Items, Iter, Pair};
use super::key_range::{KeyRange, owned};
use super::open_buckets::{BucketIndex, OpenBuckets};
use crate::error::{Error, Result};
use crate::format::{BucketHeader, LeafEntry};
use crate::store::{Link, PageRef, Pages};
use crate::tree::{self, Root, find, find_many};

/// A sorted map from keys to values and nested buckets, as its transaction sees it.
///
/// Keys are byte strings and ascend in byte order. A `Bucket` is small and `Copy`. The keys and values that it returns
/// point into the mapped file and borrow the transaction: the compiler lets none of them outlive it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = kv::Db::open(dir.path().join("bucket.db"))?;
/// db.update(|tx| {
///     let mut people = tx.create_bucket("people")?;
///     people.put("ada", "1815")?;
///     people.put("alan", "1912")?;
///     people.create_bucket("archive")?.put("blaise", "1623")?;
///     Ok(())
/// })?;
/// db.view(|tx| {
///     let people = tx.bucket("people")?;
///     assert_eq!(people.get("ada")?, Some(&b"1815"[..]));
///     assert_eq!(people.get("archive")?, None, "a bucket is no value");
///     let pairs: Vec<_> = people.range("al"..).collect::<kv::Result<_>>()?;
///     assert_eq!(pairs, [(&b"alan"[..], &b"1912"[..])]);
///     assert_eq!(people.bucket("archive")?.get("blaise")?, Some(&b"1623"[..]));
///     Ok(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'t> {
    pages: Pages<'t>,
    root: Root<'t>,
    sequence: u64,
    opened: Option<(&'t OpenBuckets, BucketIndex)>,
}

impl<'t> Bucket<'t> {
    /// The bucket whose tree starts at `root`, in a transaction that has opened none.
    pub(crate) const fn at(pages: Pages<'t>, root: Link, sequence: u64) -> Self {
        Self { pages, root: Root::Link(root), sequence, opened: None }
    }

    /// A bucket that a write transaction has opened.
    pub(super) fn opened(pages: Pages<'t>, buckets: &'t OpenBuckets, at: BucketIndex) -> Self {
        let bucket = buckets.get(at);
        Self { pages, root: Root::Link(bucket.root), sequence: bucket.sequence, opened: Some((buckets, at)) }
    }

    /// The bucket whose header is the value of `entry`, an item of `page`.
    pub(crate) fn of_entry(pages: Pages<'t>, page: PageRef<'t>, entry: &LeafEntry<'t>) -> Result<Self> {
        assert!(entry.is_bucket(), "only the element of a bucket holds a header");
        let header = page.located(BucketHeader::parse(entry.value))?;
        let root = if header.root == 0 {
            Root::Inline { leaf: page.located(BucketHeader::inline_leaf(entry.value))?, home: page.link }
        } else {
            Root::Link(pages.bucket_root(page.link, header.root)?)
        };
        Ok(Self { pages, root, sequence: header.sequence, opened: None })
    }

    pub(crate) const fn tree(&self) -> (Pages<'t>, Root<'t>) {
        (self.pages, self.root)
    }

    /// Returns the value of `key`, or `None` if the key is absent or names a nested bucket. O(log n), without copying;
    /// memory is taken for what readers remember of pages only ([`Options::read_cache`](crate::Options::read_cache)).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way to the key is damaged.
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<&'t [u8]>> {
        let found = find(&self.pages, self.root, key.as_ref())?;
        Ok(found.and_then(|(_, entry)| (!entry.is_bucket()).then_some(entry.value)))
    }

    /// Returns the values of many keys, in the order of `keys`: for each what [`get`](Self::get) returns. The searches take
    /// their steps together, so that they wait for memory together. O(keys x log n).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut bucket = tx.create_bucket("b")?;
    ///     bucket.put("a", "1")?;
    ///     bucket.put("b", "2")
    /// })?;
    /// db.view(|tx| {
    ///     let values = tx.bucket("b")?.get_many(&["b", "x", "a"])?;
    ///     assert_eq!(values, [Some(&b"2"[..]), None, Some(b"1")]);
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way to one of the keys is damaged.
    pub fn get_many(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<&'t [u8]>>> {
        let mut values = Vec::with_capacity(keys.len());
        find_many(&self.pages, self.root, keys, |entry| {
            values.push(entry.filter(|entry| !entry.is_bucket()).map(|entry| entry.value));
        })?;
        debug_assert_eq!(values.len(), keys.len(), "each key has its answer");
        Ok(values)
    }

    /// Returns whether the bucket has the item `key`, a value or a nested bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way to the key is damaged.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(find(&self.pages, self.root, key.as_ref())?.is_some())
    }

    /// Returns the bucket's counter, which [`BucketMut::set_sequence`](crate::BucketMut::set_sequence) and
    /// [`BucketMut::next_sequence`](crate::BucketMut::next_sequence) change. A new bucket has 0. O(1).
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the root page of the bucket's tree. It is 0 for an inline bucket, which has no page, and for a bucket that
    /// this transaction has changed. O(1).
    #[must_use]
    pub const fn root_page(&self) -> PageId {
        match self.root {
            Root::Link(link) => link.page_id(),
            Root::Inline { .. } => PageId::new(0),
        }
    }

    /// Returns the nested bucket `name`. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no item `name`.
    /// - [`Error::IncompatibleValue`] if `name` is a key with a value.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Self> {
        let name = name.as_ref();
        self.get_bucket(name)?.ok_or_else(|| Error::BucketNotFound { name: name.to_vec() })
    }

    /// Returns the nested bucket `name`, or `None` if there is no item `name`. O(log n).
    ///
    /// # Errors
    /// - [`Error::IncompatibleValue`] if `name` is a key with a value.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn get_bucket(&self, name: impl AsRef<[u8]>) -> Result<Option<Self>> {
        let name = name.as_ref();
        if let Some((buckets, at)) = self.opened
            && let Some(&child) = buckets.get(at).children.get(name)
        {
            return Ok(Some(Self::opened(self.pages, buckets, child)));
        }
        match find(&self.pages, self.root, name)? {
            None => Ok(None),
            Some((leaf, entry)) if entry.is_bucket() => Self::of_entry(self.pages, leaf.page(), &entry).map(Some),
            Some(_) => Err(Error::IncompatibleValue { key: name.to_vec(), is_bucket: false }),
        }
    }

    /// Returns a cursor over the bucket's items. It has no position yet. O(1).
    #[must_use]
    pub fn cursor(&self) -> Cursor<'t> {
        Cursor::new(*self)
    }

    /// Iterates over all pairs in key order, from either end. Nested buckets are passed over: [`buckets`](Self::buckets)
    /// and [`items`](Self::items) return them. O(log n) to begin, amortised O(1) for each item.
    #[must_use]
    pub fn iter(&self) -> Iter<'t> {
        self.range(..)
    }

    /// Iterates over the pairs whose keys lie within `range`, in key order, from either end; see [`KeyRange`] for what a
    /// range can be. O(log n) to begin, amortised O(1) for each item.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| {
    /// #     let mut bucket = tx.create_bucket("letters")?;
    /// #     ["a", "b", "c", "d"].iter().try_for_each(|key| bucket.put(key, ""))
    /// # })?;
    /// # let tx = db.begin_read();
    /// let letters = tx.bucket("letters")?;
    /// assert_eq!(letters.range("b".."d").count(), 2);
    /// assert_eq!(letters.range("b"..="d").count(), 3);
    /// let last = letters.range("b"..).next_back().transpose()?;
    /// assert_eq!(last, Some((&b"d"[..], &b""[..])));
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn range(&self, range: impl KeyRange) -> Iter<'t> {
        Iter(self.between(&range))
    }

    /// Iterates over the items whose keys lie within `range`, nested buckets included, in key order, from either end.
    /// O(log n) to begin, amortised O(1) for each item.
    pub fn items(&self, range: impl KeyRange) -> Items<'t> {
        Items(self.between(&range))
    }

    fn between(&self, range: &impl KeyRange) -> tree::Range<'t> {
        let (start, end) = owned(range);
        tree::Range::new(self.pages, self.root, start, end)
    }

    /// The nested bucket `name`, which a walk has just met in `page`.
    ///
    /// # Errors
    /// `Corrupt` if a search does not find it there: the keys are out of order.
    pub(crate) fn listed(&self, name: &[u8], page: PageId) -> Result<Self> {
        const UNFOUND: &str = "a bucket is not found by its name: keys do not ascend";
        match self.get_bucket(name) {
            Ok(Some(bucket)) => Ok(bucket),
            Ok(None) | Err(Error::IncompatibleValue { .. }) => Err(Error::Corrupt { page, what: UNFOUND.into() }),
            Err(error) => Err(error),
        }
    }

    /// The nested bucket that is the item `entry` of `page`, without a search for its name.
    pub(crate) fn nested(&self, page: PageRef<'t>, entry: &LeafEntry<'t>) -> Result<Self> {
        let opened = self.opened.and_then(|(buckets, at)| Some((buckets, *buckets.get(at).children.get(entry.key)?)));
        match opened {
            Some((buckets, at)) => Ok(Self::opened(self.pages, buckets, at)),
            None => Self::of_entry(self.pages, page, entry),
        }
    }

    /// Iterates over the nested buckets with their names, in name order. It visits every item of this bucket: O(n log n)
    /// at most.
    pub fn buckets(&self) -> impl Iterator<Item = Result<(&'t [u8], Self)>> + use<'t> {
        let (bucket, mut items) = (*self, self.items(..));
        std::iter::from_fn(move || {
            let name = match items.find(|item| !matches!(item, Ok((_, Some(_)))))? {
                Ok((name, _)) => name,
                Err(error) => return Some(Err(error)),
            };
            Some(bucket.listed(name, items.0.page()).map(|bucket| (name, bucket)))
        })
    }
}

impl<'t> IntoIterator for &Bucket<'t> {
    type Item = Result<Pair<'t>>;
    type IntoIter = Iter<'t>;

    fn into_iter(self) -> Iter<'t> {
        self.iter()
    }
}

impl<'t> IntoIterator for Bucket<'t> {
    type Item = Result<Pair<'t>>;
    type IntoIter = Iter<'t>;

    fn into_iter(self) -> Iter<'t> {
        self.iter()
    }
}
