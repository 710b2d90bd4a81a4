//! A store that holds back writes to a redo log and syncs, or fails them, on command.

use std::io::IoSlice;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use kv::{Db, Options};
use pagefile_std::{Latch, MemStore, Operation, PageStore, StoreError, View};

use crate::stores::with_bytes;

pub(crate) const PAGE: u32 = 1024;

/// The keys of the bucket "b".
pub(crate) fn keys(db: &Db) -> Vec<String> {
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    bucket.iter().map(|pair| String::from_utf8(pair.unwrap().0.to_vec()).unwrap()).collect()
}

/// What becomes of a write to the log, or a sync, that arrives at the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    Wait,
    Through,
    Fail,
    /// It is done, and fails.
    FailDone,
    Panic,
}

/// A store that counts the durable writes of the log, and the syncs, and holds them back on command.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) inner: MemStore,
    latch: Latch,
    log: Door,
    pub(crate) syncs: Door,
    slow: Duration,
}

/// Where calls of one kind arrive.
#[derive(Debug)]
pub(crate) struct Door {
    /// What becomes of the next calls, one after the other, and then of all others.
    passes: Mutex<(Vec<Pass>, Pass)>,
    changed: Condvar,
    arrived: AtomicU64,
}

impl Door {
    fn new() -> Self {
        Self { passes: Mutex::new((Vec::new(), Pass::Through)), changed: Condvar::new(), arrived: AtomicU64::new(0) }
    }

    /// From now on these in turn, and then `always`.
    pub(crate) fn set(&self, turns: &[Pass], always: Pass) {
        *self.passes.lock().unwrap() = (turns.iter().rev().copied().collect(), always);
        self.changed.notify_all();
    }

    pub(crate) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Waits until so many calls have arrived in all.
    pub(crate) fn await_arrived(&self, calls: u64) {
        while self.arrived() < calls {
            thread::yield_now();
        }
    }

    fn pass(&self, slow: Duration) -> Pass {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        thread::sleep(slow);
        let mut passes = self.passes.lock().unwrap();
        loop {
            let pass = passes.0.pop().unwrap_or(passes.1);
            if pass != Pass::Wait {
                return pass;
            }
            passes = self.changed.wait(passes).unwrap();
        }
    }
}

impl Gate {
    pub(crate) fn new(slow: Duration) -> Arc<Self> {
        let (log, syncs) = (Door::new(), Door::new());
        Arc::new(Self { inner: MemStore::new(), latch: Latch::new(), log, syncs, slow })
    }

    /// From now on these writes of the log in turn, and then `always`.
    pub(crate) fn set(&self, turns: &[Pass], always: Pass) {
        self.log.set(turns, always);
    }

    /// Writes of the log that arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.log.arrived()
    }

    /// Waits until so many writes of the log have arrived in all.
    pub(crate) fn await_arrived(&self, writes: u64) {
        self.log.await_arrived(writes);
    }

    /// What an opening finds after a power cut now.
    pub(crate) fn after_a_crash(&self) -> Db {
        with_bytes(&self.inner.snapshot(), &Options::new()).unwrap()
    }

    /// Fails as a call at `offset` does that `does` something all the same, or nothing.
    fn fail(&self, offset: Option<u64>, does: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let failed = self.latch.run(|| {
            does()?;
            let source = std::io::Error::other("planted");
            Err(StoreError::Io { operation: Operation::Write, path: "gate".into(), offset, source })
        });
        // Others find the store poisoned before the caller knows why.
        thread::sleep(Duration::from_millis(5));
        failed
    }
}

impl PageStore for Gate {
    fn len(&self) -> u64 {
        self.inner.len()
    }
    fn view(&self) -> View<'_> {
        self.inner.view()
    }
    fn view_owned(&self) -> View<'static> {
        self.inner.view_owned()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.inner.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.latch.run(|| self.inner.write_at(offset, bufs))
    }
    fn write_durable_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.latch.check()?;
        if offset < 2 * u64::from(PAGE) {
            return self.inner.write_at(offset, bufs);
        }
        match self.log.pass(self.slow) {
            Pass::Panic => resume_unwind(Box::new("planted")),
            Pass::Fail => self.fail(Some(offset), || Ok(())),
            Pass::FailDone => self.fail(Some(offset), || self.inner.write_at(offset, bufs)),
            Pass::Wait | Pass::Through => self.inner.write_at(offset, bufs),
        }
    }
    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        self.latch.run(|| self.inner.grow(min_len))
    }
    fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
        self.inner.truncate(min_len)
    }
    fn sync(&self) -> Result<(), StoreError> {
        self.latch.check()?;
        match self.syncs.pass(Duration::ZERO) {
            Pass::Panic => resume_unwind(Box::new("planted")),
            Pass::Fail | Pass::FailDone => self.fail(None, || Ok(())),
            Pass::Wait | Pass::Through => Ok(()),
        }
    }
    fn poisoned(&self) -> bool {
        self.latch.poisoned()
    }
}
