//! Copying everything into a fresh file, densely.

use super::bucket_roots::BucketRoots;
use super::db::Db;
use crate::error::Result;
use crate::tx::{Bucket, BucketIndex, BucketMut, Cursor, WriteTx};

/// What a compaction did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct CompactReport {
    /// Buckets copied, nested ones included.
    pub buckets: u64,
    /// Keys copied.
    pub keys: u64,
    /// Bytes of keys and values copied.
    pub bytes: u64,
    /// Transactions it took.
    pub transactions: u64,
}

/// Copies all buckets, keys, values and sequences of one state of `source` into `target`, filling its pages. `target`
/// should be fresh: what it has already stays, unless a key of `source` replaces it.
///
/// A transaction of `target` takes at most about `tx_max_bytes` of keys and values (0 for everything in one), which
/// bounds the memory. `source` can be read and written meanwhile.
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
pub fn compact(source: &Db, target: &Db, tx_max_bytes: u64) -> Result<CompactReport> {
    let state = source.begin_read();
    let limit = if tx_max_bytes == 0 { u64::MAX } else { tx_max_bytes };
    let mut report = CompactReport::default();
    let mut way = vec![Part::new(&[], state.root())];
    let mut roots = BucketRoots::new(&state.root());
    while !way.is_empty() {
        target.update(|tx| fill(tx, &mut way, &mut roots, limit, &mut report))?;
        report.transactions += 1;
    }
    Ok(report)
}

/// A bucket of which something may still be to be copied, inside the one before it on the way.
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
/// Everything comes in the order of a walk that enters each bucket where its name stands. So the target's leaves, with
/// the small buckets inside them, have their final form behind the place where the walk is, and only there do they grow
/// in the next transaction.
fn fill(
    tx: &mut WriteTx<'_>,
    way: &mut Vec<Part<'_>>,
    roots: &mut BucketRoots,
    limit: u64,
    report: &mut CompactReport,
) -> Result<()> {
    // The buckets on the way, as this transaction numbers them.
    let mut opened: Vec<BucketIndex> = Vec::with_capacity(way.len());
    for part in &*way {
        let target = match opened.last() {
            None => tx.root_mut(),
            Some(&around) => tx.opened_mut(around).into_bucket_mut(part.name)?,
        };
        opened.push(densely(target));
    }
    let mut copied = 0;
    while let (Some(part), Some(&at)) = (way.last_mut(), opened.last()) {
        if copied >= limit {
            return Ok(());
        }
        let Some((key, value)) = part.items.next()? else {
            way.pop();
            opened.pop();
            continue;
        };
        let mut target = tx.opened_mut(at);
        copied += (key.len() + value.map_or(0, <[u8]>::len)) as u64;
        if let Some(value) = value {
            target.put(key, value)?;
            report.keys += 1;
            report.bytes += (key.len() + value.len()) as u64;
            continue;
        }
        let bucket = part.bucket.bucket(key)?;
        roots.enter(&bucket)?;
        let mut nested = target.import_bucket(key)?;
        nested.set_sequence(bucket.sequence())?;
        report.buckets += 1;
        opened.push(densely(nested));
        way.push(Part::new(key, bucket));
    }
    Ok(())
}

/// Has the pages of `bucket` filled, for inline buckets grow in their parent's leaves when the transaction ends.
fn densely(mut bucket: BucketMut<'_>) -> BucketIndex {
    bucket.set_fill_percent(1.0);
    bucket.index()
}
