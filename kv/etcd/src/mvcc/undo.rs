//! What memory has learnt of a commit under way, so that it forgets it if the commit fails.

use bytes::Bytes;

use super::lease::Lease;
use super::locked::{lock, write};
use super::shared::Shared;

/// One step to take back.
pub(super) enum Undo {
    /// A key was put or deleted.
    Change(Bytes),
    /// A key was attached to this lease before.
    Attach(Bytes, i64),
    /// A lease is new.
    Grant(i64),
    /// A lease ended.
    Revoke(i64, Lease),
    /// The row of a lease said that so much was left.
    Remaining(i64, i64),
}

/// Takes the steps back, the last one first.
pub(super) fn undo(shared: &Shared, steps: Vec<Undo>) {
    let mut lessor = lock(&shared.lessor);
    for step in steps.into_iter().rev() {
        match step {
            Undo::Change(key) => write(&shared.index).undo(&key),
            Undo::Attach(key, lease) => drop(lessor.attach(&key, lease)),
            Undo::Grant(id) => {
                let lease = lessor.remove(id);
                assert!(lease.is_some(), "what was granted is there");
            }
            Undo::Revoke(id, lease) => lessor.insert(id, lease),
            Undo::Remaining(id, left) => drop(lessor.set_remaining(id, left)),
        }
    }
}
