//! How much the disk has left.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::mvcc::Store;

/// Bytes that stay free. Writes under way may still take some of it, and deletes, a compaction and a defragmentation write
/// copies of pages before they give pages back.
const RESERVE: u64 = 64 << 20;

/// How often the system is asked, at most.
const INTERVAL: Duration = Duration::from_millis(20);

/// The disk that a store's file is on.
#[derive(Debug)]
pub(crate) struct Disk {
    /// None for a store without a file.
    file: Option<PathBuf>,
    began: Instant,
    /// Milliseconds since then at which the system is asked again.
    next: AtomicU64,
    low: AtomicBool,
}

impl Disk {
    /// That of this store.
    pub(crate) fn of(store: &Store) -> Self {
        let file = store.db().path().map(std::path::Path::to_owned);
        Self { file, began: Instant::now(), next: AtomicU64::new(0), low: AtomicBool::new(false) }
    }

    /// Whether neither the disk nor the file has the reserve left, as it was a moment ago.
    pub(crate) fn is_low(&self, store: &Store) -> bool {
        let Some(file) = &self.file else { return false };
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Relaxed);
        let later = now.saturating_add(INTERVAL.as_millis().try_into().unwrap_or(0));
        debug_assert!(later > now, "the system is asked now and then");
        if now >= next && self.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // A disk that cannot be asked is full when a commit fails.
            let disk = fs4::available_space(file).unwrap_or(u64::MAX);
            self.low.store(disk < RESERVE && free_in_file(store) < RESERVE, Ordering::Relaxed);
        }
        self.low.load(Ordering::Relaxed)
    }
}

/// Bytes of the file that the next writes can take.
fn free_in_file(store: &Store) -> u64 {
    let status = store.status();
    debug_assert!(status.db_size_in_use <= status.db_size, "a file has what is in use");
    (status.db_size - status.db_size_in_use).unsigned_abs()
}
