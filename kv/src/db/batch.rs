//! Group commit: many callers, one transaction.
//!
//! Each caller puts its closure into the queue. A caller that finds no leader becomes the leader: it waits for the
//! writer lock, takes the closures that are in the queue by then, runs them in one transaction and commits it. More
//! callers queue meanwhile, and the first of them leads the next round, as soon as the writer is there again: with a redo log
//! that is before the commit is durable, and then rounds share their write, too. The slower a commit, the larger the group, and
//! a single caller never waits for others: there is no timer. (`RocksDB` groups its writers in the same way.)

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError};

use crate::error::{Error, Result};
use crate::store::sync::{Condvar, Mutex, MutexGuard};
use crate::tx::{Core, HandedIn, Handle, Hook, WriteTx};

/// Most closures in one commit.
const GROUP_MAX: usize = 1000;

/// How a closure's turn in a shared transaction ended.
enum Outcome {
    /// The closure succeeded, and so did the commit.
    Committed,
    /// The closure or the commit failed: the caller runs the closure again, in a transaction without others.
    Alone,
    /// The closure panicked.
    Panicked(Box<dyn Any + Send>),
    /// The commit failed, and another try would not help.
    Failed(Error),
}

/// The closure's result, and the hooks that the closure registered in the shared transaction.
struct Answer<T> {
    value: T,
    hooks: Vec<Hook>,
}

/// Runs the caller's closure and returns whether it succeeded.
type Run = Box<dyn FnMut(&mut WriteTx<'_>) -> bool + Send>;

struct Job {
    run: Run,
    done: Arc<Done>,
}

/// A caller waits here until a leader decides its outcome, or until it has to lead.
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
    /// A caller leads a round, or has been told to lead the next.
    led: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// Runs `f` in a transaction that it shares with the other callers of that time; see
    /// [`Db::batch`](crate::Db::batch).
    pub(super) fn batch<T, E>(
        &self,
        core: &Core,
        mut f: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if core.writer_lock.is_held_here() {
            // The leader would wait for this thread's transaction, and this thread for the leader.
            return Err(Error::AlreadyWriting.into());
        }
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
        match self.submit(core, run) {
            Outcome::Committed => match lock(&result).take() {
                Some(Answer { value, hooks }) => {
                    for hook in hooks {
                        hook();
                    }
                    Ok(value)
                }
                None => unreachable!("a closure that succeeded left its result"),
            },
            Outcome::Failed(error) => Err(error.into()),
            Outcome::Panicked(panic) => resume_unwind(panic),
            Outcome::Alone => {
                let mut tx = WriteTx::begin(Handle::Borrowed(core))?;
                match lock(&closure)(&mut tx) {
                    Ok(value) => tx.commit().map(|()| value).map_err(E::from),
                    Err(error) => tx.abandon().map_err(E::from).and(Err(error)),
                }
            }
        }
    }

    /// Queues `run` and returns its outcome; leads a round if no other caller does.
    fn submit(&self, core: &Core, run: Run) -> Outcome {
        let done = Arc::new(Done::default());
        let lead = {
            let mut waiting = lock(&self.0);
            assert!(waiting.led || waiting.jobs.is_empty(), "jobs that wait have a leader");
            waiting.jobs.push_back(Job { run, done: Arc::clone(&done) });
            !std::mem::replace(&mut waiting.led, true)
        };
        if lead {
            self.lead(core, &done);
        }
        loop {
            match done.wait() {
                Turn::Over(outcome) => return outcome,
                Turn::Lead => self.lead(core, &done),
                Turn::Waiting => {}
            }
        }
    }

    /// Leads one round. The leader's own job, `own`, is the first in the queue.
    fn lead(&self, core: &Core, own: &Arc<Done>) {
        let round = || -> Vec<Job> {
            let mut waiting = lock(&self.0);
            assert!(waiting.led, "only a leader takes jobs from the queue");
            let first = waiting.jobs.front();
            assert!(first.is_some_and(|job| Arc::ptr_eq(&job.done, own)), "the leader's own job is the first");
            let group = waiting.jobs.len().min(GROUP_MAX);
            waiting.jobs.drain(..group).collect()
        };
        let mut taken: Vec<Arc<Done>> = Vec::new();
        let led = catch_unwind(AssertUnwindSafe(|| {
            let begun = WriteTx::begin(Handle::Borrowed(core));
            let jobs = round();
            taken.extend(jobs.iter().map(|job| Arc::clone(&job.done)));
            match begun {
                Ok(tx) => run_together(core, tx, jobs),
                Err(error) => {
                    refuse(jobs, error);
                    None
                }
            }
        }));
        if led.is_err() {
            // A broken assertion, or a store that panics, must not leave callers waiting. Those whose turn has not come meet
            // it alone; for the others it may have come after the commit.
            for done in &taken {
                done.decide_unless_over(Outcome::Failed(Error::Unknown { cause: Box::new(Error::Poisoned) }));
            }
            if taken.is_empty() {
                for job in round() {
                    job.done.decide(Turn::Over(Outcome::Alone));
                }
            }
        }
        self.hand_over(core);
        if let Ok(Some(round)) = led {
            round.finish();
        }
        assert!(own.is_over(), "a round decides the job of its leader");
    }

    /// The next caller leads, if one waits.
    fn hand_over(&self, core: &Core) {
        assert!(!core.writer_lock.is_held_here(), "a round gives the writer back to the next");
        let mut waiting = lock(&self.0);
        assert!(waiting.led, "a leader leads until it hands over");
        match waiting.jobs.front() {
            Some(next) => next.done.decide(Turn::Lead),
            None => waiting.led = false,
        }
    }
}

/// Jobs whose shared commit has given the writer back.
struct Round<'db> {
    commit: HandedIn<'db>,
    jobs: Vec<Job>,
}

impl Round<'_> {
    /// Waits until the commit is durable, and decides the jobs.
    fn finish(self) {
        let Self { commit, jobs } = self;
        let committed = catch_unwind(AssertUnwindSafe(|| commit.finish()));
        // After a panic nobody knows whether it is.
        let committed = committed.unwrap_or_else(|_| Err(Error::Unknown { cause: Box::new(Error::Poisoned) }));
        for job in jobs {
            job.done.decide(Turn::Over(outcome(&committed)));
        }
    }
}

/// Runs the jobs in one transaction and hands it in. A job that fails or panics is taken out, and the others begin again without
/// it. Without a round, all are decided.
fn run_together<'db>(core: &'db Core, first: WriteTx<'db>, mut jobs: Vec<Job>) -> Option<Round<'db>> {
    assert!(!jobs.is_empty(), "a round has the job of its leader at least");
    let mut tx = Some(first);
    while !jobs.is_empty() {
        let begun = tx.take().map_or_else(|| WriteTx::begin(Handle::Borrowed(core)), Ok);
        let mut shared = match begun {
            Ok(tx) => tx,
            Err(error) => {
                refuse(jobs, error);
                return None;
            }
        };
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
        match shared.hand_in() {
            Ok(commit) => return Some(Round { commit, jobs }),
            Err(error) => {
                let refused = Err(error);
                jobs.drain(..).for_each(|job| job.done.decide(Turn::Over(outcome(&refused))));
            }
        }
    }
    None
}

/// No transaction begins. Each caller is told so when it tries alone; but why an earlier write has failed is told once, and the
/// first of them is told that now.
fn refuse(jobs: Vec<Job>, error: Error) {
    let mut told = Some(error).filter(|error| matches!(error, Error::NotCommitted { .. } | Error::Unknown { .. }));
    for job in jobs {
        job.done.decide(Turn::Over(told.take().map_or(Outcome::Alone, Outcome::Failed)));
    }
}

/// The outcome of each job of a commit. A transaction that is too large with all jobs may be small enough with one.
fn outcome(committed: &Result<()>) -> Outcome {
    match committed {
        Ok(()) => Outcome::Committed,
        Err(Error::Unknown { cause }) => Outcome::Failed(Error::Unknown { cause: Box::new(cause.again()) }),
        Err(_) => Outcome::Alone,
    }
}

impl Done {
    fn decide(&self, turn: Turn) {
        let mut state = lock(&self.state);
        assert!(matches!(*state, Turn::Waiting), "a caller has taken one turn before the next is decided");
        *state = turn;
        drop(state);
        self.woken.notify_one();
    }

    /// Decides the outcome, unless that has been done and the caller has not taken it yet.
    fn decide_unless_over(&self, outcome: Outcome) {
        if !self.is_over() {
            self.decide(Turn::Over(outcome));
        }
    }

    /// Whether the outcome is decided, and the caller has not taken it yet.
    fn is_over(&self) -> bool {
        matches!(*lock(&self.state), Turn::Over(_))
    }

    /// Waits for a turn, and takes it.
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

/// The guarded values are whole at every moment: a panic of one caller does not harm another.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
