//! Checkpoints beside commits: when one begins, and what the writer makes of its end.

use freelist_core::TxId;

use super::super::core::Core;
use super::super::writer::{Checkpoint, Writer};
use super::checkpointer::Job;
use super::not_committed;
use crate::error::{Error, Result};

/// Of so many equal parts of the memory, or of the log, ...
const PARTS: u64 = 4;

/// ... so many are filled since the last one when a checkpoint begins, ...
const BEGINS: u64 = 2;

/// ... and so many when commits wait for it: a transaction that takes no more than the rest goes by the log all the same.
const WAITS: u64 = 3;

/// Between two transactions: takes note of a checkpoint that has ended, and waits for one if commits have little room left.
///
/// # Errors
/// Why nothing may be written any more, if a checkpoint has failed.
pub(in crate::tx) fn tend(core: &Core, writer: &mut Writer) -> Result<()> {
    let Some(checkpointer) = &core.checkpointer else { return Ok(()) };
    if writer.redo.is_none() {
        return Ok(());
    }
    checkpointer.help();
    take_end(core, writer);
    if is_frozen(writer) && is_filled(core, writer, WAITS) {
        checkpointer.wait();
        take_end(core, writer);
    }
    if checkpointer.has_failed() {
        return Err(core.refusal().unwrap_or(Error::Poisoned));
    }
    Ok(())
}

/// Waits for the end of a checkpoint that has begun, for a commit that cannot go on without it.
///
/// # Errors
/// [`Error::NotCommitted`] or [`Error::Unknown`] if the checkpoint has failed.
pub(in crate::tx) fn settle(core: &Core, writer: &mut Writer) -> Result<()> {
    let Some(checkpointer) = core.checkpointer.as_ref().filter(|_| is_frozen(writer)) else { return Ok(()) };
    checkpointer.wait();
    take_end(core, writer);
    if is_frozen(writer) {
        return Err(match core.refusal() {
            Some(told @ (Error::NotCommitted { .. } | Error::Unknown { .. })) => told,
            _ => not_committed(Error::Poisoned),
        });
    }
    Ok(())
}

fn is_frozen(writer: &Writer) -> bool {
    writer.redo.as_ref().is_some_and(|redo| redo.frozen.is_some())
}

/// Whether so many parts of the memory that commits fill, or of the log, are filled.
fn is_filled(core: &Core, writer: &Writer, parts: u64) -> bool {
    let filling = writer.redo.as_ref().and_then(|redo| redo.filling.as_ref());
    filling.is_some_and(|(_, resident)| resident.is_filled(parts, PARTS) || core.log.is_filled(parts, PARTS))
}

/// Begins a checkpoint of the newest state if there is enough for one, and commits have another generation to fill meanwhile.
/// Between two transactions, when what is free is known.
pub(in crate::tx) fn begin(core: &Core, writer: &mut Writer) {
    if is_frozen(writer) || !is_filled(core, writer, BEGINS) {
        return;
    }
    let (Some(checkpointer), Some(redo), state) = (&core.checkpointer, &mut writer.redo, writer.visible) else {
        return;
    };
    // Memory may be filled with what no commit has made.
    if writer.checkpoint == Checkpoint::At(TxId::new(state.tx)) {
        return;
    }
    assert!(!writer.in_doubt, "a checkpoint is of a state that is whole");
    let Some(next) = redo.next(core) else { return };
    let Some((number, resident)) = redo.filling.replace(next) else { return };
    core.log.mark();
    let images = resident.freeze(|page| writer.free_space.is_in_use(page));
    redo.frozen = Some((number, TxId::new(state.tx)));
    let pages = redo.room(state.high_water).min(writer.free_space.limit());
    let room = pages.saturating_mul(core.page_size.into());
    checkpointer.begin(Job::new(&state, redo.slot ^ 1, images, room));
}

/// If the checkpoint that has begun is durable: its state is what is pinned from now on, and new states have no page in the
/// memory that it was made of.
fn take_end(core: &Core, writer: &mut Writer) {
    let (Some(checkpointer), Some(redo)) = (&core.checkpointer, &mut writer.redo) else { return };
    if redo.frozen.is_none() || !checkpointer.take_end() {
        return;
    }
    let Some((number, state)) = redo.frozen.take() else { return };
    redo.slot ^= 1;
    // The newest state has its pages there still.
    redo.end(number, TxId::new(writer.visible.tx.saturating_add(1)));
    writer.checkpoint = Checkpoint::At(state);
}
