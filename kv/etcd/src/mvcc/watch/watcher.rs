//! The handle of a watch.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::error::{Error, Result};
use super::super::interval::Interval;
use super::super::shared::Shared;
use super::backlog;
use super::inbox::{Inbox, Taken, Wake};
use super::{WatchRequest, WatchUpdate, Wish};

/// A watch. Dropping it ends it.
///
/// It takes nothing from anybody until it is asked: [`try_next`](Self::try_next) never waits for others, and
/// [`next_timeout`](Self::next_timeout) does.
pub struct Watcher {
    /// Not a share of it: a watcher that is forgotten does not keep the file open.
    shared: Weak<Shared>,
    wish: Wish,
    number: u64,
    inbox: Arc<Inbox>,
    /// What has to be read from the file before the inbox is: first and last revision.
    backlog: Option<(i64, i64)>,
    created_at: i64,
    ended: bool,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("wish", &self.wish).field("backlog", &self.backlog).finish_non_exhaustive()
    }
}

impl Watcher {
    pub(in super::super) fn new(shared: &Arc<Shared>, request: WatchRequest, wake: Wake) -> Result<Self> {
        let key = if request.key.is_empty() { Bytes::from_static(b"\0") } else { request.key };
        let wish = Wish {
            interval: Interval::new(&key, &request.range_end),
            prev_kv: request.prev_kv,
            no_put: request.no_put,
            no_delete: request.no_delete,
        };
        if wish.interval.is_empty() {
            return Err(Error::EmptyWatchRange);
        }
        let mut created_at = 0;
        let (number, inbox) = shared.hub.add(&wish, |told| {
            // While nothing is told: what comes after this revision is told later.
            created_at = shared.current();
            debug_assert!(told <= created_at, "only what is durable is told");
            let start = if request.start_revision == 0 { created_at + 1 } else { request.start_revision };
            Inbox::new(start, start > created_at, request.progress_notify, wake)
        });
        Ok(Self { shared: Arc::downgrade(shared), wish, number, inbox, backlog: None, created_at, ended: false })
    }

    /// The revision at which it was created.
    #[must_use]
    pub const fn created_at(&self) -> i64 {
        self.created_at
    }

    /// What there is to hear now, if anything. History is read from the file by this call.
    ///
    /// # Errors
    /// [`Error::Stopped`] once the store is closed and everything was heard; a damaged row, or what the page store answers.
    pub fn try_next(&mut self) -> Result<Option<WatchUpdate>> {
        while !self.ended {
            if let Some((from, to)) = self.backlog {
                let shared = self.shared.upgrade().ok_or(Error::Stopped)?;
                match backlog::read(&shared, &self.wish, from, to) {
                    Ok(chunk) => {
                        debug_assert!(
                            chunk.next.is_none_or(|next| from < next && next <= to),
                            "the history has an end"
                        );
                        self.backlog = chunk.next.map(|next| (next, to));
                        if let Some(events) = chunk.events {
                            debug_assert!(!events.events.is_empty(), "what is told has happened");
                            return Ok(Some(WatchUpdate::Events(events)));
                        }
                    }
                    Err(Error::Compacted) => {
                        self.ended = true;
                        let compact_revision = shared.pins.compacted();
                        return Ok(Some(WatchUpdate::Compacted { compact_revision }));
                    }
                    Err(error) => return Err(error),
                }
                continue;
            }
            match self.inbox.take() {
                Taken::Update(update) => return Ok(Some(update)),
                Taken::Behind(from) => {
                    // While nothing is told: the inbox has what comes after `to`, and the file has the rest.
                    let shared = self.shared.upgrade().ok_or(Error::Stopped)?;
                    let board = shared.hub.board();
                    let to = board.told.max(self.created_at);
                    debug_assert!(from <= to, "something was missed");
                    self.inbox.go_live(to + 1);
                    drop(board);
                    self.backlog = Some((from, to));
                }
                Taken::Nothing => return Ok(None),
                Taken::Closed => return Err(Error::Stopped),
            }
        }
        Ok(None)
    }

    /// What there is to hear, or what comes within `timeout`.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<WatchUpdate>> {
        let deadline = Instant::now() + timeout;
        loop {
            let update = self.try_next()?;
            if update.is_some() || self.ended || Instant::now() >= deadline {
                return Ok(update);
            }
            self.inbox.wait(Some(deadline));
        }
    }

    /// Whether [`try_next`](Self::try_next) reads from the file, which may take time.
    #[must_use]
    pub fn reads_history(&self) -> bool {
        self.backlog.is_some() || self.inbox.is_behind()
    }

    /// The revision up to which everything was heard; none while there is something to hear. It may be a little less than
    /// the current one.
    #[must_use]
    pub fn progress(&self) -> Option<i64> {
        let shared = self.shared.upgrade()?;
        let board = shared.hub.board();
        (self.backlog.is_none() && !self.ended && self.inbox.synced()).then_some(board.told)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.hub.remove(&self.wish, self.number);
        }
    }
}
