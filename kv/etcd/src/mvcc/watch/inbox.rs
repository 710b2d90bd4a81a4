//! Where a watcher finds what it has not heard.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::super::locked::{lock, wait_for};
use super::{Events, WatchUpdate};

/// Places in an inbox.
const PLACES: usize = 128;

/// Called when there is something in an inbox, on the hub's thread.
pub(super) type Wake = Box<dyn Fn() + Send + Sync>;

pub(super) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
    wake: Wake,
    progress_notify: bool,
}

struct State {
    events: VecDeque<Arc<Events>>,
    progress: Option<i64>,
    /// Whether new events come in. If not, the watcher is behind.
    live: bool,
    /// The first revision that is not in the inbox and was not taken from it.
    from: i64,
    /// Whether nothing came in since the last look.
    quiet: bool,
    closed: bool,
}

/// What an inbox has for its watcher.
pub(super) enum Taken {
    Update(WatchUpdate),
    /// Nothing, and the events from this revision on are in the file only.
    Behind(i64),
    Nothing,
    Closed,
}

impl Inbox {
    /// For events from `from` on. If not `live`, the first of them are in the past.
    pub(super) fn new(from: i64, live: bool, progress_notify: bool, wake: Wake) -> Self {
        let state = State { events: VecDeque::new(), progress: None, live, from, quiet: true, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), wake, progress_notify }
    }

    fn woken(&self) {
        self.filled.notify_all();
        (self.wake)();
    }

    /// Never waits.
    pub(super) fn push(&self, events: &Arc<Events>) {
        let mut state = lock(&self.state);
        if !state.live || events.revision < state.from {
            return;
        }
        debug_assert!(!events.events.is_empty(), "nothing is not told");
        debug_assert!(
            state.events.back().is_none_or(|last| last.revision < events.revision),
            "transactions are told in their order"
        );
        state.quiet = false;
        // What was about to be told is no longer the newest.
        state.progress = None;
        if state.events.len() == PLACES {
            (state.live, state.from) = (false, events.revision);
            return;
        }
        debug_assert!(state.events.len() < PLACES, "there is a place");
        state.events.push_back(events.clone());
        state.from = events.revision + 1;
        drop(state);
        self.woken();
    }

    /// Events from `from` on, and maybe more, were not kept for this inbox.
    pub(super) fn lose(&self, from: i64, to: i64) {
        debug_assert!(from <= to, "something is lost");
        let mut state = lock(&self.state);
        if !state.live || state.from > to {
            return;
        }
        (state.live, state.from) = (false, state.from.max(from));
        drop(state);
        self.woken();
    }

    /// The watcher has nothing to wait for until something is pushed.
    fn is_synced(state: &State) -> bool {
        state.live && state.events.is_empty()
    }

    /// Time has passed: tells a watcher that wants to know it that it has heard everything up to `revision`.
    pub(super) fn tick(&self, revision: i64) {
        let mut state = lock(&self.state);
        let quiet = std::mem::replace(&mut state.quiet, true);
        if self.progress_notify && quiet && Self::is_synced(&state) {
            state.progress = Some(revision);
            drop(state);
            self.woken();
        }
    }

    pub(super) fn synced(&self) -> bool {
        Self::is_synced(&lock(&self.state))
    }

    /// What comes next is in the file only.
    pub(super) fn is_behind(&self) -> bool {
        let state = lock(&self.state);
        !state.live && state.events.is_empty()
    }

    pub(super) fn take(&self) -> Taken {
        let mut state = lock(&self.state);
        if let Some(events) = state.events.pop_front() {
            return Taken::Update(WatchUpdate::Events(events));
        }
        if !state.live {
            return Taken::Behind(state.from);
        }
        if let Some(revision) = state.progress.take() {
            return Taken::Update(WatchUpdate::Progress { revision });
        }
        if state.closed { Taken::Closed } else { Taken::Nothing }
    }

    /// Lets new events in again, from `from` on.
    pub(super) fn go_live(&self, from: i64) {
        let mut state = lock(&self.state);
        debug_assert!(!state.live && state.events.is_empty(), "a watcher takes what is there before it catches up");
        (state.live, state.from) = (true, state.from.max(from));
    }

    /// Nothing comes in any more.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.woken();
    }

    /// Waits until there may be something, or until `deadline`.
    pub(super) fn wait(&self, deadline: Option<Instant>) {
        let mut state = lock(&self.state);
        while Self::is_synced(&state) && state.progress.is_none() && !state.closed {
            let left = deadline.map_or(std::time::Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return;
            }
            state = wait_for(&self.filled, state, left);
        }
    }
}
