//! The commit: plan, persist, publish.
//!
//! ```text
//!   dirty nodes --plan--> pages with numbers --persist--> durable --publish--> visible
//!                 |                             |      |
//!                 v NotCommitted                v      v Unknown
//!           the free space is rolled back  NotCommitted   the store is poisoned
//! ```
//! With a redo log, a commit that fits there is queued instead: the next transaction builds on it, and it becomes durable and
//! visible while its thread [waits](super::redo::wait), without the writer.

use std::time::Instant;

use freelist_core::{PageId, TxId};

use super::core::Core;
use super::open_buckets::OpenBuckets;
use super::persist::persist;
use super::plan::{self, Plan, plan};
use super::publish::{publish, queue};
use super::redo::{self, Aim, Persisted};
use super::shrink;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::store::{Carry, Link, WriteSet};

/// What has become of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Made {
    /// There was nothing to commit.
    Nothing,
    /// It is durable, as far as the options say so, and new readers see it.
    Visible,
    /// It waits for the log.
    Queued,
}

/// Makes the changes of transaction `tx` durable and visible, or queues them for the log. A transaction without changes does
/// nothing.
pub(super) fn commit(
    core: &Core,
    writer: &mut Writer,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: TxId,
) -> Result<Made> {
    let started = Instant::now();
    assert_eq!(write_set.high_water(), writer.visible.high_water, "the transaction builds on the newest state");
    if core.settings.shrink > 0 && buckets.any_changed() {
        shrink::along(core, writer, (write_set, buckets));
    }
    if !buckets.spill(write_set).map_err(not_committed)? {
        return Ok(Made::Nothing);
    }
    run(core, writer, (write_set, buckets), tx, Aim::Commit, started)
}

/// Writes the list of free pages, or their log, into the file, as a commit that changes nothing else, unless one of them is
/// there. For a database that is being closed.
fn store_freelist(core: &Core, writer: &mut Writer) -> Result<()> {
    if writer.free_space.is_stored() {
        return Ok(());
    }
    writer.retire(&core.readers, &core.published)?;
    let tx = plan::next_tx(&writer.visible)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    let carry = if core.settings.carry == Carry::Log { Carry::Log } else { Carry::List };
    assert!(!core.settings.read_only, "only a database that can be written has a writer");
    let made = run_with(core, writer, (&mut write_set, &mut buckets), tx, (Aim::Commit, carry), Instant::now())?;
    assert_eq!(made, Made::Visible, "a file that is closed has no log any more");
    assert!(carry == Carry::Log || writer.free_space.is_stored(), "the newest state has a list");
    Ok(())
}

/// Ends the redo log, if there is one, and writes the list of free pages: what a file is closed with.
pub(crate) fn close(core: &Core, writer: &mut Writer) -> Result<()> {
    redo::leave(core, writer)?;
    assert!(writer.redo.is_none(), "the file is bbolt's again");
    store_freelist(core, writer)
}

/// A commit that changes nothing and leaves nothing in the redo log; nothing if the log has nothing.
///
/// # Errors
/// Those of a commit.
pub(crate) fn checkpoint(core: &Core, writer: &mut Writer) -> Result<()> {
    redo::settle_beside(core, writer)?;
    if writer.redo.is_none() || !core.log.has_units() {
        return Ok(());
    }
    writer.retire(&core.readers, &core.published)?;
    let tx = plan::next_tx(&writer.visible)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    run(core, writer, (&mut write_set, &mut buckets), tx, Aim::Checkpoint, Instant::now())?;
    assert!(!core.log.has_units(), "a checkpoint has everything");
    Ok(())
}

/// One commit on the way to a shorter file: it moves up to `pages` pages from the end of the file. Without something to move
/// it does nothing, unless it is `forced`, so that both metas get a lower high-water mark. Returns how many pages it moved.
///
/// # Errors
/// Those of a commit, `Corrupt` where a node to be moved is damaged, or [`Error::Store`] if the file cannot be truncated.
pub(crate) fn shrink_step(core: &Core, writer: &mut Writer, pages: u64, forced: bool) -> Result<u64> {
    let started = Instant::now();
    writer.retire(&core.readers, &core.published)?;
    let tx = plan::next_tx(&writer.visible)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    let moved = shrink::step(writer, (&mut write_set, &mut buckets), pages)?;
    if buckets.spill(&mut write_set).map_err(not_committed)? || forced {
        run(core, writer, (&mut write_set, &mut buckets), tx, Aim::Commit, started)?;
    }
    writer.shrink.take_refusal().map_or(Ok(moved), |refused| Err(refused.into()))
}

/// The changes of a transaction that changes nothing.
pub(super) fn nothing_changed(core: &Core, writer: &Writer) -> (WriteSet, OpenBuckets) {
    let write_set = core.write_set(writer, Vec::new());
    let root = Link::page(PageId::new(writer.visible.root));
    (write_set, OpenBuckets::new(root, writer.visible.root_sequence))
}

pub(super) fn run(
    core: &Core,
    writer: &mut Writer,
    changes: (&mut WriteSet, &mut OpenBuckets),
    tx: TxId,
    aim: Aim,
    started: Instant,
) -> Result<Made> {
    // Beside a log, nothing of the free space is in the file: after a crash, what is free then has to be found anyhow.
    let carry = if writer.redo.is_some() { Carry::Nothing } else { core.settings.carry };
    run_with(core, writer, changes, tx, (aim, carry), started)
}

fn run_with(
    core: &Core,
    writer: &mut Writer,
    (write_set, buckets): (&mut WriteSet, &mut OpenBuckets),
    tx: TxId,
    (aim, carry): (Aim, Carry),
    started: Instant,
) -> Result<Made> {
    // Until it is known how the commit ends. If it panics, in a store of the user's own for example, nothing builds on what
    // is half done.
    writer.in_doubt = true;
    let planned = plan(writer, write_set, buckets, tx, carry).map_err(not_committed);
    let persisted = planned.and_then(|mut plan: Plan| {
        plan.stats.spill_time = started.elapsed();
        let persisted = if writer.redo.is_some() {
            redo::persist(core, writer, write_set, buckets.log.as_ref(), &mut plan, aim)?
        } else {
            Persisted::Durable(persist(core, writer, write_set, &mut plan)?)
        };
        plan.stats.write_time = started.elapsed().saturating_sub(plan.stats.spill_time);
        Ok((plan, persisted))
    });
    match persisted {
        Ok((plan, Persisted::Durable(checkpoint))) => {
            publish(core, writer, &plan, checkpoint);
            if writer.shrink.is_on() {
                shrink::cut_file(core, writer);
            }
            Ok(Made::Visible)
        }
        Ok((plan, Persisted::Logged(record))) => queue(core, writer, &plan, &record, &mut buckets.log),
        Err(error @ Error::NotCommitted { .. }) => {
            assert!(writer.visible.tx < tx.get(), "what was not committed is not visible");
            // Without memory for it, the next transaction goes on with the rollback.
            let _ = writer.free_space.rollback(tx);
            writer.in_doubt = false;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn not_committed(cause: Error) -> Error {
    Error::NotCommitted { cause: Box::new(cause) }
}
