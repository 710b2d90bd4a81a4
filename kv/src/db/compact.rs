//! Copying everything into a new file with full pages.

use super::contents::{Contents, Step};
use super::damage::Damage;
use super::db::Db;
use crate::error::Result;
use crate::tx::{BucketIndex, BucketMut, WriteTx};

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
/// - [`Error::Corrupt`](crate::Error::Corrupt) if `source` is damaged, even where every key could be copied: [`salvage()`] goes on there.
/// - [`Error::IncompatibleValue`](crate::Error::IncompatibleValue) if `target` has a bucket where `source` has a key, or
///   a key where it has a bucket.
/// - As [`Db::update`] on `target`. The transactions before the error stay committed.
pub fn compact(source: &Db, target: &Db, tx_max_bytes: u64) -> Result<CompactReport> {
    copy(source, target, tx_max_bytes, &mut |damage| Err(damage.into()))
}

/// As [`compact()`], of a damaged `source`: copies everything that can be read, and passes to `met` each damage with what
/// is not in the copy because of it. Without a call of `met`, the copy is whole. `target` should be new.
///
/// [`Contents`](crate::Contents) says what is read, and which of two items with one key.
///
/// ```
/// # let store = || kv::Options::new().open_store(Box::new(kv::MemStore::new()));
/// # let (source, target) = (store()?, store()?);
/// source.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// let mut damages = Vec::new();
/// let report = kv::salvage(&source, &target, 0, |damage| damages.push(damage))?;
/// assert_eq!((report.keys, damages), (1, vec![]));
/// # Ok::<_, kv::Error>(())
/// ```
///
/// # Errors
/// As [`compact()`], without [`Error::Corrupt`](crate::Error::Corrupt) for a damaged page of `source`.
pub fn salvage(source: &Db, target: &Db, tx_max_bytes: u64, mut met: impl FnMut(Damage)) -> Result<CompactReport> {
    copy(source, target, tx_max_bytes, &mut |damage| {
        met(damage);
        Ok(())
    })
}

fn copy(
    source: &Db,
    target: &Db,
    tx_max_bytes: u64,
    met: &mut dyn FnMut(Damage) -> Result<()>,
) -> Result<CompactReport> {
    let state = source.begin_read();
    let limit = if tx_max_bytes == 0 { u64::MAX } else { tx_max_bytes };
    let mut copying = Copying { contents: state.root().contents(), way: Vec::new(), report: CompactReport::default() };
    let mut done = false;
    while !done {
        done = target.update(|tx| copying.fill(tx, limit, met))?;
        source.core().walk_progress.report(copying.contents.pages_visited(), state.pages().high_water());
        copying.report.transactions = copying.report.transactions.saturating_add(1);
    }
    assert!(copying.way.is_empty(), "every bucket that was entered has been left");
    Ok(copying.report)
}

/// A copy in progress.
struct Copying<'s> {
    contents: Contents<'s>,
    /// The names of the buckets that are being copied, the outermost first.
    way: Vec<&'s [u8]>,
    report: CompactReport,
}

impl Copying<'_> {
    /// Copies until the transaction is full or nothing is left; whether nothing is left.
    ///
    /// The walk enters each bucket where its name comes in key order. So the target's leaves before the current key, with
    /// the small buckets inside them, have their final form, and the next transaction only adds after it.
    fn fill(&mut self, tx: &mut WriteTx<'_>, limit: u64, met: &mut dyn FnMut(Damage) -> Result<()>) -> Result<bool> {
        assert!(limit > 0, "a transaction has room for something");
        // The buckets on the way, as this transaction numbers them.
        let mut opened: Vec<BucketIndex> = vec![densely(tx.root_mut())];
        for name in &self.way {
            let around = opened.last().copied().unwrap_or_default();
            opened.push(densely(tx.opened_mut(around).into_bucket_mut(name)?));
        }
        let mut copied = 0u64;
        while copied < limit {
            let step = match self.contents.next() {
                None => return Ok(true),
                Some(Err(damage)) => {
                    met(damage)?;
                    continue;
                }
                Some(Ok(step)) => step,
            };
            let Some(&at) = opened.last() else { unreachable!("the root bucket is open") };
            copied = copied.saturating_add(match step {
                Step::Pair { key, value } => self.pair(tx.opened_mut(at), key, value)?,
                Step::Enter { name, bucket } => {
                    let mut target = tx.opened_mut(at);
                    let mut nested = target.import_bucket(name)?;
                    nested.set_sequence(bucket.sequence())?;
                    self.report.buckets = self.report.buckets.saturating_add(1);
                    opened.push(densely(nested));
                    self.way.push(name);
                    name.len() as u64
                }
                Step::Leave => {
                    opened.pop();
                    self.way.pop();
                    0
                }
            });
            assert_eq!(opened.len(), self.way.len().saturating_add(1), "each bucket on the way is open in the target");
        }
        Ok(false)
    }

    /// Copies a pair; its bytes.
    fn pair(&mut self, mut target: BucketMut<'_>, key: &[u8], value: &[u8]) -> Result<u64> {
        target.put(key, value)?;
        let bytes = key.len().saturating_add(value.len()) as u64;
        assert!(bytes > 0, "a walk returns no empty key");
        self.report.keys = self.report.keys.saturating_add(1);
        self.report.bytes = self.report.bytes.saturating_add(bytes);
        Ok(bytes)
    }
}

/// Makes commits fill the pages of `bucket`: inline buckets grow in their parent's leaves when the transaction ends.
fn densely(mut bucket: BucketMut<'_>) -> BucketIndex {
    bucket.set_fill_percent(1.0);
    bucket.index()
}
