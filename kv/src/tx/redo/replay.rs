//! After a crash: what the log has is done again, as one transaction, whose commit ends the log.
//!
//! Everything happens in memory, or behind the end of the checkpoint, until that commit. So a crash on the way finds the
//! checkpoint and the log as they were. Whoever may not write does the same without the commit: the pages of the transaction
//! stay in memory, with numbers behind the checkpoint.

use std::sync::Arc;

use freelist_core::{PageId, TxId};

use super::super::bucket_mut::BucketMut;
use super::super::core::{Core, Handle};
use super::super::open_buckets::{BucketIndex, OpenBuckets};
use super::super::plan::plan;
use super::super::write::WriteTx;
use super::super::writer::Writer;
use super::SLOTS_MIN;
use crate::error::{Error, Result};
use crate::format::{LogStart, Malformed, Meta, RedoChange, RedoRecord};
use crate::store::{Carry, Generation, Resident, Ring, SLOTS_MAX, WriteSet, read_units};

/// What is wrong with a log that does not go with its trees.
const DIFFERS: &str = "the log changes what is not there";

/// Does what the log from `start` on says over the checkpoint that `core` has open, and commits it with metas that are
/// bbolt's.
///
/// # Errors
/// - `Corrupt` if the log is damaged, or does not fit the checkpoint. Nothing has changed then.
/// - As a commit.
pub(crate) fn settle(core: &Core, start: LogStart) -> Result<()> {
    core.log.begin(Ring::new(start, core.page_size));
    let mut tx = WriteTx::begin(Handle::Borrowed(core))?;
    let newest = replay(core, &mut tx, start)?;
    tx.leave(newest.unwrap_or(0))
}

/// Does what the log from `start` on says over the checkpoint that `core`, which is read-only, has open; in memory. The pages
/// that are not those of the checkpoint, and the state; none if there is nothing in the log.
///
/// # Errors
/// - `Corrupt` if the log is damaged, or does not fit the checkpoint.
/// - [`Error::Unsettled`] if there are more such pages than memory is organised for.
pub(crate) fn replay_in_memory(core: &Core, start: LogStart) -> Result<Option<(Arc<Generation>, Meta)>> {
    let mut tx = WriteTx::begin_in_memory(core)?;
    match replay(core, &mut tx, start)? {
        Some(newest) => tx.keep(newest).map(Some),
        None => Ok(None),
    }
}

/// Does in `tx` what the log from `start` on says. The last transaction of the log, if it has any.
fn replay(core: &Core, tx: &mut WriteTx<'_>, start: LogStart) -> Result<Option<u64>> {
    let mut newest = 0;
    let damaged = |what: &'static str| Error::Corrupt { page: PageId::new(start.first_page), what: what.into() };
    read_units(&*core.store, start, core.page_size, |records| {
        for record in RedoRecord::all(records) {
            let record = record.map_err(|Malformed(what)| damaged(what))?;
            if record.tx <= newest.max(core.published.read().0.tx) {
                return Err(damaged("the transactions of the log are not in order"));
            }
            newest = record.tx;
            redo(tx, record, damaged).map_err(|error| match error {
                // What no transaction can have done: it would have been refused then, too.
                Error::BucketNotFound { .. }
                | Error::BucketExists { .. }
                | Error::BucketNameRequired
                | Error::BucketNameTooLarge { .. }
                | Error::KeyRequired
                | Error::KeyTooLarge { .. }
                | Error::ValueTooLarge { .. }
                | Error::IncompatibleValue { .. }
                | Error::SameBuckets => damaged(DIFFERS),
                other => other,
            })?;
        }
        Ok(())
    })?;
    Ok(Some(newest).filter(|&newest| newest > 0))
}

/// The pages of a transaction in memory, and the state that it makes, which has the id `tx`.
pub(in crate::tx) fn keep(
    writer: &mut Writer,
    (write_set, buckets): (&mut WriteSet, &mut OpenBuckets),
    tx: TxId,
) -> Result<(Arc<Generation>, Meta)> {
    buckets.spill(write_set)?;
    let plan = plan(writer, write_set, buckets, tx, Carry::Nothing)?;
    assert_eq!(write_set.early_written().pages, 0, "nothing was written");
    let (images, page_size) = (plan.images(write_set), plan.meta.page_size);
    let pages =
        images.iter().map(|(_, bytes)| (bytes.len() as u64).div_ceil(page_size.into())).fold(0, u64::saturating_add);
    let slots = u32::try_from(pages).ok().filter(|&slots| slots <= SLOTS_MAX).ok_or(Error::Unsettled)?;
    let generation = Arc::new(Generation::new(slots.max(SLOTS_MIN), page_size)?);
    let mut resident = Resident::begin(Arc::clone(&generation));
    if !resident.has_room(images.iter().copied()) {
        return Err(Error::Unsettled);
    }
    images.iter().try_for_each(|&(page, bytes)| resident.insert(page, bytes))?;
    Ok((generation, plan.meta))
}

/// Does the changes of one transaction again.
fn redo(tx: &mut WriteTx<'_>, record: RedoRecord<'_>, damaged: impl Fn(&'static str) -> Error) -> Result<()> {
    let (mut path, mut opened): (Vec<&[u8]>, Option<BucketIndex>) = (Vec::new(), None);
    for change in record.changes() {
        let change = change.map_err(|Malformed(what)| damaged(what))?;
        let fits = match change {
            RedoChange::Bucket(names) => {
                (path, opened) = (names, None);
                true
            }
            RedoChange::CreateBucket | RedoChange::DeleteBucket | RedoChange::MoveBucket { .. } => {
                opened = None;
                change_bucket(tx, &path, change)?
            }
            change => {
                let at = opened.map_or_else(|| tx.descend(&path), Ok)?;
                opened = Some(at);
                change_items(&mut tx.opened_mut(at), change)?
            }
        };
        if !fits {
            return Err(damaged(DIFFERS));
        }
    }
    Ok(())
}

/// Creates, deletes or moves the bucket at `path`. Whether that was possible.
fn change_bucket(tx: &mut WriteTx<'_>, path: &[&[u8]], change: RedoChange<'_>) -> Result<bool> {
    let Some((name, parents)) = path.split_last() else { return Ok(false) };
    if let RedoChange::MoveBucket { to } = change {
        let Some((_, to)) = to.split_last() else { return Ok(false) };
        tx.move_bucket(name, parents, to)?;
        return Ok(true);
    }
    let parent = tx.descend(parents)?;
    let mut parent = tx.opened_mut(parent);
    if change == RedoChange::DeleteBucket {
        parent.delete_bucket(name)?;
        return Ok(true);
    }
    let free = parent.get_bucket(name)?.is_none();
    if free {
        // Its name may be longer than that of a new one: bbolt may have made it, and it was moved.
        parent.import_bucket(name)?;
    }
    Ok(free)
}

/// Changes what a bucket holds. Whether what changes was there.
fn change_items(bucket: &mut BucketMut<'_>, change: RedoChange<'_>) -> Result<bool> {
    match change {
        RedoChange::Put { key, value } => bucket.put(key, value).map(|()| true),
        RedoChange::Delete { key } => bucket.delete(key),
        RedoChange::DeleteRange { start, end } => Ok(bucket.delete_range((start, end))? > 0),
        RedoChange::SetSequence(sequence) => bucket.set_sequence(sequence).map(|()| true),
        _ => Ok(false),
    }
}
