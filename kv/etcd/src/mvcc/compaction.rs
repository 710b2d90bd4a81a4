//! Compactions: what no read needs any more leaves the index and the file, beside the traffic.
//!
//! 1. The writer notes the revision in the file and publishes it: no read begins below it.
//! 2. This thread waits for the reads below it that are in flight, and compacts the index, leaf by leaf. The index knows
//!    every row, so it says which rows go.
//! 3. The rows are deleted in small parts with a pause after each. A part waits in the queue like any write, so it shares a
//!    commit with the others of its group, and holds nobody up for long.
//! 4. The last part notes that the compaction is finished. If the process ends before, the next opening does it again.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use super::locked::{lock, wait, wait_for, write};
use super::queue::{Answer, Job};
use super::request::CompactRequest;
use super::response::CompactResponse;
use super::revision::Revision;
use super::shared::Shared;

/// Compactions that wait for their turn.
#[derive(Default)]
pub(super) struct Compactor {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    scheduled: VecDeque<Scheduled>,
    closed: bool,
}

struct Scheduled {
    revision: i64,
    /// Who waits until the rows are deleted.
    told: Option<(CompactResponse, Answer<CompactResponse>)>,
}

impl Compactor {
    /// Takes a compaction that the file has noted.
    pub(super) fn schedule(&self, request: CompactRequest, response: CompactResponse, answer: Answer<CompactResponse>) {
        let mut told = Some((response, answer));
        let early = if request.physical { None } else { told.take() };
        debug_assert!(early.is_some() || told.is_some(), "somebody is told");
        lock(&self.state).scheduled.push_back(Scheduled { revision: request.revision, told });
        self.filled.notify_one();
        if let Some((response, answer)) = early {
            answer(Ok(response));
        }
    }

    /// Takes one that was not finished before the store was opened.
    pub(super) fn resume(&self, revision: i64) {
        lock(&self.state).scheduled.push_back(Scheduled { revision, told: None });
    }

    /// What is not finished is left to the next opening.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_all();
    }

    /// Waits; returns false at once when the store is closed.
    fn pause(&self, time: Duration) -> bool {
        let began = Instant::now();
        let mut state = lock(&self.state);
        while let Some(left) = time.checked_sub(began.elapsed()).filter(|left| !left.is_zero() && !state.closed) {
            state = wait_for(&self.filled, state, left);
        }
        debug_assert!(state.closed || began.elapsed() >= time, "others had the writer meanwhile");
        !state.closed
    }

    fn take(&self) -> Option<Scheduled> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                state.scheduled.drain(..).for_each(|scheduled| scheduled.tell(Err(Error::Stopped)));
                return None;
            }
            match state.scheduled.pop_front() {
                Some(scheduled) => return Some(scheduled),
                None => state = wait(&self.filled, state),
            }
        }
    }
}

impl Scheduled {
    fn tell(self, result: Result<()>) {
        if let Some((response, answer)) = self.told {
            answer(result.map(|()| response));
        }
    }
}

/// The compactor's thread.
pub(super) fn run(shared: &Shared) {
    while let Some(scheduled) = shared.compactor.take() {
        let result = compact(shared, scheduled.revision);
        scheduled.tell(result);
    }
}

fn compact(shared: &Shared, revision: i64) -> Result<()> {
    debug_assert!(revision <= shared.pins.compacted(), "no read begins below it");
    shared.pins.wait_below(revision);
    let mut rows = compact_index(shared, revision);
    // As they lie in the file.
    rows.sort_unstable();
    debug_assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "each row goes once");
    for part in rows.chunks(shared.options.compaction_rows) {
        shared.queue.call(|answer| Job::Remove(part.to_vec(), answer))?;
        if !shared.compactor.pause(shared.options.compaction_pause) {
            return Err(Error::Stopped);
        }
    }
    shared.queue.call(|answer| Job::Finish(revision, answer)).map(drop)
}

/// The rows that go, with whether each is a delete's.
fn compact_index(shared: &Shared, revision: i64) -> Vec<(Revision, bool)> {
    let mut rows = Vec::new();
    let mut from = Some(Box::default());
    while let Some(start) = from {
        let mut index = write(&shared.index);
        from = index.compact(&start, revision, shared.options.tombstones, |revision, tombstone| {
            rows.push((revision, tombstone));
        });
    }
    debug_assert!(rows.iter().all(|(row, _)| row.main <= revision), "newer rows stay");
    rows
}
