//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a compaction at a revision does with a delete of exactly that revision. etcd's versions differ; every hash at a
/// revision above the compacted one is the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tombstones {
    /// It stays until the next compaction, and [`Store::hash_kv`](super::Store::hash_kv) answers at the compacted
    /// revision: etcd 3.4.34, 3.5.16 and later.
    #[default]
    KeepAtCompactRev,
    /// It goes, and a hash at the compacted revision is refused to those who name the revision: earlier versions.
    DropAtCompactRev,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) engine: kv::Options,
    pub(super) tombstones: Tombstones,
    pub(super) max_txn_ops: usize,
    pub(super) max_waiting: usize,
    pub(super) min_lease_ttl: i64,
    pub(super) lease_expiry: bool,
    pub(super) compaction_rows: usize,
    pub(super) compaction_pause: Duration,
    pub(super) watch_progress_interval: Duration,
    pub(super) lease_checkpoint_interval: Duration,
    pub(super) progress: Progress,
}

/// Whoever wants to know how far the opening of a store is.
#[derive(Clone, Default)]
pub(super) struct Progress(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Progress {
    pub(super) fn report(&self, rows: u64) {
        if let Some(report) = &self.0 {
            report(rows);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: kv::Options::new(),
            tombstones: Tombstones::default(),
            max_txn_ops: 128,
            max_waiting: 50_000,
            min_lease_ttl: 2,
            lease_expiry: true,
            compaction_rows: 1000,
            compaction_pause: Duration::from_millis(10),
            watch_progress_interval: Duration::from_secs(600),
            lease_checkpoint_interval: Duration::from_secs(300),
            progress: Progress::default(),
        }
    }
}

impl Options {
    /// All defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How the file is opened: page size, read-only, largest size and the rest. Default: [`kv::Options::new`].
    #[must_use]
    pub fn engine(mut self, engine: kv::Options) -> Self {
        self.engine = engine;
        self
    }

    /// Opens the file for reading only; see [`kv::Options::read_only`].
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.engine = self.engine.read_only(true);
        self
    }

    /// Whether leases end when their time is over. Not for work on a file that another etcd serves afterwards: leases
    /// begin anew there. Default: true.
    #[must_use]
    pub fn lease_expiry(mut self, expire: bool) -> Self {
        self.lease_expiry = expire;
        self
    }

    /// What becomes of deletes at the compacted revision. Default: they stay.
    #[must_use]
    pub fn tombstones(mut self, tombstones: Tombstones) -> Self {
        self.tombstones = tombstones;
        self
    }

    /// The most compares, and the most operations of a branch, of one transaction. Default: 128.
    #[must_use]
    pub fn max_txn_ops(mut self, max: usize) -> Self {
        self.max_txn_ops = max;
        self
    }

    /// The most writes that may wait for their turn. Default: 50,000.
    #[must_use]
    pub fn max_waiting(mut self, max: usize) -> Self {
        self.max_waiting = max;
        self
    }

    /// The shortest life of a lease in seconds. Default: 2.
    #[must_use]
    pub fn min_lease_ttl(mut self, seconds: i64) -> Self {
        self.min_lease_ttl = seconds;
        self
    }

    /// The most rows that a compaction deletes in one commit. Default: 1,000.
    #[must_use]
    pub fn compaction_rows(mut self, rows: usize) -> Self {
        self.compaction_rows = rows.max(1);
        self
    }

    /// How long a compaction leaves the writer to others after each of its commits. Default: 10 ms, as etcd.
    #[must_use]
    pub fn compaction_pause(mut self, pause: Duration) -> Self {
        self.compaction_pause = pause;
        self
    }

    /// How often a watcher that asked for it hears how far it is, if nothing else happened. Default: 10 minutes.
    #[must_use]
    pub fn watch_progress_interval(mut self, interval: Duration) -> Self {
        self.watch_progress_interval = interval;
        self
    }

    /// How often the file learns how long leases have to live. Default: 5 minutes.
    #[must_use]
    pub fn lease_checkpoint_interval(mut self, interval: Duration) -> Self {
        self.lease_checkpoint_interval = interval;
        self
    }

    /// Calls `report` now and then while the store is opened, with the number of rows that were read so far. Default:
    /// nobody.
    #[must_use]
    pub fn progress(mut self, report: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.progress = Progress(Some(Arc::new(report)));
        self
    }
}
