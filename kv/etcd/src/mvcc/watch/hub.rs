//! Between the writer and the watchers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::super::error::Result;
use super::super::layout::KEY;
use super::super::locked::{lock, wait_for};
use super::super::read;
use super::super::shared::Shared;
use super::inbox::Inbox;
use super::ranges::Ranges;
use super::{Batch, Change, Event, Events, Wish};

/// Bytes of changes that may wait for the hub's thread. Beyond, they are in the file only.
const WAITING_MAX: usize = 64 << 20;

/// The inboxes of one wish, by number.
type Group = BTreeMap<u64, Arc<Inbox>>;

/// The first and the last of some revisions.
type Span = (i64, i64);

#[derive(Default)]
pub(in super::super) struct Hub {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    board: Mutex<Board>,
    watchers: AtomicUsize,
}

/// Changes on their way from the writer to the hub's thread.
#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// First and last revision that were not kept. They come after the batches.
    lost: Option<Span>,
    closed: bool,
}

/// Who watches what.
#[derive(Default)]
pub(super) struct Board {
    groups: Ranges<Group>,
    /// Everything up to this revision is in the inboxes that want it.
    pub(super) told: i64,
    next: u64,
}

impl Hub {
    /// Everything up to `revision` is in the file.
    pub(in super::super) fn new(revision: i64) -> Self {
        let hub = Self::default();
        lock(&hub.board).told = revision;
        hub
    }

    pub(in super::super) fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Acquire)
    }

    /// Takes what a commit has changed. Never waits for a watcher.
    pub(in super::super) fn push(&self, batches: Vec<Batch>) {
        let Some(last) = batches.last().map(|batch| batch.revision) else { return };
        debug_assert!(batches.iter().all(|batch| !batch.changes.is_empty()), "a transaction has changes");
        let mut waiting = lock(&self.waiting);
        if self.watchers() == 0 && waiting.batches.is_empty() && waiting.lost.is_none() {
            // Nobody to tell. The board's lock is free but for a moment: there is nothing on it.
            let mut board = lock(&self.board);
            if board.groups.is_empty() {
                board.told = board.told.max(last);
                return;
            }
        }
        for batch in batches {
            let bytes: usize = batch.changes.iter().map(Change::bytes).sum();
            if let Some((_, to)) = &mut waiting.lost {
                debug_assert_eq!(batch.revision, *to + 1, "no revision is passed over");
                *to = batch.revision;
            } else if waiting.bytes + bytes > WAITING_MAX {
                waiting.lost = Some((batch.revision, batch.revision));
            } else {
                waiting.bytes += bytes;
                waiting.batches.push_back(batch);
            }
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Puts an inbox on the board. `inbox` gets the last revision that was told, and makes it while nothing is told.
    pub(super) fn add(&self, wish: &Wish, inbox: impl FnOnce(i64) -> Inbox) -> (u64, Arc<Inbox>) {
        let mut board = lock(&self.board);
        // Before the board is read: the writer then no longer passes it by.
        self.watchers.fetch_add(1, Ordering::AcqRel);
        let inbox = Arc::new(inbox(board.told));
        let number = board.next;
        board.next += 1;
        board.groups.get_or_insert_with(wish, Group::new).insert(number, inbox.clone());
        (number, inbox)
    }

    pub(super) fn remove(&self, wish: &Wish, number: u64) {
        let mut board = lock(&self.board);
        let group = board.groups.get_mut(wish).expect("the watcher was added");
        debug_assert!(!group.is_empty(), "a group has a watcher");
        let removed = group.remove(&number);
        assert!(removed.is_some(), "a watcher is removed once");
        if group.is_empty() {
            board.groups.remove(wish);
        }
        self.watchers.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        lock(&self.board)
    }

    /// The hub's thread ends when everything is told.
    pub(in super::super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.filled.notify_all();
    }

    /// The next batches and what was lost behind them; none when the hub is closed. Waits until `deadline` at most.
    fn take(&self, deadline: Instant) -> Option<(VecDeque<Batch>, Option<Span>)> {
        let mut waiting = lock(&self.waiting);
        while waiting.batches.is_empty() && waiting.lost.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if waiting.closed {
                return None;
            }
            if left.is_zero() {
                break;
            }
            waiting = wait_for(&self.filled, waiting, left);
        }
        debug_assert!(waiting.bytes <= WAITING_MAX, "what waits is bounded");
        waiting.bytes = 0;
        Some((std::mem::take(&mut waiting.batches), waiting.lost.take()))
    }
}

/// The hub's thread.
pub(in super::super) fn run(shared: &Shared) {
    let hub = &shared.hub;
    let interval = shared.options.watch_progress_interval.max(Duration::from_millis(1));
    let mut tick = Instant::now() + interval;
    while let Some((batches, lost)) = hub.take(tick) {
        for batch in batches {
            lock(&hub.board).tell(shared, &batch);
        }
        if let Some((from, to)) = lost {
            let mut board = lock(&hub.board);
            board.groups.values().flat_map(BTreeMap::values).for_each(|inbox| inbox.lose(from, to));
            board.told = board.told.max(to);
        }
        if Instant::now() >= tick {
            let board = lock(&hub.board);
            board.groups.values().flat_map(BTreeMap::values).for_each(|inbox| inbox.tick(board.told));
            tick = Instant::now() + interval;
        }
    }
    lock(&hub.board).groups.values().flat_map(BTreeMap::values).for_each(|inbox| inbox.close());
}

impl Board {
    /// Puts the events of a transaction into the inboxes that want them.
    fn tell(&mut self, shared: &Shared, batch: &Batch) {
        let mut wanted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, change) in batch.changes.iter().enumerate() {
            self.groups.with(&change.kv.key, |group| wanted.entry(group).or_default().push(at));
        }
        for (group, changes) in wanted {
            let (wish, inboxes) = self.groups.at(group);
            debug_assert!(changes.is_sorted(), "changes are told in their order");
            let changes = changes.into_iter().map(|at| &batch.changes[at]);
            let changes: Vec<_> = changes.filter(|change| wish.admits(change.tombstone)).collect();
            if changes.is_empty() {
                continue;
            }
            match events(shared, wish, &changes) {
                Ok(events) => {
                    let events = Arc::new(Events { revision: batch.revision, events });
                    for inbox in inboxes.values() {
                        inbox.push(&events);
                    }
                }
                // A damaged row: the watcher reads it itself, and tells what is wrong.
                Err(_) => inboxes.values().for_each(|inbox| inbox.lose(batch.revision, batch.revision)),
            }
        }
        // The writer may have gone past it, while nobody was on the board.
        self.told = self.told.max(batch.revision);
    }
}

fn events(shared: &Shared, wish: &Wish, changes: &[&Change]) -> Result<Vec<Event>> {
    let tx = wish.prev_kv.then(|| shared.db.begin_read());
    let rows = tx.as_ref().map(|tx| tx.bucket(KEY)).transpose()?;
    let event = |change: &&Change| {
        let prev_kv = match (&rows, change.prev) {
            (Some(rows), Some(prev)) => read::get_if_there(rows, prev)?,
            _ => None,
        };
        Ok(Event { is_delete: change.tombstone, kv: change.kv.clone(), prev_kv })
    };
    changes.iter().map(event).collect()
}

impl Change {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.kv.key.len() + self.kv.value.len()
    }
}
