//! Revisions that reads in flight need, so that a compaction waits for them and nobody else does.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};

use super::error::{Error, Result};
use super::locked::{lock, wait};

/// What was compacted, and what is being read.
#[derive(Debug)]
pub(super) struct Pins {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug)]
struct State {
    compacted: i64,
    /// Per revision how many read it.
    reads: BTreeMap<i64, usize>,
}

/// A read in flight. The index keeps what it needs until it is dropped.
#[derive(Debug)]
pub(super) struct Pin<'a> {
    pins: &'a Pins,
    revision: i64,
}

impl Pins {
    pub(super) fn new(compacted: i64) -> Self {
        Self { state: Mutex::new(State { compacted, reads: BTreeMap::new() }), released: Condvar::new() }
    }

    pub(super) fn compacted(&self) -> i64 {
        lock(&self.state).compacted
    }

    /// Begins a read at `revision`.
    ///
    /// # Errors
    /// [`Error::Compacted`].
    pub(super) fn pin(&self, revision: i64) -> Result<Pin<'_>> {
        let mut state = lock(&self.state);
        if revision < state.compacted {
            return Err(Error::Compacted);
        }
        debug_assert!(revision >= state.compacted, "what is compacted is not read");
        *state.reads.entry(revision).or_default() += 1;
        Ok(Pin { pins: self, revision })
    }

    /// From now on no read begins below `revision`.
    pub(super) fn set_compacted(&self, revision: i64) {
        let mut state = lock(&self.state);
        debug_assert!(revision >= state.compacted, "what is compacted stays so");
        state.compacted = revision;
    }

    /// Waits until no read below `revision` is in flight.
    pub(super) fn wait_below(&self, revision: i64) {
        let mut state = lock(&self.state);
        debug_assert!(revision <= state.compacted, "reads below could begin again and again");
        while state.reads.first_key_value().is_some_and(|(oldest, _)| *oldest < revision) {
            state = wait(&self.released, state);
        }
    }
}

impl Pin<'_> {
    pub(super) const fn revision(&self) -> i64 {
        self.revision
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pins.state);
        let reads = state.reads.get_mut(&self.revision).expect("this read was counted");
        assert!(*reads > 0, "each read ends once");
        *reads -= 1;
        if *reads == 0 {
            state.reads.remove(&self.revision);
            self.pins.released.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_compaction_waits_for_older_reads_and_for_no_others() {
        let (pins, waited) = (Pins::new(-1), AtomicBool::new(false));
        let (old, older) = (pins.pin(5).expect("it is there"), pins.pin(5).expect("it is there"));
        pins.set_compacted(10);
        assert!(matches!(pins.pin(9), Err(Error::Compacted)));
        let new = pins.pin(10).expect("the compacted revision stays");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                pins.wait_below(10);
                waited.store(true, Ordering::SeqCst);
            });
            drop(old);
            std::thread::sleep(Duration::from_millis(100));
            assert!(!waited.load(Ordering::SeqCst), "one is still read");
            drop(older);
        });
        assert_eq!((new.revision(), pins.compacted()), (10, 10));
    }
}
