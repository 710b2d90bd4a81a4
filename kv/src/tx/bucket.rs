//! A bucket, to read.

use std::iter::FusedIterator;
use std::ops::{Bound, RangeBounds};

use freelist_core::PageId;

use super::cursor::{Cursor, Item, item};
use super::open_buckets::{BucketIndex, OpenBuckets};
use crate::error::{Error, Result};
use crate::format::{BucketHeader, LeafEntry};
use crate::store::{Link, PageRef, Pages, bucket_root};
use crate::tree::{self, Root, find};

/// A sorted map from keys to values and nested buckets, as its transaction sees it.
///
/// Copying a `Bucket` is free. What it returns borrows the transaction, points into the file's map, and is valid as
/// long as the transaction; the compiler lets nothing outlive it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = kv::Db::open(dir.path().join("bucket.db"))?;
/// db.update(|tx| {
///     let mut people = tx.create_bucket("people")?;
///     people.put("ada", "1815")?;
///     people.put("alan", "1912")?;
///     people.create_bucket("archive")?.put("blaise", "1623")?;
///     Ok::<_, kv::Error>(())
/// })?;
/// db.view(|tx| {
///     let people = tx.bucket("people")?;
///     assert_eq!(people.get("ada")?, Some(&b"1815"[..]));
///     assert_eq!(people.get("archive")?, None, "a bucket is no value");
///     let keys: Vec<_> = people.range("al"..).map(|item| item.map(|(key, _)| key)).collect::<Result<_, _>>()?;
///     assert_eq!(keys, [&b"alan"[..], b"archive"]);
///     assert_eq!(people.bucket("archive")?.get("blaise")?, Some(&b"1623"[..]));
///     Ok::<_, kv::Error>(())
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
        let header = page.located(BucketHeader::parse(entry.value))?;
        let root = if header.root == 0 {
            Root::Inline { leaf: page.located(BucketHeader::inline_leaf(entry.value))?, home: page.link }
        } else {
            Root::Link(bucket_root(page.link, header.root)?)
        };
        Ok(Self { pages, root, sequence: header.sequence, opened: None })
    }

    pub(crate) const fn tree(&self) -> (Pages<'t>, Root<'t>) {
        (self.pages, self.root)
    }

    /// The value of `key`; none if it is absent or names a bucket. O(log n), no allocation, no copy.
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<&'t [u8]>> {
        let found = find(&self.pages, self.root, key.as_ref())?;
        Ok(found.and_then(|(_, entry)| (!entry.is_bucket()).then_some(entry.value)))
    }

    /// Whether `key` is here, as a key or as a bucket. O(log n).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(find(&self.pages, self.root, key.as_ref())?.is_some())
    }

    /// The bucket's counter, as set by [`BucketMut::set_sequence`](crate::BucketMut::set_sequence) and
    /// [`BucketMut::next_sequence`](crate::BucketMut::next_sequence).
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The page that the bucket's tree starts at; 0 for an inline bucket, which has none, and for one that its
    /// transaction has changed.
    #[must_use]
    pub const fn root_page(&self) -> PageId {
        match self.root {
            Root::Link(link) => link.page_id(),
            Root::Inline { .. } => PageId::new(0),
        }
    }

    /// The bucket `name` inside this one. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`]; [`Error::IncompatibleValue`] if `name` is a key.
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Self> {
        let name = name.as_ref();
        self.get_bucket(name)?.ok_or_else(|| Error::BucketNotFound { name: name.to_vec() })
    }

    /// The bucket `name` inside this one, if there is one. O(log n).
    ///
    /// # Errors
    /// [`Error::IncompatibleValue`] if `name` is a key.
    pub fn get_bucket(&self, name: impl AsRef<[u8]>) -> Result<Option<Self>> {
        let name = name.as_ref();
        if let Some((buckets, at)) = self.opened
            && let Some(&child) = buckets.get(at).children.get(name)
        {
            return Ok(Some(Self::opened(self.pages, buckets, child)));
        }
        match find(&self.pages, self.root, name)? {
            None => Ok(None),
            Some((page, entry)) if entry.is_bucket() => Self::of_entry(self.pages, page, &entry).map(Some),
            Some(_) => Err(Error::IncompatibleValue { key: name.to_vec(), is_bucket: false }),
        }
    }

    /// A cursor over the bucket's items.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'t> {
        Cursor::new(*self)
    }

    /// All items in key order, from either end. A nested bucket has no value.
    #[must_use]
    pub fn iter(&self) -> Iter<'t> {
        Iter(tree::Range::new(self.pages, self.root, Bound::Unbounded, Bound::Unbounded))
    }

    /// The items whose keys lie within `bounds`, from either end. O(log n) to begin, O(1) amortised an item.
    pub fn range<K: AsRef<[u8]>>(&self, bounds: impl RangeBounds<K>) -> Iter<'t> {
        let owned = |bound: Bound<&K>| bound.map(|key| key.as_ref().to_vec());
        Iter(tree::Range::new(self.pages, self.root, owned(bounds.start_bound()), owned(bounds.end_bound())))
    }

    /// The nested bucket `name`, which a walk has just met: if it is not found, the keys are out of order.
    fn listed(&self, name: &[u8]) -> Result<Self> {
        const UNFOUND: &str = "a key that a walk meets is not found: keys do not ascend";
        self.get_bucket(name)?.ok_or(Error::Corrupt { page: self.root_page(), what: UNFOUND })
    }

    /// The nested buckets with their names, in name order.
    pub fn buckets(&self) -> impl Iterator<Item = Result<(&'t [u8], Self)>> + use<'t> {
        let bucket = *self;
        bucket.iter().filter_map(move |item| match item {
            Ok((name, None)) => Some(bucket.listed(name).map(|bucket| (name, bucket))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl<'t> IntoIterator for &Bucket<'t> {
    type Item = Result<Item<'t>>;
    type IntoIter = Iter<'t>;

    fn into_iter(self) -> Iter<'t> {
        self.iter()
    }
}

impl<'t> IntoIterator for Bucket<'t> {
    type Item = Result<Item<'t>>;
    type IntoIter = Iter<'t>;

    fn into_iter(self) -> Iter<'t> {
        self.iter()
    }
}

/// Items of a bucket in key order, from either end. After an error it ends.
#[derive(Clone, Debug)]
pub struct Iter<'t>(tree::Range<'t>);

impl<'t> Iterator for Iter<'t> {
    type Item = Result<Item<'t>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| entry.map(|entry| item(&entry)))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|entry| entry.map(|entry| item(&entry)))
    }
}

impl FusedIterator for Iter<'_> {}
