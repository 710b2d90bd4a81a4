//! The commit: plan, persist, publish.
//!
//! ```text
//!   dirty nodes --plan--> pages with numbers --persist--> durable --publish--> visible
//!                 |                             |      |
//!                 v NotCommitted                v      v Unknown
//!           the free space is rolled back  NotCommitted   the store is poisoned
//! ```

use std::time::Instant;

use freelist_core::{PageId, TxId};

use super::core::Core;
use super::open_buckets::OpenBuckets;
use super::persist::persist;
use super::plan::{self, Plan, plan};
use super::publish::publish;
use super::shrink;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::store::{Carry, Link, WriteSet};

/// Makes the changes of transaction `tx` durable and visible. A transaction without changes does nothing.
pub(super) fn commit(
    core: &Core,
    writer: &mut Writer,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: TxId,
) -> Result<()> {
    let started = Instant::now();
    assert_eq!(write_set.high_water(), writer.visible.high_water, "the transaction builds on the newest state");
    if core.settings.shrink > 0 && buckets.any_changed() {
        shrink::along(core, writer, (write_set, buckets));
    }
    if !buckets.spill(write_set).map_err(not_committed)? {
        return Ok(());
    }
    run(core, writer, (write_set, buckets), tx, core.settings.carry, started)
}

/// Writes the list of free pages, or their log, into the file, as a commit that changes nothing else, unless one of them is
/// there. For a database that is being closed.
pub(crate) fn store_freelist(core: &Core, writer: &mut Writer) -> Result<()> {
    if writer.free_space.is_stored() {
        return Ok(());
    }
    writer.retire(&core.readers)?;
    let tx = plan::next_tx(&writer.visible)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    let carry = if core.settings.carry == Carry::Log { Carry::Log } else { Carry::List };
    assert!(!core.settings.read_only, "only a database that can be written has a writer");
    run(core, writer, (&mut write_set, &mut buckets), tx, carry, Instant::now())?;
    assert!(carry == Carry::Log || writer.free_space.is_stored(), "the newest state has a list");
    Ok(())
}

/// One commit on the way to a shorter file: it moves up to `pages` pages from the end of the file. Without something to move
/// it does nothing, unless it is `forced`, so that both metas get a lower high-water mark. Returns how many pages it moved.
///
/// # Errors
/// Those of a commit, `Corrupt` where a node to be moved is damaged, or [`Error::Store`] if the file cannot be truncated.
pub(crate) fn shrink_step(core: &Core, writer: &mut Writer, pages: u64, forced: bool) -> Result<u64> {
    let started = Instant::now();
    writer.retire(&core.readers)?;
    let tx = plan::next_tx(&writer.visible)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    let moved = shrink::step(writer, (&mut write_set, &mut buckets), pages)?;
    if buckets.spill(&mut write_set).map_err(not_committed)? || forced {
        run(core, writer, (&mut write_set, &mut buckets), tx, core.settings.carry, started)?;
    }
    writer.shrink.take_refusal().map_or(Ok(moved), |refused| Err(refused.into()))
}

/// The changes of a transaction that changes nothing.
fn nothing_changed(core: &Core, writer: &Writer) -> (WriteSet, OpenBuckets) {
    let write_set = core.write_set(writer, Vec::new());
    let root = Link::page(PageId::new(writer.visible.root));
    (write_set, OpenBuckets::new(root, writer.visible.root_sequence))
}

fn run(
    core: &Core,
    writer: &mut Writer,
    (write_set, buckets): (&mut WriteSet, &mut OpenBuckets),
    tx: TxId,
    carry: Carry,
    started: Instant,
) -> Result<()> {
    // Until it is known how the commit ends. If it panics, in a store of the user's own for example, nothing builds on what
    // is half done.
    writer.in_doubt = true;
    let planned = plan(writer, write_set, buckets, tx, carry).map_err(not_committed);
    let persisted = planned.and_then(|mut plan: Plan| {
        plan.stats.spill_time = started.elapsed();
        let checkpoint = persist(core, writer, write_set, &mut plan)?;
        plan.stats.write_time = started.elapsed().saturating_sub(plan.stats.spill_time);
        Ok((plan, checkpoint))
    });
    match persisted {
        Ok((plan, checkpoint)) => {
            publish(core, writer, &plan, checkpoint);
            if writer.shrink.is_on() {
                shrink::cut_file(core, writer);
            }
        }
        Err(error @ Error::NotCommitted { .. }) => {
            assert!(writer.visible.tx < tx.get(), "what was not committed is not visible");
            // Without memory for it, the next transaction goes on with the rollback.
            let _ = writer.free_space.rollback(tx);
            writer.in_doubt = false;
            return Err(error);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn not_committed(cause: Error) -> Error {
    Error::NotCommitted { cause: Box::new(cause) }
}
