//! Who makes a checkpoint beside commits: a thread, or the transactions themselves, each a part of it.
//!
//! ```text
//!   the writer's holder            a thread, or the next transactions, part by part                  the writer's holder
//!   freezes what is in memory -->  wait until it is durable; write its pages; sync; write the meta --> needs it no longer
//! ```
//! **Invariant:** the meta is written when all pages of its state are durable, and no write to the log has failed until then:
//! the system may have told that write, and not the sync, of a page that it could not write.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::super::core::Core;
use super::checkpoint::{MetaPage, write_meta};
use super::queue::LogQueue;
use super::sink::LogSink;
use crate::error::Error;
use crate::format::{MarkedMeta, Meta};
use crate::store::{Frozen, write_runs};

/// Images that are written in one part.
const PART: usize = 256;

/// Who makes them. The thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stage: Mutex<Stage>,
    changed: Condvar,
    log: Arc<LogQueue>,
    sink: Arc<LogSink>,
    page_size: u32,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Begun(Box<Job>),
    /// Somebody is at it.
    Working,
    /// It is durable, which the holder of the writer does not know yet.
    Ended,
    /// Why it failed, until somebody was told.
    Failed(Option<Error>),
    /// There will be none any more.
    Over,
}

/// A checkpoint has failed.
pub(crate) enum Failure {
    /// Nobody knows why yet but who asks now.
    New(Error),
    /// Somebody has been told.
    Told,
}

/// A checkpoint that has begun.
#[derive(Debug)]
pub(super) struct Job {
    meta: Meta,
    /// The page, 0 or 1, that its meta goes to.
    slot: u64,
    frozen: Frozen,
    /// Bytes that the file is to have for the commits beside it.
    room: u64,
    next: Part,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// Everything up to its state becomes durable.
    Wait,
    /// The file becomes longer, while there is little to be synced. A commit that made it longer would wait for all that the
    /// checkpoint writes.
    Grow,
    /// Images from this number on are written.
    Write(usize),
    Sync,
    Meta,
}

impl Job {
    /// A checkpoint of the state of `meta`, whose pages that the file does not have are `frozen`. Slot `slot` does not have the
    /// newest durable meta. The file is to have `room` bytes for the commits beside it.
    pub(super) fn new(meta: &Meta, slot: u64, frozen: Frozen, room: u64) -> Box<Self> {
        assert!(slot < 2, "there are two metas");
        Box::new(Self { meta: *meta, slot, frozen, room, next: Part::Wait })
    }

    /// Does the next part. Whether that was the last.
    ///
    /// # Errors
    /// Why it failed; none if a write to the log has, which tells of it itself.
    fn step(&mut self, shared: &Shared) -> Result<bool, Option<Error>> {
        let sink = &*shared.sink;
        self.next = match self.next {
            Part::Wait => {
                shared.log.wait(self.meta.tx, sink).map_err(|_| None)?;
                Part::Grow
            }
            Part::Grow => {
                // If there is no room, it is for the commit that needs it to say so, unless the store has failed.
                match sink.store.grow(self.room) {
                    Err(cause) if sink.store.poisoned() => return Err(Some(cause.into())),
                    _ => Part::Write(0),
                }
            }
            Part::Write(from) if from < self.frozen.len() => {
                let arena = self.frozen.view();
                let images = self.frozen.part(&arena, from, PART);
                let bytes = images.iter().map(|(_, bytes)| bytes.len() as u64).fold(0, u64::saturating_add);
                let calls = write_runs(&*sink.store, shared.page_size, images.into_iter()).map_err(Some)?;
                sink.counters.add_writes(calls, bytes);
                Part::Write(from.saturating_add(PART))
            }
            Part::Write(_) => Part::Sync,
            Part::Sync => {
                sink.store.sync().map_err(|cause| Some(cause.into()))?;
                shared.log.wait_for_write().map_err(|_| None)?;
                Part::Meta
            }
            Part::Meta => {
                let Some(log) = shared.log.marked() else { unreachable!("a checkpoint is made of what is durable") };
                let end = self.meta.high_water.saturating_mul(shared.page_size.into());
                assert!(sink.store.len() >= end, "the file has the pages that its meta names");
                let page = MetaPage::Marked(MarkedMeta { meta: self.meta, log });
                write_meta(&*sink.store, shared.page_size, self.slot, &page).map_err(Some)?;
                sink.counters.add_writes(1, shared.page_size.into());
                shared.log.release_marked();
                return Ok(true);
            }
        };
        Ok(false)
    }
}

impl Checkpointer {
    /// For the database of `core`: with a thread, or by its transactions.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(core: &Core, with_thread: bool) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            stage: Mutex::new(Stage::Idle),
            changed: Condvar::new(),
            log: Arc::clone(&core.log),
            sink: Arc::clone(&core.sink),
            page_size: core.page_size,
        });
        let own = Arc::clone(&shared);
        let spawn = || thread::Builder::new().name("kv-checkpoint".into()).spawn(move || own.run());
        let thread = if with_thread { Some(spawn()?) } else { None };
        Ok(Self { shared, thread })
    }

    /// Begins with `job`, for which the log has been [marked](LogQueue::mark).
    pub(super) fn begin(&self, job: Box<Job>) {
        let mut stage = self.shared.lock();
        assert!(matches!(*stage, Stage::Idle), "one checkpoint is made at a time");
        *stage = Stage::Begun(job);
        drop(stage);
        self.shared.changed.notify_all();
    }

    /// Where no thread does: does a part of the checkpoint that has begun, if one has.
    pub(super) fn help(&self) {
        if self.thread.is_none() {
            self.shared.step();
        }
    }

    /// Waits for the end of the checkpoint that has begun.
    pub(crate) fn wait(&self) {
        if self.thread.is_none() {
            while self.shared.step() {}
            return;
        }
        let mut stage = self.shared.lock();
        while matches!(*stage, Stage::Begun(_) | Stage::Working) {
            stage = self.shared.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the checkpoint that has begun is durable. The holder of the writer is told once.
    pub(super) fn take_end(&self) -> bool {
        let mut stage = self.shared.lock();
        let ended = matches!(*stage, Stage::Ended);
        if ended {
            *stage = Stage::Idle;
        }
        ended
    }

    /// What is to be told of a checkpoint that has failed, if one has.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        match &mut *self.shared.lock() {
            Stage::Failed(cause) => Some(cause.take().map_or(Failure::Told, Failure::New)),
            _ => None,
        }
    }

    /// Whether a checkpoint has failed: nothing may be written any more.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(*self.shared.lock(), Stage::Failed(_))
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        // One that somebody is at goes on to its end; one that has only begun is left to the next opening, as after a crash.
        let mut stage = self.shared.lock();
        while matches!(*stage, Stage::Working) {
            stage = self.shared.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
        *stage = Stage::Over;
        drop(stage);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the store's has made the checkpoint fail.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let mut stage = self.lock();
            while !matches!(*stage, Stage::Begun(_) | Stage::Over) {
                stage = self.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
            }
            if matches!(*stage, Stage::Over) {
                return;
            }
            drop(stage);
            while self.step() {}
        }
    }

    /// Does a part of the checkpoint that has begun. Whether there is more to do.
    fn step(&self) -> bool {
        let mut stage = self.lock();
        if !matches!(*stage, Stage::Begun(_)) {
            return false;
        }
        let Stage::Begun(mut job) = mem::replace(&mut *stage, Stage::Working) else { unreachable!("just seen") };
        drop(stage);
        // A panic on the way leaves the file to the next opening.
        let mut turn = Turn { shared: self, outcome: Stage::Failed(Some(Error::Poisoned)) };
        turn.outcome = match job.step(self) {
            Ok(true) => Stage::Ended,
            Ok(false) => Stage::Begun(job),
            // Whoever met the first failure tells of it.
            Err(cause) => Stage::Failed(cause.filter(|cause| !matches!(cause, Error::Poisoned))),
        };
        matches!(turn.outcome, Stage::Begun(_))
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of whoever does a part. Its outcome is noted however it ends.
struct Turn<'s> {
    shared: &'s Shared,
    outcome: Stage,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.shared.lock() = mem::replace(&mut self.outcome, Stage::Idle);
        self.shared.changed.notify_all();
    }
}
