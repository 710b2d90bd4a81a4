//! What waits for one listener.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "stream")]
use std::task::Waker;
use std::time::{Duration, Instant};

use freelist_core::TxId;

use super::change::Change;
use super::scope::Scope;

/// What a listener is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A transaction was committed, is durable as far as the options say so, and is what new readers see.
    Commit {
        /// The transaction.
        tx: TxId,
        /// What it changed of the listener's part, in its order. Never empty.
        changes: Vec<Change>,
    },
    /// Commits whose changes did not fit, or that had begun before the listener came. Whoever needs what is in the database
    /// reads it again, from `through` on, and passes over the events of transactions that this state has.
    Missed {
        /// How many commits.
        commits: u64,
        /// The last of them.
        through: TxId,
    },
}

/// The changes of a database or of a part of it, as they are committed. [`Db::subscribe`](crate::Db::subscribe) returns it.
///
/// As an iterator it waits for the next event, and ends when the database is closed. With the feature `stream` it is a
/// `futures_core::Stream` too, for any runtime.
///
/// ```
/// use std::time::Duration;
///
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let mut changes: kv::Changes = db.subscribe(kv::Scope::bucket(["b"]), 1 << 20);
/// assert_eq!(changes.try_next(), None);
/// db.update(|tx| tx.create_bucket("other").map(drop))?;
/// assert_eq!(changes.next_timeout(Duration::from_millis(1)), None);
/// db.update(|tx| tx.create_bucket("b").map(drop))?;
/// drop(db);
/// assert_eq!(changes.by_ref().count(), 1);
/// assert!(changes.is_closed());
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Debug)]
pub struct Changes(pub(super) Arc<Inbox>);

impl Changes {
    /// Returns the next event if there is one already. O(1).
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.lock().take()
    }

    /// Waits for the next event, at most for `timeout`. It returns `None` too when the database is closed.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Event> {
        self.0.wait(Instant::now().checked_add(timeout))
    }

    /// Returns whether the database is closed and everything has been told. O(1).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let state = self.0.lock();
        state.closed && state.events.is_empty()
    }
}

impl Iterator for Changes {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.wait(None)
    }
}

/// The events of one listener that it has not taken yet.
#[derive(Debug)]
pub(super) struct Inbox {
    scope: Scope,
    /// Most bytes of changes.
    limit: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    events: VecDeque<(Event, usize)>,
    /// Of the changes in them.
    bytes: usize,
    pub(super) closed: bool,
    #[cfg(feature = "stream")]
    pub(super) waker: Option<Waker>,
}

impl State {
    pub(super) fn take(&mut self) -> Option<Event> {
        let (event, bytes) = self.events.pop_front()?;
        assert!(bytes <= self.bytes, "what is taken was there");
        self.bytes = self.bytes.saturating_sub(bytes);
        debug_assert!(self.bytes == 0 || !self.events.is_empty(), "the bytes are those of what waits");
        Some(event)
    }

    fn miss(&mut self, tx: TxId) {
        match self.events.back_mut() {
            Some((Event::Missed { commits, through }, _)) => {
                *commits = commits.saturating_add(1);
                *through = tx;
            }
            _ => self.events.push_back((Event::Missed { commits: 1, through: tx }, 0)),
        }
        debug_assert!(!self.events.is_empty(), "what is missed is told");
    }
}

impl Inbox {
    pub(super) fn new(scope: Scope, limit: usize) -> Self {
        Self { scope, limit, state: Mutex::default(), arrived: Condvar::new() }
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Transaction `tx` was committed; `changes` are all that it changed, if they are known.
    pub(super) fn tell(&self, tx: TxId, changes: Option<&[Change]>) {
        let Some(changes) = changes else { return self.arrive(|state| state.miss(tx)) };
        let ours = || changes.iter().filter(|change| self.scope.has(change));
        let bytes = ours().fold(0usize, |sum, change| sum.saturating_add(change.size()));
        if bytes == 0 {
            return;
        }
        self.arrive(|state| {
            if state.bytes.saturating_add(bytes) > self.limit {
                return state.miss(tx);
            }
            state.bytes = state.bytes.saturating_add(bytes);
            assert!(state.bytes <= self.limit, "an inbox has a bounded size");
            let changes: Vec<_> = ours().cloned().collect();
            debug_assert!(!changes.is_empty(), "an event tells something");
            state.events.push_back((Event::Commit { tx, changes }, bytes));
        });
    }

    /// The database is closed: no more events come.
    pub(super) fn close(&self) {
        self.arrive(|state| {
            debug_assert!(!state.closed, "a database is closed once");
            state.closed = true;
        });
    }

    fn arrive(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        #[cfg(feature = "stream")]
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_all();
        #[cfg(feature = "stream")]
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next event, waited for until `deadline`; for ever without one.
    fn wait(&self, deadline: Option<Instant>) -> Option<Event> {
        let mut state = self.lock();
        loop {
            if let Some(event) = state.take() {
                return Some(event);
            }
            if state.closed {
                return None;
            }
            debug_assert!(state.events.is_empty(), "nobody waits for what is there");
            state = match deadline {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Nothing panics while the lock is held, but a broken assertion; what it guards is whole then too.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
