//! Reading and changing pairs.

use crate::bucket::kv_bucket;
use crate::code::{border, kv_code};
use crate::pointers::{bytes, exclusive, kv_bytes, optional, place, set};
use crate::scan::between;
use crate::transaction::kv_tx;

/// Finds the value of a key: `KV_OK` and `*value`, or `KV_NOT_FOUND`. The bytes are those of the file, without a copy. In a
/// read transaction they are valid until it ends, in a write transaction until the next call that changes something.
///
/// Errors: `KV_INCOMPATIBLE` if the key is the name of a bucket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_get(tx: *mut kv_tx, bucket: kv_bucket, key: kv_bytes, value: *mut kv_bytes) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, key) = unsafe { (exclusive(tx, "the transaction")?, bytes(key)?) };
        place(value)?;
        let Some(found) = tx.bucket(bucket)?.get(key)? else { return Ok(kv_code::KV_NOT_FOUND) };
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(value, found.into()) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Sets the value of a key.
///
/// Errors: `KV_READ_ONLY`, `KV_SIZE`, `KV_INCOMPATIBLE`, `KV_STALE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_put(tx: *mut kv_tx, bucket: kv_bucket, key: kv_bytes, value: kv_bytes) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, key, value) = unsafe { (exclusive(tx, "the transaction")?, bytes(key)?, bytes(value)?) };
        tx.writing()?.bucket_mut(bucket)?.put(key, value)?;
        Ok(kv_code::KV_OK)
    })
}

/// Deletes a key: `KV_OK`, or `KV_NOT_FOUND` if there is none.
///
/// Errors: `KV_READ_ONLY`, `KV_INCOMPATIBLE`, `KV_STALE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_delete(tx: *mut kv_tx, bucket: kv_bucket, key: kv_bytes) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, key) = unsafe { (exclusive(tx, "the transaction")?, bytes(key)?) };
        let was_there = tx.writing()?.bucket_mut(bucket)?.delete(key)?;
        Ok(if was_there { kv_code::KV_OK } else { kv_code::KV_NOT_FOUND })
    })
}

/// Deletes the pairs and buckets from `*from` on and before `*to`; null is no bound. Whole pages go without being read.
/// `*deleted`, unless null, is how many there were.
///
/// Errors: `KV_READ_ONLY`, `KV_STALE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_delete_range(
    tx: *mut kv_tx,
    bucket: kv_bucket,
    from: *const kv_bytes,
    to: *const kv_bytes,
    deleted: *mut u64,
) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, from, to) = unsafe { (exclusive(tx, "the transaction")?, optional(from)?, optional(to)?) };
        let count = tx.writing()?.bucket_mut(bucket)?.delete_range(between(from, to))?;
        if !deleted.is_null() {
            // SAFETY: the rule for results at the head of the header.
            unsafe { set(deleted, count) }?;
        }
        Ok(kv_code::KV_OK)
    })
}

/// Counts the pairs of a bucket, page by page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_count(tx: *mut kv_tx, bucket: kv_bucket, count: *mut u64) -> kv_code {
    border(|| {
        // SAFETY: the rule for transactions at the head of the header.
        let tx = unsafe { exclusive(tx, "the transaction") }?;
        let found = tx.bucket(bucket)?.len()?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(count, found) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Adds one to the counter of a bucket, which begins with 0, and gives the new number.
///
/// Errors: `KV_READ_ONLY`, `KV_STALE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_next_sequence(tx: *mut kv_tx, bucket: kv_bucket, number: *mut u64) -> kv_code {
    border(|| {
        // SAFETY: the rule for transactions at the head of the header.
        let tx = unsafe { exclusive(tx, "the transaction") }?;
        place(number)?;
        let next = tx.writing()?.bucket_mut(bucket)?.next_sequence()?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(number, next) }?;
        Ok(kv_code::KV_OK)
    })
}
