//! What a request can be refused for, in etcd's words.

use std::sync::Arc;

/// What [`Store`](super::Store) answers if it does not do what it was asked.
///
/// The messages that begin with `etcdserver: ` are etcd's to the letter, because its clients tell errors apart by their
/// text.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request has no key.
    #[error("etcdserver: key is not provided")]
    EmptyKey,

    /// A put keeps the value or the lease of a key that is not there; or an operation of a transaction is empty.
    #[error("etcdserver: key not found")]
    KeyNotFound,

    /// A put that keeps the old value brings one.
    #[error("etcdserver: value is provided")]
    ValueProvided,

    /// A put that keeps the old lease brings one.
    #[error("etcdserver: lease is provided")]
    LeaseProvided,

    /// A transaction has more compares or operations than [`Options::max_txn_ops`](super::Options::max_txn_ops) allows.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,

    /// A transaction changes a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,

    /// The revision is older than the last compaction.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,

    /// The revision is newer than the store.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,

    /// There is no such lease.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,

    /// The id of a new lease is in use.
    #[error("etcdserver: lease already exists")]
    LeaseExists,

    /// A lease cannot live that long: at most 9,000,000,000 seconds.
    #[error("etcdserver: too large lease TTL")]
    LeaseTtlTooLarge,

    /// The disk is full, or the file has reached its largest size. Nothing was changed.
    #[error("etcdserver: mvcc: database space exceeded")]
    NoSpace,

    /// More writes wait than [`Options::max_waiting`](super::Options::max_waiting) allows.
    #[error("etcdserver: too many requests")]
    TooManyRequests,

    /// The store is being closed.
    #[error("etcdserver: server stopped")]
    Stopped,

    /// A watch is of no key: its range ends before it begins.
    #[error("mvcc: watcher range is empty")]
    EmptyWatchRange,

    /// The file is a database, and not one of etcd's.
    #[error("{what}: this is not etcd's file, or it is damaged; check the path, or restore a snapshot")]
    NotAStore {
        /// What is missing or wrong.
        what: String,
    },

    /// A row of the file is not as etcd writes it.
    #[error("row {key} of bucket `{bucket}` is damaged: {what}; restore a snapshot")]
    DamagedRow {
        /// The bucket.
        bucket: &'static str,
        /// The row's key in hexadecimal.
        key: String,
        /// The broken rule.
        what: &'static str,
    },

    /// The file ends without the hash of a snapshot, or with a wrong one.
    #[error("the snapshot is damaged: {what}; take it again, or use another")]
    DamagedSnapshot {
        /// What is wrong, with both hashes if there are two.
        what: String,
    },

    /// The page store failed.
    #[error("{}", .0.with_causes())]
    Engine(Arc<kv::Error>),

    /// A thread or a file of the operating system failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: Arc<std::io::Error>,
    },
}

/// What a request answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<kv::Error> for Error {
    fn from(error: kv::Error) -> Self {
        if is_full(&error) { Self::NoSpace } else { Self::Engine(Arc::new(error)) }
    }
}

/// Whether more space would have helped.
fn is_full(error: &kv::Error) -> bool {
    let kv::Error::NotCommitted { cause } = error else { return matches!(error, kv::Error::MaxSizeReached { .. }) };
    if is_full(cause) {
        return true;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(cause.as_ref());
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        }
        cause = error.source();
    }
    false
}
