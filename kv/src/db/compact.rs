//! Copying everything into a fresh file, densely.

use super::bucket_roots::BucketRoots;
use super::handle::Db;
use crate::error::Result;
use crate::tx::{Bucket, BucketMut, Iter, WriteTx};

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
/// assert!(target.begin_read()?.size() < source.begin_read()?.size());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn compact(source: &Db, target: &Db, tx_max_bytes: u64) -> Result<CompactReport> {
    let state = source.begin_read()?;
    let limit = if tx_max_bytes == 0 { u64::MAX } else { tx_max_bytes };
    let mut report = CompactReport::default();
    let mut waiting = vec![Part::new(Vec::new(), state.root())];
    let mut roots = BucketRoots::new(&state.root());
    while !waiting.is_empty() {
        target.update(|tx| fill(tx, &mut waiting, &mut roots, limit, &mut report))?;
        report.transactions += 1;
    }
    Ok(report)
}

/// A bucket of which something is still to be copied.
struct Part<'s> {
    /// The names that lead to it.
    path: Vec<&'s [u8]>,
    bucket: Bucket<'s>,
    items: Iter<'s>,
}

impl<'s> Part<'s> {
    fn new(path: Vec<&'s [u8]>, bucket: Bucket<'s>) -> Self {
        Self { path, bucket, items: bucket.iter() }
    }
}

/// Copies until the transaction is full or nothing is left.
fn fill(
    tx: &mut WriteTx<'_>,
    waiting: &mut Vec<Part<'_>>,
    roots: &mut BucketRoots,
    limit: u64,
    report: &mut CompactReport,
) -> Result<()> {
    let mut copied = 0;
    while let Some(mut part) = waiting.pop() {
        let mut target = part.path.iter().try_fold(tx.root_mut(), BucketMut::into_bucket_mut)?;
        // Inline buckets grow in their parent's leaves after their names came in order: these too shall end up full.
        target.set_fill_percent(1.0);
        let mut nested = Vec::new();
        while let Some(item) = part.items.next() {
            let (key, value) = item?;
            if let Some(value) = value {
                target.put(key, value)?;
                report.keys += 1;
                report.bytes += (key.len() + value.len()) as u64;
            } else {
                let bucket = part.bucket.bucket(key)?;
                roots.enter(&bucket)?;
                target.create_bucket_if_absent(key)?.set_sequence(bucket.sequence())?;
                report.buckets += 1;
                nested.push(Part::new(part.path.iter().copied().chain([key]).collect(), bucket));
            }
            copied += (key.len() + value.map_or(0, <[u8]>::len)) as u64;
            if copied >= limit {
                waiting.push(part);
                waiting.append(&mut nested);
                return Ok(());
            }
        }
        waiting.append(&mut nested);
    }
    Ok(())
}
