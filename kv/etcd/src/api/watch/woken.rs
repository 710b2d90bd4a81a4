//! Which watches of a stream have something to tell.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::message::NO_WATCH;

/// Names of watches, filled by the store and emptied by the stream.
#[derive(Debug, Default)]
pub(super) struct Woken {
    watches: Mutex<BTreeSet<i64>>,
    filled: Notify,
}

impl Woken {
    /// Called by the store, and never waits.
    pub(super) fn add(&self, watch: i64) {
        debug_assert_ne!(watch, NO_WATCH, "what never was is not woken");
        if self.watches.lock().unwrap_or_else(PoisonError::into_inner).insert(watch) {
            self.filled.notify_one();
        }
    }

    /// The next one. Waits for it.
    pub(super) async fn next(&self) -> i64 {
        loop {
            let next = self.watches.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            match next {
                Some(watch) => return watch,
                None => self.filled.notified().await,
            }
        }
    }
}
