//! What a server is started with.

use std::path::PathBuf;
use std::time::Duration;

use super::identity::Naming;
use super::tls::TlsFiles;
use super::url::Url;
use crate::mvcc::Tombstones;

/// Which revisions are compacted without being asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AutoCompaction {
    /// None.
    Off,
    /// Those older than this.
    Periodic(Duration),
    /// All but so many of the newest.
    Revision(i64),
}

/// Who hears what goes wrong while a server runs, as a line.
pub type Report = fn(&str);

/// What a server is started with. The defaults are etcd's.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory: the file is `member/snap/db` in it.
    pub data_dir: PathBuf,
    /// What the member and its cluster are called.
    pub naming: Naming,
    /// Where clients are listened for.
    pub listen_client_urls: Vec<Url>,
    /// What clients are told about where to find the server; empty for where it listens.
    pub advertise_client_urls: Vec<Url>,
    /// Where `/metrics` and `/health` are served besides, without client certificates.
    pub listen_metrics_urls: Vec<Url>,
    /// TLS for addresses that begin with `https`.
    pub tls: Option<TlsFiles>,
    /// Bytes of a request that changes something, at most.
    pub max_request_bytes: usize,
    /// Operations of a transaction, at most.
    pub max_txn_ops: usize,
    /// Streams of a connection at a time, at most.
    pub max_concurrent_streams: u32,
    /// Bytes that the file may have before writes are refused; none for any number.
    pub quota_backend_bytes: Option<u64>,
    /// Which revisions are compacted without being asked.
    pub auto_compaction: AutoCompaction,
    /// How often a watch that asked for it hears how far it is.
    pub watch_progress_interval: Duration,
    /// How often a silent connection is asked whether its client is still there.
    pub keepalive_interval: Duration,
    /// How long that client may take to answer.
    pub keepalive_timeout: Duration,
    /// Rows that a compaction deletes in one commit.
    pub compaction_batch_limit: usize,
    /// How long a compaction leaves the writer to others after each of its commits.
    pub compaction_sleep_interval: Duration,
    /// What becomes of deletes at the compacted revision.
    pub tombstones: Tombstones,
    /// How the file is opened, but for the wait for its lock. Default: [`kv::Options::new`] with [`kv::Durability::Log`], so
    /// that the writes that wait share one sync. While the server runs, and after a crash, etcd refuses the file, until this
    /// server or `kv checkpoint` has opened it; with [`kv::Durability::TwoSync`] it opens it at any moment.
    pub engine: kv::Options,
    /// How long to wait while another process has the file.
    pub lock_timeout: Duration,
    /// Called with a line about what goes wrong while the server runs, and what becomes of it. Default: nobody hears it.
    pub report: Report,
}

/// etcd's default for the size of the file.
pub const DEFAULT_QUOTA: u64 = 2 << 30;

impl Options {
    /// All defaults, over a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            naming: Naming::default(),
            listen_client_urls: vec![Url::default_for_clients()],
            advertise_client_urls: Vec::new(),
            listen_metrics_urls: Vec::new(),
            tls: None,
            max_request_bytes: 1_572_864,
            max_txn_ops: 128,
            max_concurrent_streams: u32::MAX,
            quota_backend_bytes: Some(DEFAULT_QUOTA),
            auto_compaction: AutoCompaction::Off,
            watch_progress_interval: Duration::from_secs(600),
            keepalive_interval: Duration::from_secs(7200),
            keepalive_timeout: Duration::from_secs(20),
            compaction_batch_limit: 1000,
            compaction_sleep_interval: Duration::from_millis(10),
            tombstones: Tombstones::default(),
            engine: kv::Options::new().durability(kv::Durability::Log),
            lock_timeout: Duration::from_secs(5),
            report: |_| (),
        }
    }
}
