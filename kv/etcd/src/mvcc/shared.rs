//! What the threads of a store share.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

use kv::Db;

use super::compaction::Compactor;
use super::error::{Error, Result};
use super::expiry::Expiry;
use super::index::Index;
use super::lease::Lessor;
use super::options::Options;
use super::pins::{Pin, Pins};
use super::queue::Queue;
use super::watch::Hub;

pub(super) struct Shared {
    pub(super) db: Db,
    pub(super) options: Options,
    /// Changes of a commit under way are in it, too: reads ask for a revision, and do not see them.
    pub(super) index: RwLock<Index>,
    /// The newest revision that is durable.
    pub(super) current: AtomicI64,
    pub(super) pins: Pins,
    pub(super) lessor: Mutex<Lessor>,
    pub(super) hub: Hub,
    pub(super) queue: Queue,
    pub(super) compactor: Compactor,
    pub(super) expiry: Expiry,
    pub(super) writes: AtomicU64,
    pub(super) commits: AtomicU64,
}

impl Shared {
    pub(super) fn current(&self) -> i64 {
        self.current.load(Ordering::Acquire)
    }

    /// The current revision, held for a read.
    pub(super) fn pin_current(&self) -> Pin<'_> {
        loop {
            // Between the two steps the current revision may be compacted; then there is a newer one.
            if let Ok(pin) = self.pins.pin(self.current()) {
                debug_assert!(pin.revision() <= self.current(), "revisions ascend");
                return pin;
            }
        }
    }

    /// The revision that a read asks for, held for it; with the current one.
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::FutureRevision`].
    pub(super) fn pin(&self, revision: i64) -> Result<(Pin<'_>, i64)> {
        if revision <= 0 {
            let pin = self.pin_current();
            let current = pin.revision();
            return Ok((pin, current));
        }
        let current = self.current();
        if revision > current {
            return Err(Error::FutureRevision);
        }
        debug_assert!((1..=current).contains(&revision), "a read is of what was written");
        let pin = self.pins.pin(revision)?;
        debug_assert_eq!(pin.revision(), revision, "what is read is held");
        Ok((pin, current))
    }
}
