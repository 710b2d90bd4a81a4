//! Group commit: many callers, one transaction.
//!
//! Callers queue their closures. Whoever finds nobody leading becomes the leader: it waits for the writer lock, takes
//! all that have queued by then, runs them in one transaction and commits it; meanwhile the next callers queue, and one
//! of them leads the next round. So the group is as large as a commit is slow, and a caller alone never waits for
//! company: there is no timer. (`RocksDB` groups its writers alike.)

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError};

use super::core::{Core, Handle};
use super::sync::{Condvar, Mutex, MutexGuard};
use super::write::{Hook, WriteTx};
use crate::error::{Error, Result};

/// As many closures share a transaction at most.
const GROUP: usize = 1000;

/// What a caller's closure made of its turn in a shared transaction.
enum Outcome {
    /// It went through, and so did the commit.
    Committed,
    /// The closure failed or the commit did: the caller runs it again, alone.
    Alone,
    /// The closure panicked.
    Panicked(Box<dyn Any + Send>),
    /// The commit failed in a way that another try would not mend.
    Failed(Error),
}

/// What a closure answered, and the hooks that it left in a transaction that is not its own.
struct Answer<T> {
    value: T,
    hooks: Vec<Hook>,
}

/// Runs the caller's closure; false if it failed.
type Run = Box<dyn FnMut(&mut WriteTx<'_>) -> bool + Send>;

struct Job {
    run: Run,
    done: Arc<Done>,
}

/// Where a caller waits for its outcome, or for becoming the leader.
#[derive(Default)]
struct Done {
    state: Mutex<Turn>,
    woken: Condvar,
}

#[derive(Default)]
enum Turn {
    #[default]
    Waiting,
    Lead,
    Over(Outcome),
}

/// The callers that wait for the next shared transaction.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Somebody leads a round, or has been told to lead the next.
    led: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// Runs `f` in a transaction shared with whoever else calls this at the time; see [`Db::batch`](crate::Db::batch).
pub(crate) fn batch<T, E>(
    core: &Core,
    mut f: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let result: Arc<Mutex<Option<Answer<T>>>> = Arc::default();
    let kept = Arc::clone(&result);
    let closure = Arc::new(Mutex::new(move |tx: &mut WriteTx<'_>| f(tx)));
    let shared = Arc::clone(&closure);
    let run: Run = Box::new(move |tx| match lock(&shared)(tx) {
        Ok(value) => {
            *lock(&kept) = Some(Answer { value, hooks: tx.take_hooks() });
            true
        }
        Err(_) => false,
    });
    match core.queue.submit(core, run) {
        Outcome::Committed => match lock(&result).take() {
            Some(Answer { value, hooks }) => {
                for hook in hooks {
                    hook();
                }
                Ok(value)
            }
            None => unreachable!("a closure that went through left its result"),
        },
        Outcome::Failed(error) => Err(error.into()),
        Outcome::Panicked(panic) => resume_unwind(panic),
        Outcome::Alone => {
            let mut tx = WriteTx::begin(Handle::Borrowed(core))?;
            let value = lock(&closure)(&mut tx)?;
            tx.commit()?;
            Ok(value)
        }
    }
}

impl Queue {
    /// Queues `run` and returns what became of it; leads a round if nobody else does.
    fn submit(&self, core: &Core, run: Run) -> Outcome {
        let done = Arc::new(Done::default());
        let lead = {
            let mut waiting = lock(&self.0);
            waiting.jobs.push_back(Job { run, done: Arc::clone(&done) });
            !std::mem::replace(&mut waiting.led, true)
        };
        if lead {
            self.lead(core);
        }
        loop {
            match done.wait() {
                Turn::Over(outcome) => return outcome,
                Turn::Lead => self.lead(core),
                Turn::Waiting => {}
            }
        }
    }

    /// One round. The leader's own job is the first in the queue.
    fn lead(&self, core: &Core) {
        let round = || -> Vec<Job> {
            let mut waiting = lock(&self.0);
            let group = waiting.jobs.len().min(GROUP);
            waiting.jobs.drain(..group).collect()
        };
        match WriteTx::begin(Handle::Borrowed(core)) {
            Ok(tx) => run_together(core, tx, round()),
            Err(_) => round().into_iter().for_each(|job| job.done.decide(Turn::Over(Outcome::Alone))),
        }
        let mut waiting = lock(&self.0);
        match waiting.jobs.front() {
            Some(next) => next.done.decide(Turn::Lead),
            None => waiting.led = false,
        }
    }
}

/// Runs the jobs in one transaction. One that fails or panics is taken out, and the others begin again without it.
fn run_together(core: &Core, first: WriteTx<'_>, mut jobs: Vec<Job>) {
    let mut tx = Some(first);
    while !jobs.is_empty() {
        let begun = tx.take().map_or_else(|| WriteTx::begin(Handle::Borrowed(core)), Ok);
        let Ok(mut shared) = begun else { break };
        let failed = jobs.iter_mut().enumerate().find_map(|(index, job)| {
            match catch_unwind(AssertUnwindSafe(|| (job.run)(&mut shared))) {
                Ok(true) => None,
                Ok(false) => Some((index, Outcome::Alone)),
                Err(panic) => Some((index, Outcome::Panicked(panic))),
            }
        });
        if let Some((index, outcome)) = failed {
            drop(shared);
            jobs.remove(index).done.decide(Turn::Over(outcome));
            continue;
        }
        let committed = shared.commit();
        for job in jobs.drain(..) {
            job.done.decide(Turn::Over(outcome(&committed)));
        }
        return;
    }
    for job in jobs {
        job.done.decide(Turn::Over(Outcome::Alone));
    }
}

/// What a commit means for each of its callers. A transaction that was too large for all may not be for one.
fn outcome(committed: &Result<()>) -> Outcome {
    match committed {
        Ok(()) => Outcome::Committed,
        Err(Error::Unknown { cause }) => Outcome::Failed(Error::Unknown { cause: Box::new(repeat(cause)) }),
        Err(_) => Outcome::Alone,
    }
}

/// Errors of the system cannot be copied; each caller of a shared commit gets the cause as far as it can be told.
fn repeat(cause: &Error) -> Error {
    match cause {
        Error::Store(pagefile_std::StoreError::Io { operation, path, offset, source }) => {
            Error::Store(pagefile_std::StoreError::Io {
                operation: *operation,
                path: path.clone(),
                offset: *offset,
                source: std::io::Error::new(source.kind(), source.to_string()),
            })
        }
        _ => Error::Poisoned,
    }
}

impl Done {
    fn decide(&self, turn: Turn) {
        *lock(&self.state) = turn;
        self.woken.notify_one();
    }

    /// Waits until there is something to do, and takes it.
    fn wait(&self) -> Turn {
        let mut state = lock(&self.state);
        loop {
            match std::mem::take(&mut *state) {
                Turn::Waiting => state = self.woken.wait(state).unwrap_or_else(PoisonError::into_inner),
                turn => return turn,
            }
        }
    }
}

/// What these locks guard is whole at every moment, so a panic of one caller is nothing to another.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
