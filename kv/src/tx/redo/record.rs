//! From the changes that a transaction has noted to its record in the log.

use freelist_core::TxId;

use super::super::changes::{Change, Name};
use crate::format::{RedoChange, RedoRecord};

/// The record of transaction `tx`; none if it is longer than `longest` bytes, or than a record can be.
pub(super) fn record_of(longest: usize, tx: TxId, changes: &[Change]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at: Option<&[Name]> = None;
    assert!(tx.get() > 0, "0 is no transaction's number, and ends the records");
    let written = RedoRecord::write(tx.get(), &mut bytes, |into| {
        changes.iter().all(|change| {
            let path = path_of(change);
            // Most transactions change one bucket, or one after the other.
            let same = at == Some(path);
            at = Some(path);
            (same || RedoChange::Bucket(names(path)).write(into))
                && redo_of(change).write(into)
                && into.len() <= longest
        })
    });
    written.then_some(bytes).filter(|record| record.len() <= longest)
}

fn names(path: &[Name]) -> Vec<&[u8]> {
    path.iter().map(|name| &**name).collect()
}

/// The bucket that a change is about.
fn path_of(change: &Change) -> &[Name] {
    match change {
        Change::Put { bucket, .. }
        | Change::Deleted { bucket, .. }
        | Change::RangeDeleted { bucket, .. }
        | Change::BucketCreated { bucket }
        | Change::BucketDeleted { bucket }
        | Change::BucketMoved { from: bucket, .. }
        | Change::Sequence { bucket, .. } => bucket,
    }
}

fn redo_of(change: &Change) -> RedoChange<'_> {
    match change {
        Change::Put { key, value, .. } => RedoChange::Put { key, value },
        Change::Deleted { key, .. } => RedoChange::Delete { key },
        Change::RangeDeleted { start, end, .. } => {
            let (start, end) = (start.as_ref().map(|key| &**key), end.as_ref().map(|key| &**key));
            RedoChange::DeleteRange { start, end }
        }
        Change::BucketCreated { .. } => RedoChange::CreateBucket,
        Change::BucketDeleted { .. } => RedoChange::DeleteBucket,
        Change::BucketMoved { to, .. } => RedoChange::MoveBucket { to: names(to) },
        Change::Sequence { sequence, .. } => RedoChange::SetSequence(*sequence),
    }
}
