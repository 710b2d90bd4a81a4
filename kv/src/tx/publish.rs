//! The third step of a commit: new readers see the new state.

use super::core::Core;
use super::plan::Plan;
use super::published::Snapshot;
use super::writer::{Checkpoint, Writer};

/// Shows the state of `plan` to new readers and builds the next transaction on it. `checkpoint` is what a power cut leaves
/// from now on.
///
/// The pages of the state before begin to become free: the next transaction takes those that no pinned state uses.
pub(super) fn publish(core: &Core, writer: &mut Writer, plan: &Plan, checkpoint: Checkpoint) {
    assert_eq!(
        plan.meta.high_water,
        writer.free_space.planned_high_water(),
        "nothing was allocated after the plan was made"
    );
    writer.free_space.commit(plan.tx(), &plan.free_space);
    writer.advance(&plan.meta, checkpoint);
    core.published.publish(Snapshot::from(&plan.meta));
    debug_assert_eq!(core.published.read().0.tx, plan.meta.tx, "new readers begin at the new state");
    core.counters.add(&plan.stats);
    core.counters.note_free_space(&writer.free_space);
}
