//! Buckets, by number: 0 is the top level, which has buckets and no pairs.

use kv::{Bucket, BucketMut, KeyRange};

use crate::code::{Failure, border, kv_code};
use crate::pointers::{bytes, exclusive, kv_bytes, optional, place, set};
use crate::transaction::{State, Write, kv_tx};

/// A bucket of a transaction. It is no pointer, and ends with the transaction.
pub type kv_bucket = u32;

/// The top level: the parent of the buckets that have no other.
pub const KV_TOP: kv_bucket = 0;

fn unknown(bucket: kv_bucket) -> Failure {
    Failure::argument(match bucket {
        KV_TOP => "the top level has buckets and no pairs: open or create a bucket".to_owned(),
        _ => format!("bucket {bucket} was not opened in this transaction"),
    })
}

/// Of those that a transaction has opened, the one of this number.
pub(crate) fn opened<T: Copy>(buckets: &[T], bucket: kv_bucket) -> Result<T, Failure> {
    let index = usize::try_from(bucket).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| buckets.get(index)).copied().ok_or_else(|| unknown(bucket))
}

/// Gives a bucket that was opened a number.
fn number<T>(buckets: &mut Vec<T>, opened: T) -> Result<kv_bucket, Failure> {
    buckets.push(opened);
    kv_bucket::try_from(buckets.len()).map_err(|_| Failure::argument("the transaction has opened 2^32 buckets"))
}

impl kv_tx {
    /// The bucket of this number, which is not the top level.
    pub(crate) fn bucket(&self, bucket: kv_bucket) -> Result<Bucket<'_>, Failure> {
        match &self.state {
            State::Read(read) => opened(&read.buckets, bucket),
            State::Write(write) => Ok(write.tx.at(opened(&write.buckets, bucket)?)?),
        }
    }

    /// The bucket of this number, or the top level.
    fn parent(&self, parent: kv_bucket) -> Result<Bucket<'_>, Failure> {
        match (parent, &self.state) {
            (KV_TOP, State::Read(read)) => Ok(read.tx().root()),
            (KV_TOP, State::Write(write)) => Ok(write.tx.root()),
            _ => self.bucket(parent),
        }
    }
}

impl Write {
    pub(crate) fn bucket_mut(&mut self, bucket: kv_bucket) -> Result<BucketMut<'_>, Failure> {
        Ok(self.tx.at_mut(opened(&self.buckets, bucket)?)?)
    }
}

/// Opens the bucket `name` of the bucket `parent`, or of the top level (`KV_TOP`).
///
/// Errors: `KV_BUCKET_NOT_FOUND`, `KV_INCOMPATIBLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_bucket_open(
    tx: *mut kv_tx,
    parent: kv_bucket,
    name: kv_bytes,
    bucket: *mut kv_bucket,
) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, name) = unsafe { (exclusive(tx, "the transaction")?, bytes(name)?) };
        place(bucket)?;
        let opened = match (&mut tx.state, parent) {
            (State::Read(read), KV_TOP) => {
                let found = read.tx().bucket(name)?;
                number(&mut read.buckets, found)
            }
            (State::Read(read), _) => {
                let found = opened(&read.buckets, parent)?.bucket(name)?;
                number(&mut read.buckets, found)
            }
            (State::Write(write), KV_TOP) => {
                let found = write.tx.bucket_mut(name)?.handle();
                number(&mut write.buckets, found)
            }
            (State::Write(write), _) => {
                let found = write.bucket_mut(parent)?.bucket_mut(name)?.handle();
                number(&mut write.buckets, found)
            }
        }?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(bucket, opened) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Opens the bucket `name` of the bucket `parent`, or of the top level (`KV_TOP`); creates it if it is absent.
///
/// Errors: `KV_READ_ONLY`, `KV_INCOMPATIBLE`, `KV_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_bucket_create(
    tx: *mut kv_tx,
    parent: kv_bucket,
    name: kv_bytes,
    bucket: *mut kv_bucket,
) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, name) = unsafe { (exclusive(tx, "the transaction")?, bytes(name)?) };
        place(bucket)?;
        let write = tx.writing()?;
        let created = match parent {
            KV_TOP => write.tx.create_bucket_if_absent(name)?.handle(),
            _ => write.bucket_mut(parent)?.create_bucket_if_absent(name)?.handle(),
        };
        let created = number(&mut write.buckets, created)?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(bucket, created) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Deletes the bucket `name` of the bucket `parent`, or of the top level (`KV_TOP`), with everything in it.
///
/// Errors: `KV_READ_ONLY`, `KV_BUCKET_NOT_FOUND`, `KV_INCOMPATIBLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_bucket_delete(tx: *mut kv_tx, parent: kv_bucket, name: kv_bytes) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, name) = unsafe { (exclusive(tx, "the transaction")?, bytes(name)?) };
        let write = tx.writing()?;
        match parent {
            KV_TOP => write.tx.delete_bucket(name)?,
            _ => write.bucket_mut(parent)?.delete_bucket(name)?,
        }
        Ok(kv_code::KV_OK)
    })
}

/// Finds the first bucket of the bucket `parent`, or of the top level (`KV_TOP`), whose name comes after `*after`, or the
/// first of all if `after` is null. `*name` is valid as the bytes of `kv_get` are. Pairs on the way are passed over.
///
/// Returns `KV_END` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_bucket_next(
    tx: *mut kv_tx,
    parent: kv_bucket,
    after: *const kv_bytes,
    name: *mut kv_bytes,
) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and bytes at the head of the header.
        let (tx, after) = unsafe { (exclusive(tx, "the transaction")?, optional(after)?) };
        place(name)?;
        for item in tx.parent(parent)?.items(beyond(after)) {
            // A bucket has no value.
            if let (found, None) = item? {
                // SAFETY: the rule for results at the head of the header.
                unsafe { set(name, found.into()) }?;
                return Ok(kv_code::KV_OK);
            }
        }
        Ok(kv_code::KV_END)
    })
}

/// All keys, or those after one.
fn beyond(after: Option<&[u8]>) -> impl KeyRange {
    use std::ops::Bound::{Excluded, Unbounded};

    (after.map_or(Unbounded, Excluded), Unbounded)
}
