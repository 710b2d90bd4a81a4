//! Copying everything into a new file with full pages.

use super::bucket_roots::BucketRoots;
use super::db::Db;
use crate::error::{Error, Result};
use crate::tx::{Bucket, BucketIndex, BucketMut, Cursor, WriteTx};

/// Counts of the work of a compaction. [`compact()`](crate::compact()) returns it.
///
/// ```
/// # let store = || kv::Options::new().open_store(Box::new(kv::MemStore::new()));
/// # let (source, target) = (store()?, store()?);
/// source.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// let report: kv::CompactReport = kv::compact(&source, &target, 0)?;
/// assert_eq!((report.buckets, report.keys, report.bytes, report.transactions), (1, 1, 8, 1));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct CompactReport {
    /// Buckets copied, nested ones included.
    pub buckets: u64,
    /// Keys copied.
    pub keys: u64,
    /// Bytes of keys and values copied.
    pub bytes: u64,
    /// Transactions of the target.
    pub transactions: u64,
}

/// Copies all buckets, keys, values and counters of one state of `source` into `target` and fills its pages.
///
/// `target` should be new. Keys that it already has stay, unless `source` has the same key. A transaction of `target` ends
/// when it has copied `tx_max_bytes` of keys and values (0: one transaction copies everything), so memory is bounded.
/// `source` can be read and written meanwhile. O(bytes of keys and values).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let source = kv::Db::open(dir.path().join("large.db"))?;
/// source.update(|tx| tx.create_bucket("b")?.put("key", vec![0; 100_000]))?;
/// source.update(|tx| tx.bucket_mut("b")?.put("key", "small now"))?;
/// let target = kv::Db::open(dir.path().join("small.db"))?;
/// let report = kv::compact(&source, &target, 1 << 20)?;
/// assert_eq!(report.keys, 1);
/// assert!(target.begin_read().size() < source.begin_read().size());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// - [`Error::Corrupt`] if a page of `source` is damaged, or has an empty key.
/// - [`Error::IncompatibleValue`] if `target` has a bucket where `source` has a key, or
///   a key where it has a bucket.
/// - As [`Db::update`] on `target`. The transactions before the error stay committed.
pub fn compact(source: &Db, target: &Db, tx_max_bytes: u64) -> Result<CompactReport> {
    let state = source.begin_read();
    let limit = if tx_max_bytes == 0 { u64::MAX } else { tx_max_bytes };
    let mut report = CompactReport::default();
    let mut way = vec![Part::new(&[], state.root())];
    let mut roots = BucketRoots::new(&state.root());
    while !way.is_empty() {
        target.update(|tx| fill(tx, &mut way, &mut roots, limit, &mut report))?;
        report.transactions = report.transactions.saturating_add(1);
    }
    Ok(report)
}

/// A bucket that is being copied, inside the bucket before it on the way.
struct Part<'s> {
    name: &'s [u8],
    bucket: Bucket<'s>,
    items: Cursor<'s>,
}

impl<'s> Part<'s> {
    fn new(name: &'s [u8], bucket: Bucket<'s>) -> Self {
        Self { name, bucket, items: bucket.cursor() }
    }
}

/// Copies until the transaction is full or nothing is left.
///
/// The walk enters each bucket where its name comes in key order. So the target's leaves before the current key, with the
/// small buckets inside them, have their final form, and the next transaction only adds after it.
fn fill(
    tx: &mut WriteTx<'_>,
    way: &mut Vec<Part<'_>>,
    roots: &mut BucketRoots,
    limit: u64,
    report: &mut CompactReport,
) -> Result<()> {
    assert!(limit > 0 && !way.is_empty(), "a transaction has something to copy, and room for it");
    // The buckets on the way, as this transaction numbers them.
    let mut opened: Vec<BucketIndex> = Vec::with_capacity(way.len());
    for part in &*way {
        let target = match opened.last() {
            None => tx.root_mut(),
            Some(&around) => tx.opened_mut(around).into_bucket_mut(part.name)?,
        };
        opened.push(densely(target));
    }
    let mut copied = 0u64;
    while let (Some(part), Some(&at)) = (way.last_mut(), opened.last()) {
        if copied >= limit {
            return Ok(());
        }
        let Some((key, value)) = part.items.next()? else {
            way.pop();
            opened.pop();
            continue;
        };
        if key.is_empty() {
            // Another engine may have written it; no bucket of ours takes it.
            return Err(Error::Corrupt { page: part.items.page(), what: "key is empty".into() });
        }
        let mut target = tx.opened_mut(at);
        let bytes = key.len().saturating_add(value.map_or(0, <[u8]>::len)) as u64;
        copied = copied.saturating_add(bytes);
        if let Some(value) = value {
            target.put(key, value)?;
            report.keys = report.keys.saturating_add(1);
            report.bytes = report.bytes.saturating_add(bytes);
            continue;
        }
        let bucket = part.bucket.bucket(key)?;
        roots.enter(&bucket)?;
        let mut nested = target.import_bucket(key)?;
        nested.set_sequence(bucket.sequence())?;
        report.buckets = report.buckets.saturating_add(1);
        opened.push(densely(nested));
        way.push(Part::new(key, bucket));
        assert_eq!(opened.len(), way.len(), "each bucket on the way is open in the target");
    }
    assert!(way.is_empty() && opened.is_empty(), "both ways end at once");
    Ok(())
}

/// Makes commits fill the pages of `bucket`: inline buckets grow in their parent's leaves when the transaction ends.
fn densely(mut bucket: BucketMut<'_>) -> BucketIndex {
    bucket.set_fill_percent(1.0);
    bucket.index()
}
