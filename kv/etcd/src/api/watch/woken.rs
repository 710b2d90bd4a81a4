//! Which watches of a stream have something to tell.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Names of watches, filled by the store and emptied by the stream.
#[derive(Debug, Default)]
pub(super) struct Woken {
    watches: Mutex<BTreeSet<i64>>,
    filled: Notify,
}

impl Woken {
    /// Called by the store, and never waits.
    pub(super) fn add(&self, watch: i64) {
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
