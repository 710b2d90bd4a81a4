//! A walk over a bucket during which anything may change.

use std::ops::Bound;

use super::bucket::Bucket;
use super::handle::BucketHandle;
use super::iter::Pair;
use super::key_range::{KeyRange, owned};
use super::open_buckets::OpenBuckets;
use super::write::WriteTx;
use crate::error::{Error, Result};
use crate::store::WriteSet;

/// A batch has so many pairs and bytes at most; of pairs with large values it may have one.
const PAIRS_MAX: usize = 128;
const BYTES_MAX: usize = 32 << 10;

const UNORDERED: &str = "a search for the keys after one leads to others: keys do not ascend";

/// A walk over the pairs of a bucket in key order, which does not borrow the transaction: between two steps anything may
/// change, the bucket itself included. [`WriteTx::walk`] returns it.
///
/// Its position is the key of the last pair, so of what lies ahead it meets what is there when it comes to it: pairs that
/// were put there meanwhile, and not those that were deleted. Nested buckets are passed over.
///
/// A step copies its pair. As long as the bucket itself does not change, many pairs are copied at a time, and a step costs
/// amortised O(1) and these bytes; after a change it costs O(log n).
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let queue = tx.create_bucket("queue")?.handle();
///     (1..=9).try_for_each(|n| tx.put(queue, [n], "job"))?;
///     let mut taken = 0;
///     let mut jobs = tx.walk(queue, [3]..)?;
///     while let Some((key, _job)) = jobs.next(tx)? {
///         tx.delete(queue, key)?;
///         taken += 1;
///         if taken == 5 {
///             break;
///         }
///     }
///     assert_eq!(tx.at(queue)?.iter().count(), 4);
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Walk {
    bucket: BucketHandle,
    /// Where the pairs after the batch lie.
    ahead: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    batch: Batch,
    /// How often the bucket had changed when the batch was copied.
    changes: u64,
    /// How many pairs the next batch copies: more and more, while the bucket does not change.
    pairs: usize,
}

/// Pairs that have been copied out of the bucket.
#[derive(Clone, Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    /// For each pair, where its value begins and where it ends. A key begins where the value before ends.
    ends: Vec<(usize, usize)>,
    /// How many have been given out.
    given: usize,
}

impl Walk {
    pub(super) fn new(bucket: BucketHandle, range: &impl KeyRange) -> Self {
        Self { bucket, ahead: owned(range), batch: Batch::default(), changes: 0, pairs: 1 }
    }

    /// Moves to the next pair and returns it; `None` at the end, where the walk stays: it goes on if pairs are put there.
    ///
    /// # Errors
    /// - [`Error::StaleHandle`](crate::Error::StaleHandle) if `tx` is not the transaction of the walk, or the bucket was
    ///   deleted.
    /// - [`Error::Corrupt`](crate::Error::Corrupt) if a page of the bucket is damaged.
    pub fn next(&mut self, tx: &WriteTx<'_>) -> Result<Option<Pair<'_>>> {
        self.step(&tx.write_set, &tx.buckets)
    }

    /// [`next`](Self::next) in a transaction with these opened buckets.
    pub(super) fn step(&mut self, write_set: &WriteSet, buckets: &OpenBuckets) -> Result<Option<Pair<'_>>> {
        let at = buckets.of(self.bucket)?;
        let changes = buckets.get(at).changes;
        if self.changes != changes || self.batch.is_given() {
            self.pairs = if self.changes == changes { self.pairs.saturating_mul(2).min(PAIRS_MAX) } else { 1 };
            self.changes = changes;
            self.refill(Bucket::opened(write_set.pages(), buckets, at))?;
        }
        debug_assert_eq!(self.changes, changes, "what is given out is what the bucket has");
        Ok(self.batch.next())
    }

    /// Copies the next pairs, from the one after the last that was given out.
    fn refill(&mut self, bucket: Bucket<'_>) -> Result<()> {
        if let Some(key) = self.batch.last_given() {
            self.ahead.0 = Bound::Excluded(key.to_vec());
        }
        self.batch.clear();
        assert!(self.pairs > 0, "a batch has room for a pair");
        let mut pairs = bucket.range((self.ahead.0.as_ref(), self.ahead.1.as_ref()));
        while self.batch.ends.len() < self.pairs && self.batch.bytes.len() < BYTES_MAX {
            let Some((key, value)) = pairs.next().transpose()? else { break };
            if matches!(&self.ahead.0, Bound::Excluded(last) if key <= last.as_slice()) {
                // Where a search does not lead ahead, the walk would have no end.
                return Err(Error::Corrupt { page: pairs.page(), what: UNORDERED.into() });
            }
            self.batch.push((key, value));
        }
        debug_assert!(self.batch.ends.len() <= self.pairs, "a batch is bounded");
        Ok(())
    }
}

#[allow(clippy::indexing_slicing, reason = "the ends are those of the bytes beside them")]
impl Batch {
    fn is_given(&self) -> bool {
        assert!(self.given <= self.ends.len(), "what is given out was copied");
        self.given == self.ends.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.given = 0;
    }

    fn push(&mut self, (key, value): Pair<'_>) {
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        debug_assert_eq!(self.given, 0, "a batch is copied before it is given out");
        self.ends.push((middle, self.bytes.len()));
    }

    fn pair(&self, index: usize) -> Option<Pair<'_>> {
        let &(middle, end) = self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].1);
        assert!(start <= middle && middle <= end, "key and value follow the pair before");
        Some((&self.bytes[start..middle], &self.bytes[middle..end]))
    }

    fn next(&mut self) -> Option<Pair<'_>> {
        let index = self.given;
        if index < self.ends.len() {
            self.given = index.saturating_add(1);
        }
        self.pair(index)
    }

    fn last_given(&self) -> Option<&[u8]> {
        self.given.checked_sub(1).and_then(|last| self.pair(last)).map(|(key, _)| key)
    }
}
