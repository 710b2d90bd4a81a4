//! Scans, by number: the pairs of a range in the order of their keys, or backwards.

use std::ops::Bound;

use kv::{Iter, Pair};

use crate::bucket::{kv_bucket, opened};
use crate::code::{Failure, border, kv_code};
use crate::pointers::{exclusive, kv_bytes, optional, place, set};
use crate::transaction::{State, Write, kv_tx};

/// A scan of a transaction. It is no pointer, and ends with the transaction.
pub type kv_scan = u32;

/// A scan in a read transaction.
pub(crate) struct ReadScan {
    pairs: Iter<'static>,
    reverse: bool,
}

/// A scan in a write transaction, whose bucket may change: it knows what is left of its range.
pub(crate) struct WriteScan {
    bucket: kv_bucket,
    left: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    reverse: bool,
}

/// The keys from one on and before another.
pub(crate) fn between<'a>(from: Option<&'a [u8]>, to: Option<&'a [u8]>) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    (from.map_or(Bound::Unbounded, Bound::Included), to.map_or(Bound::Unbounded, Bound::Excluded))
}

/// Begins a scan of the pairs from `*from` on and before `*to`; null is no bound. With `reverse` the last comes first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_scan_begin(
    tx: *mut kv_tx,
    bucket: kv_bucket,
    from: *const kv_bytes,
    to: *const kv_bytes,
    reverse: bool,
    scan: *mut kv_scan,
) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, from, to) = unsafe { (exclusive(tx, "the transaction")?, optional(from)?, optional(to)?) };
        place(scan)?;
        let range = between(from, to);
        // In a write transaction, too, a bucket that is not there is told at once.
        tx.bucket(bucket)?;
        let begun = match &mut tx.state {
            State::Read(read) => {
                let pairs = opened(&read.buckets, bucket)?.range(range);
                number(&mut read.scans, ReadScan { pairs, reverse })
            }
            State::Write(write) => {
                let left = (range.0.map(<[u8]>::to_vec), range.1.map(<[u8]>::to_vec));
                number(&mut write.scans, WriteScan { bucket, left, reverse })
            }
        }?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(scan, begun) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Gives a scan the least number that is free.
fn number<T>(scans: &mut Vec<Option<T>>, scan: T) -> Result<kv_scan, Failure> {
    let free = scans.iter().position(Option::is_none).unwrap_or_else(|| {
        scans.push(None);
        scans.len() - 1
    });
    scans[free] = Some(scan);
    kv_scan::try_from(free).map_err(|_| Failure::argument("the transaction has 2^32 scans"))
}

/// The scan of this number, and its place.
fn of<T>(scans: &mut [Option<T>], scan: kv_scan) -> Result<&mut Option<T>, Failure> {
    let place = usize::try_from(scan).ok().and_then(|index| scans.get_mut(index));
    let unknown = || Failure::argument(format!("scan {scan} was not begun in this transaction, or is ended"));
    place.filter(|place| place.is_some()).ok_or_else(unknown)
}

/// Moves a scan on: `KV_OK` with the next pair, or `KV_END`. In a write transaction the bucket may change during the scan,
/// which then finds what is there. The bytes are valid as those of `kv_get` are.
///
/// Errors: `KV_CORRUPT`, `KV_STALE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_scan_next(
    tx: *mut kv_tx,
    scan: kv_scan,
    key: *mut kv_bytes,
    value: *mut kv_bytes,
) -> kv_code {
    border(|| {
        // SAFETY: the rule for transactions at the head of the header.
        let tx = unsafe { exclusive(tx, "the transaction") }?;
        place(key)?;
        place(value)?;
        let pair = match &mut tx.state {
            State::Read(read) => of(&mut read.scans, scan)?.as_mut().and_then(ReadScan::next).transpose()?,
            State::Write(write) => step(write, scan)?,
        };
        let Some(pair) = pair else { return Ok(kv_code::KV_END) };
        // SAFETY: the rule for results at the head of the header.
        unsafe {
            set(key, pair.0.into())?;
            set(value, pair.1.into())?;
        }
        Ok(kv_code::KV_OK)
    })
}

impl ReadScan {
    fn next(&mut self) -> Option<kv::Result<Pair<'static>>> {
        if self.reverse { self.pairs.next_back() } else { self.pairs.next() }
    }
}

/// The next pair of a scan in a write transaction. O(log n).
fn step(write: &mut Write, scan: kv_scan) -> Result<Option<Pair<'_>>, Failure> {
    let Write { scans, buckets, tx } = write;
    let Some(scan) = of(scans, scan)? else { return Ok(None) };
    let mut left = tx.at(opened(buckets, scan.bucket)?)?.range(scan.left.clone());
    let pair = if scan.reverse { left.next_back() } else { left.next() }.transpose()?;
    if let Some((key, _)) = pair {
        let end = if scan.reverse { &mut scan.left.1 } else { &mut scan.left.0 };
        *end = Bound::Excluded(key.to_vec());
    }
    Ok(pair)
}

/// Ends a scan, whose number may be used again. All scans end with the transaction.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_scan_end(tx: *mut kv_tx, scan: kv_scan) -> kv_code {
    border(|| {
        // SAFETY: the rule for transactions at the head of the header.
        match &mut unsafe { exclusive(tx, "the transaction") }?.state {
            State::Read(read) => *of(&mut read.scans, scan)? = None,
            State::Write(write) => *of(&mut write.scans, scan)? = None,
        }
        Ok(kv_code::KV_OK)
    })
}
