//! Commits on their way to the log: many of them share one durable write, without a timer.
//!
//! ```text
//!    the writer's holder         the first who waits                       everybody whose commit is in the unit
//!    push, push, push     --->   takes a unit, writes it, shows it   --->  returns
//!    (records in order,          (one unit at a time; more commits
//!     a unit while they fit)      queue meanwhile)
//! ```
//! A commit adds its record to the last unit that waits, gives the writer back, and waits here. Whoever waits while nobody writes
//! does: so a single thread waits for nobody, and the slower the disk, the more commits share a write. A unit is whole or
//! absent after a crash, so what is written together is there together.
//!
//! **Invariant:** one unit is written at a time, and a unit when the one before it is durable. Commits are shown in their order,
//! by whoever has written them, or by the writer's holder when nothing waits. After a failed write nothing is written any more.
//!
//! A checkpoint [marks](LogQueue::mark) the place in the log behind the newest commit: what comes later begins a new unit, and
//! is to be done again after the checkpoint.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::PoisonError;
use std::time::Instant;

use pagefile_std::PageStore;

use super::super::TxStats;
use super::super::changes::ChangeLog;
use super::super::published::Snapshot;
use crate::error::{Error, Result};
use crate::format::LogStart;
use crate::store::sync::{Condvar, Mutex, MutexGuard};
use crate::store::{Ring, Unit};

/// The commits that wait for their durable write, and the place in the file that they wait for.
pub(crate) struct LogQueue {
    state: Mutex<State>,
    /// Those who wait for units with even numbers, and with odd ones: whoever need not wake sleeps on.
    written: [Condvar; 2],
}

#[derive(Default)]
struct State {
    /// None where commits do not go by a log.
    ring: Option<Ring>,
    /// Units that nobody has begun to write, in order. Records are added to the last.
    waiting: VecDeque<Filling>,
    writing: Option<Range>,
    /// Bytes of the log for the units that wait, and for the one that is being written.
    reserved: u64,
    /// The number of the next unit.
    next: u64,
    mark: Option<Mark>,
    failed: Option<Failed>,
}

/// Where the checkpoint that has begun ends in the log.
#[derive(Clone, Copy)]
enum Mark {
    /// Behind the unit of this number, which is not written yet.
    Behind(u64),
    At(LogStart),
}

/// A unit that records are added to.
struct Filling {
    number: u64,
    bytes: Vec<u8>,
    commits: Vec<Commit>,
    /// A checkpoint ends here: later commits are in another unit.
    closed: bool,
}

/// A unit by its number, and its transactions.
#[derive(Clone, Copy)]
struct Range {
    number: u64,
    first: u64,
    last: u64,
}

/// The unit that was not written, or nobody knows.
struct Failed {
    unit: Range,
    cause: Error,
    /// [`take_failure`](LogQueue::take_failure) has told it.
    told: bool,
}

/// A commit that waits.
pub(crate) struct Commit {
    pub(crate) tx: u64,
    /// Bytes of its record.
    pub(crate) bytes: u64,
    /// What readers and listeners are to learn when it is durable; none if they know already.
    pub(crate) news: Option<News>,
}

/// What there is to tell of a commit.
pub(crate) struct News {
    pub(crate) snapshot: Snapshot,
    pub(crate) stats: TxStats,
    pub(crate) changes: Option<ChangeLog>,
    /// When it was queued.
    pub(crate) since: Instant,
}

/// Who writes a unit, and shows what is durable.
pub(crate) trait Sink {
    /// Makes the unit durable.
    fn write(&self, unit: &Unit) -> Result<()>;

    /// The commits of the unit are durable.
    fn show(&self, unit: &Unit, commits: Vec<Commit>);
}

impl LogQueue {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::default()), written: [Condvar::new(), Condvar::new()] }
    }

    /// Commits go by this log from now on.
    pub(in crate::tx) fn begin(&self, ring: Ring) {
        let mut state = self.lock();
        assert!(state.ring.is_none() && state.is_quiet(), "a file has one log");
        state.ring = Some(ring);
    }

    /// The log has ended.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        assert!(state.is_quiet(), "no commit waits for a log that has ended");
        state.ring = None;
    }

    /// Whether the log has units that no checkpoint has made needless, or will have them.
    pub(crate) fn has_units(&self) -> bool {
        let state = self.lock();
        !state.is_quiet() || state.ring.as_ref().is_some_and(Ring::has_units)
    }

    /// Where the next unit goes. Nothing waits.
    pub(super) fn head(&self) -> Option<LogStart> {
        let state = self.lock();
        assert!(state.is_quiet(), "a checkpoint has everything that was committed before it");
        state.ring.as_ref().map(Ring::head)
    }

    /// A checkpoint with everything so far is durable.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        assert!(state.is_quiet(), "a checkpoint has everything that was committed before it");
        assert!(state.mark.is_none(), "one checkpoint is made at a time");
        state.ring.iter_mut().for_each(|ring| ring.release(ring.head().position));
    }

    /// A checkpoint begins that has everything so far. The holder of the writer says so.
    pub(in crate::tx) fn mark(&self) {
        let mut state = self.lock();
        let State { ring, waiting, writing, mark, .. } = &mut *state;
        assert!(mark.is_none(), "one checkpoint is made at a time");
        let last = match (waiting.back_mut(), &writing) {
            (Some(unit), _) => {
                unit.closed = true;
                Some(unit.number)
            }
            (None, Some(unit)) => Some(unit.number),
            (None, None) => None,
        };
        *mark = last.map(Mark::Behind).or_else(|| ring.as_ref().map(|ring| Mark::At(ring.head())));
    }

    /// Where the checkpoint that has begun ends in the log, once everything that it has is durable.
    pub(in crate::tx) fn marked(&self) -> Option<LogStart> {
        match self.lock().mark {
            Some(Mark::At(start)) => Some(start),
            _ => None,
        }
    }

    /// The checkpoint that has begun is durable.
    pub(in crate::tx) fn release_marked(&self) {
        let mut state = self.lock();
        let Some(Mark::At(start)) = state.mark.take() else { unreachable!("a checkpoint is made of what is durable") };
        state.ring.iter_mut().for_each(|ring| ring.release(start.position));
    }

    /// Waits for the write that is being made, if one is.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if that, or an earlier one, has failed.
    pub(in crate::tx) fn wait_for_write(&self) -> Result<()> {
        let mut state = self.lock();
        if let Some(unit) = state.writing {
            while state.writing.is_some_and(|writing| writing.number == unit.number) {
                state = self.written(unit.number).wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(state);
        self.check()
    }

    /// Whether `parts` of `of` equal parts of the log are filled, or will be.
    pub(super) fn is_filled(&self, parts: u64, of: u64) -> bool {
        let state = self.lock();
        state.ring.as_ref().is_some_and(|ring| ring.is_filled(state.reserved, parts, of))
    }

    /// Fills the log with zeros, before its first unit.
    pub(super) fn clear(&self, store: &dyn PageStore) -> Result<()> {
        let ring = self.lock().ring.clone();
        ring.map_or(Ok(()), |ring| ring.clear(store))
    }

    /// Whether the log has room for a record of `len` bytes before the next checkpoint, in a unit of its own: the one that waits may
    /// be written before the record is there. Only the holder of the writer takes room, so it has it until it does.
    pub(super) fn has_room(&self, len: usize) -> bool {
        let state = self.lock();
        let Some(ring) = &state.ring else { return false };
        let alone = ring.filled(Ring::begin_unit().len().saturating_add(len) as u64);
        len <= ring.longest_record() && ring.has_room(state.reserved.saturating_add(alone))
    }

    /// The newest commit, which the holder of the writer has made, with its record, for which there is [room](Self::has_room).
    ///
    /// # Errors
    /// [`Error::Poisoned`] if a write has failed: nothing comes of this one.
    pub(crate) fn push(&self, record: &[u8], commit: Commit) -> Result<()> {
        let mut state = self.lock();
        let Some(ring) = state.ring.as_ref().filter(|_| state.failed.is_none()) else { return Err(Error::Poisoned) };
        assert!(state.newest().is_none_or(|newest| newest < commit.tx), "commits wait in their order");
        let (joins, more) = state.place(ring, record.len());
        assert!(ring.has_room(state.reserved.saturating_add(more)), "there is room");
        state.reserved = state.reserved.saturating_add(more);
        if !joins {
            let number = state.next;
            state.next = number.wrapping_add(1);
            state.waiting.push_back(Filling { number, bytes: Ring::begin_unit(), commits: Vec::new(), closed: false });
        }
        let Some(unit) = state.waiting.back_mut() else { unreachable!("just made") };
        unit.bytes.extend_from_slice(record);
        unit.commits.push(commit);
        Ok(())
    }

    /// Waits until transaction `tx` and all before it are durable and shown; writes what waits if nobody else does.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the write of its unit failed, [`Error::NotCommitted`] if an earlier one did, so that it was never
    /// written.
    pub(in crate::tx) fn wait(&self, tx: u64, sink: &impl Sink) -> Result<()> {
        let mut state = self.lock();
        loop {
            if let Some(failed) = &state.failed {
                return failed.outcome_of(tx);
            }
            let Some(number) = state.unit_of(tx) else { return Ok(()) };
            state = if state.writing.is_some() {
                self.written(number).wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.lead(state, sink)
            };
        }
    }

    /// Waits for all commits that are there.
    ///
    /// # Errors
    /// As [`wait`](Self::wait) for the newest of them.
    pub(in crate::tx) fn drain(&self, sink: &impl Sink) -> Result<()> {
        let newest = self.lock().newest();
        newest.map_or_else(|| self.check(), |newest| self.wait(newest, sink))
    }

    /// Waits while a whole unit is ready behind the one that is being written, or before the last.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub(super) fn wait_for_room(&self, sink: &impl Sink) -> Result<()> {
        let ready = {
            let state = self.lock();
            // One that a checkpoint has closed need not be full.
            state.waiting.iter().rev().skip(1).find(|unit| !unit.closed).map(|unit| unit.range().last)
        };
        ready.map_or(Ok(()), |ready| self.wait(ready, sink))
    }

    /// The error of a write that failed, for the first who asks: nobody waited for it.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        let mut state = self.lock();
        let failed = state.failed.as_mut()?;
        let told = mem::replace(&mut failed.told, true);
        Some(if told { Error::Poisoned } else { Error::Unknown { cause: Box::new(failed.cause.again()) } })
    }

    /// Whether a write has failed: nothing is built on what was queued.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// # Errors
    /// [`Error::Poisoned`] if a write has failed.
    pub(super) fn check(&self) -> Result<()> {
        if self.has_failed() { Err(Error::Poisoned) } else { Ok(()) }
    }

    /// Writes the first unit that waits, and shows its commits.
    fn lead<'q>(&'q self, mut state: MutexGuard<'q, State>, sink: &impl Sink) -> MutexGuard<'q, State> {
        assert!(state.writing.is_none() && state.failed.is_none(), "one unit is written at a time");
        let (Some(ring), Some(filled)) = (state.ring.clone(), state.waiting.pop_front()) else {
            unreachable!("who waits has a unit in a log")
        };
        let range = filled.range();
        state.writing = Some(range);
        drop(state);
        // A panic on the way leaves the outcome as it is: nobody knows what the disk has, or what readers see.
        let mut turn = Turn { queue: self, range, outcome: Err(Error::Poisoned) };
        let Some(unit) = ring.unit(filled.bytes) else { unreachable!("a unit that waits has room") };
        turn.outcome = match sink.write(&unit) {
            Ok(()) => {
                sink.show(&unit, filled.commits);
                Ok(unit)
            }
            Err(cause) => Err(cause),
        };
        drop(turn);
        self.lock()
    }

    fn written(&self, number: u64) -> &Condvar {
        let [even, odd] = &self.written;
        if number & 1 == 0 { even } else { odd }
    }

    /// A panic cannot happen while the lock is held, but from a broken assertion; what it guards is whole then too.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of whoever writes a unit. Its end is told to those who wait, however it ends.
struct Turn<'q> {
    queue: &'q LogQueue,
    range: Range,
    outcome: Result<Unit>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        assert!(state.writing.is_some_and(|unit| unit.number == self.range.number), "a turn is of one unit");
        state.writing = None;
        match mem::replace(&mut self.outcome, Err(Error::Poisoned)) {
            Ok(unit) => {
                state.reserved = state.reserved.saturating_sub(unit.len());
                let State { ring, mark, .. } = &mut *state;
                if let Some(ring) = ring {
                    ring.advance(&unit);
                }
                if matches!(mark, Some(Mark::Behind(number)) if *number == self.range.number) {
                    *mark = ring.as_ref().map(|ring| Mark::At(ring.head()));
                }
            }
            Err(cause) => {
                // What waits was not handed to the disk, and never will be.
                state.waiting.clear();
                state.failed = Some(Failed { unit: self.range, cause, told: false });
            }
        }
        let (more, failed) = (!state.waiting.is_empty(), state.failed.is_some());
        drop(state);
        self.queue.written(self.range.number).notify_all();
        let next = self.queue.written(self.range.number.wrapping_add(1));
        if failed {
            next.notify_all();
        } else if more {
            // To write the next unit, unless somebody has come meanwhile.
            next.notify_one();
        }
    }
}

impl State {
    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_none()
    }

    /// The newest transaction that waits, or is being written.
    fn newest(&self) -> Option<u64> {
        let waiting = self.waiting.back().map(|unit| unit.range().last);
        waiting.or(self.writing.map(|unit| unit.last))
    }

    /// The unit that has transaction `tx`, or the last one before it; none if all up to it are durable.
    fn unit_of(&self, tx: u64) -> Option<u64> {
        let waiting = self.waiting.iter().rev().map(Filling::range);
        waiting.chain(self.writing).find(|unit| unit.first <= tx).map(|unit| unit.number)
    }

    /// Whether a record of `len` bytes joins the last unit that waits, and how many more bytes of the log that takes.
    fn place(&self, ring: &Ring, len: usize) -> (bool, u64) {
        let alone = Ring::begin_unit().len();
        let taken = |bytes: usize| ring.filled(bytes as u64);
        match self.waiting.back().filter(|unit| !unit.closed).map(|unit| unit.bytes.len()) {
            Some(filled) if filled.saturating_add(len).saturating_sub(alone) <= ring.longest_record() => {
                (true, taken(filled.saturating_add(len)).saturating_sub(taken(filled)))
            }
            _ => (false, taken(alone.saturating_add(len))),
        }
    }
}

impl Filling {
    fn range(&self) -> Range {
        let ends = self.commits.first().zip(self.commits.last());
        assert!(ends.is_some(), "a unit is begun for a commit");
        let (first, last) = ends.map_or((0, 0), |(first, last)| (first.tx, last.tx));
        Range { number: self.number, first, last }
    }
}

impl Failed {
    /// What became of the commit of transaction `tx`, if it is not known to be durable.
    fn outcome_of(&self, tx: u64) -> Result<()> {
        if tx < self.unit.first {
            return Ok(());
        }
        if tx <= self.unit.last {
            return Err(Error::Unknown { cause: Box::new(self.cause.again()) });
        }
        Err(Error::NotCommitted { cause: Box::new(Error::Poisoned) })
    }
}

impl fmt::Debug for LogQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogQueue").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests;
