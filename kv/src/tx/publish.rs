//! The third step of a commit: the next transaction builds on the new state, and new readers see it.

use std::time::Instant;

use super::changes::ChangeLog;
use super::commit::Made;
use super::core::Core;
use super::plan::Plan;
use super::published::Snapshot;
use super::redo::{Commit, News};
use super::writer::{Checkpoint, Writer};
use crate::error::{Error, Result};

/// Shows the state of `plan` to new readers and builds the next transaction on it. `checkpoint` is what a power cut leaves
/// from now on.
pub(super) fn publish(core: &Core, writer: &mut Writer, plan: &Plan, checkpoint: Checkpoint) {
    let snapshot = build_on(core, writer, plan, checkpoint);
    core.published.publish(snapshot);
    debug_assert_eq!(core.published.read().0.tx, plan.meta.tx, "new readers begin at the new state");
    core.counters.add(&plan.stats);
}

/// Builds the next transaction on the state of `plan`, and queues `record` for the log. New readers see the state, and listeners
/// are told of its changes, when it is durable; or at once, where commits become durable later.
///
/// # Errors
/// [`Error::NotCommitted`] if a write to the log has failed.
pub(super) fn queue(
    core: &Core,
    writer: &mut Writer,
    plan: &Plan,
    record: &[u8],
    changes: &mut Option<ChangeLog>,
) -> Result<Made> {
    let snapshot = build_on(core, writer, plan, writer.checkpoint);
    assert!(snapshot.resident > 0, "what only the log has is in memory");
    let news = if core.background.is_some() {
        None
    } else {
        Some(News { snapshot, stats: plan.stats, changes: changes.take(), since: Instant::now() })
    };
    let queued = core.log.push(record, Commit { tx: plan.meta.tx, bytes: record.len() as u64, news });
    queued.map_err(|cause| Error::NotCommitted { cause: Box::new(cause) })?;
    let Some(background) = &core.background else { return Ok(Made::Queued) };
    background.note();
    core.published.publish(snapshot);
    core.counters.add(&plan.stats);
    Ok(Made::Visible)
}

/// The next transaction builds on the state of `plan`. Returns that state.
///
/// The pages of the state before begin to become free: the next transaction takes those that no pinned state uses.
fn build_on(core: &Core, writer: &mut Writer, plan: &Plan, checkpoint: Checkpoint) -> Snapshot {
    assert_eq!(
        plan.meta.high_water,
        writer.free_space.planned_high_water(),
        "nothing was allocated after the plan was made"
    );
    writer.free_space.commit(plan.tx(), &plan.free_space);
    writer.advance(&plan.meta, checkpoint);
    core.counters.note_free_space(&writer.free_space);
    let resident = writer.redo.as_ref().map_or(0, |redo| redo.residents().to_word());
    Snapshot { resident, ..Snapshot::from(&plan.meta) }
}
