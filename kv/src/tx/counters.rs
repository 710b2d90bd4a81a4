//! Counters of the work that write transactions do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::store::FreeSpace;

/// Counts of the work of write transactions.
///
/// [`Stats::tx`](crate::Stats::tx) counts the work of all commits since the database was opened; these counts only grow.
/// [`WriteTx::stats`](crate::WriteTx::stats) counts the work of one open transaction.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let before = db.stats().tx;
/// db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// let done: kv::TxStats = db.stats().tx.since(&before);
/// assert_eq!(done.commits, 1);
/// assert!(done.pages > 0 && done.bytes > 0);
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct TxStats {
    /// Commits that changed something.
    pub commits: u64,
    /// Nodes written, or so far changed in memory. A node with overflow pages counts once.
    pub nodes: u64,
    /// Pages allocated for nodes and for the list or the log of free pages.
    pub pages: u64,
    /// Of these, pages written before their commit, because changes took more than
    /// [`Options::write_memory`](crate::Options::write_memory).
    pub pages_early: u64,
    /// Pages freed.
    pub pages_freed: u64,
    /// Nodes split.
    pub splits: u64,
    /// Nodes merged or removed because they were empty.
    pub merges: u64,
    /// Write calls for data pages. One call can write many neighbouring pages.
    pub writes: u64,
    /// Bytes written, meta pages included.
    pub bytes: u64,
    /// Time spent merging, placing and patching nodes.
    pub spill_time: Duration,
    /// Time spent writing and syncing.
    pub write_time: Duration,
}

impl TxStats {
    /// Returns the difference between these counts and `earlier` ones; 0 where `earlier` has the larger count. O(1).
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            commits: self.commits.saturating_sub(earlier.commits),
            nodes: self.nodes.saturating_sub(earlier.nodes),
            pages: self.pages.saturating_sub(earlier.pages),
            pages_early: self.pages_early.saturating_sub(earlier.pages_early),
            pages_freed: self.pages_freed.saturating_sub(earlier.pages_freed),
            splits: self.splits.saturating_sub(earlier.splits),
            merges: self.merges.saturating_sub(earlier.merges),
            writes: self.writes.saturating_sub(earlier.writes),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            spill_time: self.spill_time.saturating_sub(earlier.spill_time),
            write_time: self.write_time.saturating_sub(earlier.write_time),
        }
    }
}

/// The counters of the statistics. Only the writer changes them; any thread may read them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    nodes: AtomicU64,
    pages: AtomicU64,
    pages_early: AtomicU64,
    pages_freed: AtomicU64,
    splits: AtomicU64,
    merges: AtomicU64,
    writes: AtomicU64,
    bytes: AtomicU64,
    spill_nanos: AtomicU64,
    write_nanos: AtomicU64,
    free_pages: AtomicU64,
    pending_pages: AtomicU64,
    log_pages: AtomicU64,
}

impl Counters {
    /// Adds what one commit did.
    pub(crate) fn add(&self, commit: &TxStats) {
        assert_eq!(commit.commits, 1, "commits are counted one by one");
        assert!(commit.bytes > 0, "a commit writes its meta at least");
        assert!(commit.pages >= commit.nodes, "a node takes a page at least");
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        for (counter, count) in [
            (&self.commits, commit.commits),
            (&self.nodes, commit.nodes),
            (&self.pages, commit.pages),
            (&self.pages_early, commit.pages_early),
            (&self.pages_freed, commit.pages_freed),
            (&self.splits, commit.splits),
            (&self.merges, commit.merges),
            (&self.writes, commit.writes),
            (&self.bytes, commit.bytes),
            (&self.spill_nanos, nanos(commit.spill_time)),
            (&self.write_nanos, nanos(commit.write_time)),
        ] {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// A write that several commits share, and what it has beside theirs.
    pub(crate) fn add_writes(&self, writes: u64, bytes: u64) {
        assert!(writes > 0, "what is shared was written");
        self.writes.fetch_add(writes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn note_free_space(&self, free_space: &FreeSpace) {
        self.free_pages.store(free_space.free_pages(), Ordering::Relaxed);
        self.pending_pages.store(free_space.pending_pages(), Ordering::Relaxed);
        self.log_pages.store(free_space.log_pages(), Ordering::Relaxed);
    }

    pub(crate) fn free_and_pending(&self) -> (u64, u64) {
        (self.free_pages.load(Ordering::Relaxed), self.pending_pages.load(Ordering::Relaxed))
    }

    pub(crate) fn log_pages(&self) -> u64 {
        self.log_pages.load(Ordering::Relaxed)
    }

    pub(crate) fn tx_stats(&self) -> TxStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TxStats {
            commits: get(&self.commits),
            nodes: get(&self.nodes),
            pages: get(&self.pages),
            pages_early: get(&self.pages_early),
            pages_freed: get(&self.pages_freed),
            splits: get(&self.splits),
            merges: get(&self.merges),
            writes: get(&self.writes),
            bytes: get(&self.bytes),
            spill_time: Duration::from_nanos(get(&self.spill_nanos)),
            write_time: Duration::from_nanos(get(&self.write_nanos)),
        }
    }
}
