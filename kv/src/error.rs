//! All errors of this library: what is wrong, where, and what a user of the library can do about it.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use freelist_core::{FreelistError, PageId, TxId};
use pagefile_std::StoreError;

/// `Result` with this crate's [`enum@Error`].
///
/// ```
/// fn count(db: &kv::Db, bucket: &str) -> kv::Result<usize> {
///     Ok(db.begin_read().bucket(bucket)?.iter().count())
/// }
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// # db.update(|tx| tx.create_bucket("b").map(drop))?;
/// assert_eq!(count(&db, "b")?, 0);
/// # Ok::<_, kv::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an operation failed.
///
/// The text says what is wrong, where, and what to do about it. It does not repeat the text of its cause, which
/// [`source`](std::error::Error::source) returns: print it [with its causes](Error::with_causes).
///
/// ```
/// let db = kv::Db::options().max_size(64 * 1024).open_store(Box::new(kv::MemStore::new()))?;
/// let failed = db.update(|tx| tx.create_bucket("large")?.put("key", vec![0; 100_000])).unwrap_err();
/// assert!(matches!(failed, kv::Error::NotCommitted { .. }));
/// let text = failed.with_causes();
/// assert!(text.starts_with("not committed") && text.contains(": the file would grow to "), "{text}");
/// # Ok::<(), kv::Error>(())
/// ```
///
/// A program that can go on matches the variant:
///
/// ```
/// use kv::Error;
///
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let refused = db.update(|tx| tx.bucket_mut("absent")?.put("key", "value"));
/// match refused {
///     Err(Error::BucketNotFound { name }) => assert_eq!(name, b"absent"),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A page of the file is damaged: its bytes break a rule of the format. Other pages can still be read.
    #[error("page {page} is damaged: {what}; restore a backup, or repair a copy with `kv::surgery`")]
    Corrupt {
        /// The damaged page; 0 if the bytes belong to no page yet.
        page: PageId,
        /// The broken rule, and what else is known of the damage.
        what: Cow<'static, str>,
    },

    /// The commit failed, and certainly did not happen: the database has the state before the transaction.
    #[error("not committed, the database is unchanged")]
    NotCommitted {
        /// What failed.
        #[source]
        cause: Box<Error>,
    },

    /// The commit failed while its last page was being made durable, and may have happened. Opening the file again decides:
    /// the transaction is then wholly there or wholly absent. Until then this handle shows the state before it.
    #[error(
        "it is unknown whether this transaction was committed: open the file again, which has all of it or nothing"
    )]
    Unknown {
        /// What failed.
        #[source]
        cause: Box<Error>,
    },

    /// An earlier write or sync failed, or a commit panicked, so the content of the disk is unknown. This handle still reads,
    /// and refuses writes.
    #[error(
        "an earlier write to this file failed: reads still work, writes are refused; close the database and open it again"
    )]
    Poisoned,

    /// This thread already has a write transaction open, and would wait for itself to end it.
    #[error("this thread already has a write transaction open: commit or drop it before beginning another")]
    AlreadyWriting,

    /// Another process holds the file.
    #[error(
        "{} is in use by another process (waited {waited:?}): close the other program, or allow a longer `lock_timeout`; several programs may read at once if all of them open it read-only, and `Db::peek` looks into a file that is in use",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The time spent waiting for the lock.
        waited: Duration,
    },

    /// This process has the file open already, and would wait for itself.
    #[error(
        "{} is open in this process already: clone the `Db` that has it, or close that one first; a file can be open several times if all of them open it read-only",
        .path.display()
    )]
    AlreadyOpen {
        /// The file.
        path: PathBuf,
    },

    /// Another process committed after this look into its file began, so what was still to be read may be gone. See
    /// [`Peek`](crate::Peek).
    #[error("{} was changed by another program while it was being read: look into it again", .path.display())]
    Overtaken {
        /// The file.
        path: PathBuf,
    },

    /// Another process committed during each look into its file. See [`Peek`](crate::Peek).
    #[error(
        "{}: another program committed during each of {tries} tries to read this (within {waited:?}): read less at once, or allow more `Peek::patience`",
        .path.display()
    )]
    TooBusy {
        /// The file.
        path: PathBuf,
        /// How often it was tried.
        tries: u64,
        /// How long.
        waited: Duration,
    },

    /// Clones of this handle, or owned transactions, keep the database open.
    #[error(
        "the database stays open: {clones} clones of the handle and {transactions} owned transactions have a share of it; drop these first"
    )]
    StillShared {
        /// Other clones of the handle.
        clones: usize,
        /// Transactions that share the database.
        transactions: usize,
    },

    /// The database is in a store that is no file, so it cannot be opened again by its path.
    #[error(
        "the database is in a store of the program and not in a file: open that store again with `Options::open_store`"
    )]
    NoFile,

    /// The path no longer names the open file, which was renamed, removed or replaced. The commit that noticed it wrote
    /// nothing; earlier ones are in the file that is open here. See [`Options::allow_moved`](crate::Options::allow_moved).
    #[error(
        "{} no longer names the open file: {}; put the file back, or close the database and open the path again",
        .path.display(),
        if *.replaced { "another file is there now" } else { "it was removed or renamed" }
    )]
    FileMoved {
        /// The path that the file was opened with.
        path: PathBuf,
        /// Whether there is another file of this name now.
        replaced: bool,
    },

    /// The database was opened read-only.
    #[error("the database is open read-only: open it without `read_only` to change it")]
    ReadOnly,

    /// The file is not a bbolt database.
    #[error("this is no bbolt database (neither of its first two pages is a meta page): check the path")]
    NotADatabase,

    /// A machine of the other byte order wrote the file.
    #[error(
        "this database was written on a machine of the other byte order: copy its keys and values from such a machine"
    )]
    ByteSwapped,

    /// The file has another version of the format than 2.
    #[error("the file has format version {found}, this engine reads version 2: use the program that wrote it")]
    VersionMismatch {
        /// The version in the file.
        found: u32,
    },

    /// The file has commits in a redo log, left by a crash or by a program that still has it open with
    /// [`Durability::Log`](crate::Durability::Log), and they change more pages than a database that is open read-only can have
    /// in memory: more than 16 million, or 64 GiB of the usual size.
    #[error(
        "the file has commits in a log that change more pages than can be shown from memory: open it for writing, or run `kv checkpoint` on it, to bring them into the trees"
    )]
    Unsettled,

    /// Both meta pages fail their checksum.
    #[error("both meta pages fail their checksum: restore a backup, or repair a copy with `kv::surgery`")]
    ChecksumMismatch,

    /// Both meta pages are valid and of one transaction, but they name different states. Nothing in the file says which is
    /// the right one, and other programs may choose the other one, so a database that is open for writing cannot build on
    /// either. Opened read-only, it shows one of them.
    #[error(
        "both meta pages are valid and of transaction {tx}, but they name different states: open the file read-only to see that of page {shown}, and choose one in a copy with `RawFile::choose_meta`"
    )]
    TwoStates {
        /// The transaction id in both.
        tx: TxId,
        /// The meta page, 0 or 1, whose state a read-only database shows.
        shown: PageId,
    },

    /// The file is shorter than its meta page says.
    #[error(
        "the file is truncated: it has {found} of the {expected} bytes that its meta page says; restore a backup, or {}",
        if *.older_fits {
            "undo the last transaction in a copy with `RawFile::revert_meta`"
        } else {
            "lengthen a copy to that size, and see what `ReadTx::check` and `kv::surgery` find"
        }
    )]
    Truncated {
        /// Bytes up to the high-water mark.
        expected: u64,
        /// Length of the file in bytes.
        found: u64,
        /// Whether the other meta page is valid and needs no more bytes than the file has: the state before the last
        /// transaction may then be whole.
        older_fits: bool,
    },

    /// No meta page gives the page size; only [`surgery`](crate::surgery) returns this.
    #[error(
        "this is no bbolt database, or its two meta pages are damaged: neither tells the page size; check the path, or pass the size to `RawFile::new`"
    )]
    PageSizeUnknown,

    /// There is no bucket of this name.
    #[error("there is no bucket {}: create it first, or check the name", Name(.name))]
    BucketNotFound {
        /// The name.
        name: Vec<u8>,
    },

    /// A bucket of this name exists.
    #[error("bucket {} exists already: use `create_bucket_if_absent` if that is fine", Name(.name))]
    BucketExists {
        /// The name.
        name: Vec<u8>,
    },

    /// A bucket's name must have at least one byte.
    #[error("a bucket needs a name of at least one byte")]
    BucketNameRequired,

    /// The name of a new bucket is longer than 32,768 bytes.
    #[error("a bucket name of {len} bytes is too long: at most {} are allowed", crate::format::MAX_KEY_SIZE)]
    BucketNameTooLarge {
        /// Its length in bytes.
        len: usize,
    },

    /// A key must have at least one byte.
    #[error("a key needs at least one byte")]
    KeyRequired,

    /// The key is longer than 32,768 bytes.
    #[error("a key of {len} bytes is too long: at most {} are allowed", crate::format::MAX_KEY_SIZE)]
    KeyTooLarge {
        /// Its length in bytes.
        len: usize,
    },

    /// The value is longer than 2^31 - 2 bytes.
    #[error("a value of {len} bytes is too long: at most {} are allowed", crate::format::MAX_VALUE_SIZE)]
    ValueTooLarge {
        /// Its length in bytes.
        len: usize,
    },

    /// The name is taken: a bucket is expected and there is a key, or a key and there is a bucket.
    #[error("{} is a {}: use another name, or delete it first", Name(.key), if *.is_bucket { "bucket, not a key" } else { "key, not a bucket" })]
    IncompatibleValue {
        /// The key.
        key: Vec<u8>,
        /// Whether the name belongs to a bucket.
        is_bucket: bool,
    },

    /// A [`BucketHandle`](crate::BucketHandle) names no bucket of this transaction.
    #[error(
        "{}",
        if *.deleted {
            "the bucket of this handle was deleted in this transaction: take a handle to the bucket that is there now"
        } else {
            "this handle belongs to another transaction: open the bucket in this one, and take its handle"
        }
    )]
    StaleHandle {
        /// Whether the handle is of this transaction, and its bucket was deleted.
        deleted: bool,
    },

    /// A snapshot to restore from is of another database, or of the same file as it was open before.
    #[error("the snapshot is of another database: restore from a read transaction of the same `Db`")]
    OtherDatabase,

    /// A table or index was made with other types than it is opened with.
    #[error(
        "table {table:?} was made for {stored}, and is opened for {expected}: open it with the types it was made with, or copy its rows into a new table"
    )]
    TableMismatch {
        /// The name of the table or index.
        table: String,
        /// The types that it was made with.
        stored: String,
        /// The types that it is opened with.
        expected: String,
    },

    /// A row of a table, or an entry of an index, is not of the types of the table: another program wrote it, or a type has
    /// changed.
    #[error(
        "the pair {} in table {table:?} is no {expected}: read it as bytes from the bucket, and put it as it should be or delete it",
        Name(.key)
    )]
    Undecodable {
        /// The name of the table or index.
        table: String,
        /// The key, as bytes.
        key: Vec<u8>,
        /// The types expected.
        expected: String,
    },

    /// A codec cannot write a value.
    #[error("the codec {codec} cannot write this value: {what}")]
    Unencodable {
        /// The codec.
        codec: &'static str,
        /// What it said.
        what: String,
    },

    /// Another row has the same key of a unique index. Nothing was changed.
    #[error("another row has the key {} of the unique index {index:?}: change or delete that row first", Name(.key))]
    NotUnique {
        /// The name of the index.
        index: String,
        /// The key in the index, as bytes.
        key: Vec<u8>,
    },

    /// A bucket cannot be moved to where it already is, or into itself.
    #[error("source and target of the move are the same bucket, or the target lies inside the bucket to move")]
    SameBuckets,

    /// The transaction needs more pages than [`Options::max_size`](crate::Options::max_size) allows.
    #[error("the file would grow to {needed} bytes, the limit is {limit}: delete or compact, or raise `max_size`")]
    MaxSizeReached {
        /// Bytes that the file would need.
        needed: u64,
        /// The limit in bytes.
        limit: u64,
    },

    /// An option or argument has an invalid value.
    #[error("option `{option}` cannot be {value}: {expected}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: u64,
        /// The valid values.
        expected: &'static str,
    },

    /// A commit with [`Options::strict`](crate::Options::strict) found the new state inconsistent, and did not happen.
    #[error(
        "strict mode found the new state inconsistent: {problem}; if `ReadTx::check` of the state before finds no problem, its list of free pages included, this is a defect of this library: please report it"
    )]
    Inconsistent {
        /// The first problem found.
        problem: String,
    },

    /// A stream could not be read or written, for example the target of a backup.
    #[error("cannot {what}")]
    Stream {
        /// The operation.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },

    /// The file could not be opened, read, written or synced. The cause is what the system said.
    #[error(transparent)]
    Store(StoreError),

    /// The freelist failed: memory is exhausted, or a page was freed twice.
    #[error(transparent)]
    Freelist(FreelistError),
}

impl Error {
    /// Returns the text of the error and of its causes: `a: b: c`.
    ///
    /// ```
    /// let failed = kv::Db::open("no/such/directory/file.db").unwrap_err(); // what the system said is its cause
    /// let text = failed.with_causes();
    /// assert!(text.starts_with(&failed.to_string()) && text.len() > failed.to_string().len(), "{text}");
    /// ```
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        debug_assert!(text.starts_with(&self.to_string()), "the error itself comes first");
        text
    }

    /// The cause of a failed commit once more, for each who shared it. What the system said has its kind and its text; what
    /// cannot be said again is an earlier failure.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Store(StoreError::Io { operation, path, offset, source }) => {
                let source = source
                    .raw_os_error()
                    .map_or_else(|| io::Error::new(source.kind(), source.to_string()), io::Error::from_raw_os_error);
                Self::Store(StoreError::Io { operation: *operation, path: path.clone(), offset: *offset, source })
            }
            Self::FileMoved { path, replaced } => Self::FileMoved { path: path.clone(), replaced: *replaced },
            _ => Self::Poisoned,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Poisoned => Self::Poisoned,
            StoreError::Locked { path, waited } => Self::Locked { path, waited },
            StoreError::AlreadyOpen { path } => Self::AlreadyOpen { path },
            StoreError::FileMoved { path, replaced } => Self::FileMoved { path, replaced },
            StoreError::ReadOnly { .. } => Self::ReadOnly,
            StoreError::Overtaken { path } => Self::Overtaken { path },
            other => Self::Store(other),
        }
    }
}

impl From<FreelistError> for Error {
    fn from(error: FreelistError) -> Self {
        Self::Freelist(error)
    }
}

/// A key in a message: as text if it is text, otherwise in hex, and cut if it is long.
pub(crate) struct Name<'a>(pub(crate) &'a [u8]);

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 64;
        let (head, cut) = (self.0.get(..SHOWN).unwrap_or(self.0), self.0.len() > SHOWN);
        match std::str::from_utf8(head) {
            Ok(text) if !text.chars().any(char::is_control) => write!(f, "{text:?}")?,
            _ => {
                f.write_str("0x")?;
                head.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        if cut { write!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}
