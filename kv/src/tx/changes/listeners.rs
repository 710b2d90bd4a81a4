//! Who listens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use freelist_core::TxId;

use super::inbox::{Changes, Inbox};
use super::log::ChangeLog;
use super::scope::Scope;

/// The listeners of a database.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    inboxes: Mutex<Vec<Weak<Inbox>>>,
    /// Most bytes that a listener takes; 0 if there are none. So a database without listeners pays for one look at it.
    limit: AtomicUsize,
}

impl Listeners {
    pub(crate) fn subscribe(&self, scope: Scope, limit: usize) -> Changes {
        let inbox = Arc::new(Inbox::new(scope, limit));
        let mut inboxes = self.lock();
        inboxes.push(Arc::downgrade(&inbox));
        self.limit.fetch_max(limit.max(1), Ordering::Relaxed);
        assert!(self.limit.load(Ordering::Relaxed) > 0, "transactions that begin now keep a log");
        Changes(inbox)
    }

    /// For a transaction that begins: a log, if somebody listens, or takes `others` bytes of changes beside the listeners.
    pub(crate) fn log(&self, others: usize) -> Option<ChangeLog> {
        match self.limit.load(Ordering::Relaxed).max(others) {
            0 => None,
            limit => Some(ChangeLog::new(limit)),
        }
    }

    /// Transaction `tx` is committed and visible, and the next one has not begun. Without a log, it began before anybody
    /// listened.
    pub(crate) fn tell(&self, tx: TxId, log: Option<&ChangeLog>) {
        if self.limit.load(Ordering::Relaxed) == 0 {
            return;
        }
        let (mut inboxes, mut limit) = (self.lock(), 0);
        inboxes.retain(|inbox| {
            let Some(inbox) = inbox.upgrade() else { return false };
            inbox.tell(tx, log.and_then(ChangeLog::complete));
            limit = limit.max(inbox.limit().max(1));
            true
        });
        assert_eq!(limit == 0, inboxes.is_empty(), "somebody who listens takes something");
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Inbox>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for inbox in self.lock().iter().filter_map(Weak::upgrade) {
            inbox.close();
        }
    }
}
