//! Iterators over a bucket, from either end.

use std::iter::FusedIterator;

use freelist_core::PageId;

use super::cursor::{Item, item};
use crate::error::Result;
use crate::format::LeafEntry;
use crate::tree;

/// A key and its value.
///
/// ```
/// fn longest<'t>(pairs: impl Iterator<Item = kv::Result<kv::Pair<'t>>>) -> kv::Result<Option<kv::Pair<'t>>> {
///     Ok(pairs.collect::<kv::Result<Vec<_>>>()?.into_iter().max_by_key(|(_, value)| value.len()))
/// }
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// # db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// # let tx = db.begin_read();
/// assert_eq!(longest(tx.bucket("b")?.iter())?, Some((&b"key"[..], &b"value"[..])));
/// # Ok::<_, kv::Error>(())
/// ```
pub type Pair<'t> = (&'t [u8], &'t [u8]);

/// An iterator over a bucket's pairs in key order, from either end. It passes nested buckets over:
/// [`Bucket::buckets`](crate::Bucket::buckets) and [`Bucket::items`](crate::Bucket::items) return those.
///
/// [`Bucket::iter`](crate::Bucket::iter), [`range`](crate::Bucket::range) and other methods return it. It ends after the
/// first error.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut planets = tx.create_bucket("planets")?;
///     planets.put("mars", "red")?;
///     planets.put("earth", "blue")?;
///     let mut pairs = planets.iter();
///     assert_eq!(pairs.next().transpose()?, Some((&b"earth"[..], &b"blue"[..])));
///     assert_eq!(pairs.next_back().transpose()?, Some((&b"mars"[..], &b"red"[..])));
///     assert!(pairs.next().is_none());
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Iter<'t>(pub(super) tree::Range<'t>);

impl Iter<'_> {
    /// The page of the item that `next` has returned last.
    pub(super) fn page(&self) -> PageId {
        self.0.page()
    }
}

/// The next pair that `step` comes to. Not inlined: the way that most items take, within a leaf, has no error to carry along.
#[inline(never)]
fn pair<'t>(mut step: impl FnMut() -> Option<Result<LeafEntry<'t>>>) -> Option<Result<Pair<'t>>> {
    loop {
        match step()? {
            Ok(entry) if entry.is_bucket() => {}
            Ok(entry) => return Some(Ok((entry.key, entry.value))),
            Err(error) => return Some(Err(error)),
        }
    }
}

impl<'t> Iterator for Iter<'t> {
    type Item = Result<Pair<'t>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next_in_leaf() {
            Some(entry) if !entry.is_bucket() => Some(Ok((entry.key, entry.value))),
            _ => pair(|| self.0.next()),
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self.0.next_back_in_leaf() {
            Some(entry) if !entry.is_bucket() => Some(Ok((entry.key, entry.value))),
            _ => pair(|| self.0.next_back()),
        }
    }
}

impl FusedIterator for Iter<'_> {}

/// An iterator over a bucket's [items](crate::Item), pairs and nested buckets, in key order, from either end.
///
/// [`Bucket::items`](crate::Bucket::items) returns it. It ends after the first error.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut planets = tx.create_bucket("planets")?;
///     planets.put("mars", "red")?;
///     planets.create_bucket("moons")?;
///     let mut items = planets.items(..);
///     assert_eq!(items.next().transpose()?, Some((&b"mars"[..], Some(&b"red"[..]))));
///     assert_eq!(items.next().transpose()?, Some((&b"moons"[..], None)));
///     assert!(items.next().is_none());
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Items<'t>(pub(super) tree::Range<'t>);

impl<'t> Iterator for Items<'t> {
    type Item = Result<Item<'t>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| entry.map(|entry| item(&entry)))
    }
}

impl DoubleEndedIterator for Items<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|entry| entry.map(|entry| item(&entry)))
    }
}

impl FusedIterator for Items<'_> {}
