//! Every way an operation can fail, with its cause, its place and its remedy.

use std::path::PathBuf;
use std::time::Duration;

use freelist_core::{FreelistError, PageId};
use pagefile_std::StoreError;

/// `Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed. The text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes of the file break the format. Reading goes on wherever the damage is not.
    #[error(
        "page {page} is damaged: {what}; restore a backup, or see what `kv check` and `kv surgery` can do with a copy"
    )]
    Corrupt {
        /// The page whose bytes are wrong; 0 where they belong to no page yet.
        page: PageId,
        /// The rule that they break.
        what: &'static str,
    },

    /// The commit failed before anything could make it visible: the transaction is gone, the state before it stands.
    #[error("not committed, the state before this transaction stands: {cause}")]
    NotCommitted {
        /// What failed.
        cause: Box<Error>,
    },

    /// The commit failed while its last page was being made durable. Whether it happened is known when the file is
    /// opened again: it is then wholly there or wholly not. This handle goes on showing the state before it.
    #[error(
        "it is unknown whether this transaction was committed, opening the file again decides it, wholly or not at all: {cause}"
    )]
    Unknown {
        /// What failed.
        cause: Box<Error>,
    },

    /// An earlier write or sync failed, so it is unknown what the disk holds. Reads go on; writes are refused.
    #[error(
        "an earlier write to this file failed: reads go on, writes are refused; close the database and open it again"
    )]
    Poisoned,

    /// Another process, or another handle, holds the file.
    #[error(
        "{} is in use by another process (waited {waited:?}): close the other program, or allow a longer `lock_timeout`; any number may read at once if all open it read-only",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long the lock was waited for.
        waited: Duration,
    },

    /// A write to a database that was opened read-only.
    #[error("the database is open read-only: open it without `read_only` to change it")]
    ReadOnly,

    /// The file is no bbolt database.
    #[error("this is no bbolt database (neither of its first two pages is a meta page): check the path")]
    NotADatabase,

    /// The file was written on a machine of the other byte order.
    #[error("this database was written on a machine of the other byte order: export it there and import it here")]
    ByteSwapped,

    /// The file has another version of the format.
    #[error("the file has format version {found}, this engine reads version 2: use the program that wrote it")]
    VersionMismatch {
        /// The version in the file.
        found: u32,
    },

    /// Both meta pages fail their checksum.
    #[error("both meta pages fail their checksum: restore a backup, or try `kv surgery` on a copy")]
    ChecksumMismatch,

    /// The file is shorter than its meta page says.
    #[error(
        "the file is truncated: its meta page tells of {expected} bytes and there are {found}; restore a backup, or {}",
        if *.older_fits {
            "go back one transaction with `kv surgery revert-meta-page`, into a copy"
        } else {
            "see with `kv page --all` what is left, and open a copy in which `kv surgery meta update --fields pgid:N` has set the high-water mark to the pages that there are"
        }
    )]
    Truncated {
        /// Bytes up to the high-water mark.
        expected: u64,
        /// Bytes that the file has.
        found: u64,
        /// Whether the other meta page is valid and tells of no more bytes than there are: the state before the last
        /// transaction may then be whole.
        older_fits: bool,
    },

    /// No meta page of a file that is looked at page by page tells how large its pages are.
    #[error(
        "this is no bbolt database, or its two meta pages are damaged: neither tells the page size; check the path, or give the size (`--page-size`) to look anyway"
    )]
    PageSizeUnknown,

    /// No bucket of this name.
    #[error("there is no bucket {}: create it first, or check the name", Name(.name))]
    BucketNotFound {
        /// The name that was looked for.
        name: Vec<u8>,
    },

    /// The bucket is there already.
    #[error("bucket {} exists already: use `create_bucket_if_absent` if that is fine", Name(.name))]
    BucketExists {
        /// The name.
        name: Vec<u8>,
    },

    /// A bucket's name must have at least one byte.
    #[error("a bucket needs a name of at least one byte")]
    BucketNameRequired,

    /// The name of a new bucket is longer than 32,768 bytes.
    #[error("a bucket name of {len} bytes is too long: at most {} are allowed", crate::MAX_KEY_SIZE)]
    BucketNameTooLarge {
        /// Its length in bytes.
        len: usize,
    },

    /// A key must have at least one byte.
    #[error("a key needs at least one byte")]
    KeyRequired,

    /// The key is longer than 32,768 bytes.
    #[error("a key of {len} bytes is too long: at most {} are allowed", crate::MAX_KEY_SIZE)]
    KeyTooLarge {
        /// Its length in bytes.
        len: usize,
    },

    /// The value is longer than 2^31 - 2 bytes.
    #[error("a value of {len} bytes is too long: at most {} are allowed", crate::MAX_VALUE_SIZE)]
    ValueTooLarge {
        /// Its length in bytes.
        len: usize,
    },

    /// A key where a bucket stands, or a bucket where a key stands.
    #[error("{} is a {}: use another name, or delete it first", Name(.key), if *.is_bucket { "bucket, not a key" } else { "key, not a bucket" })]
    IncompatibleValue {
        /// The key.
        key: Vec<u8>,
        /// What stands there.
        is_bucket: bool,
    },

    /// A bucket cannot be moved to where it is, or into itself.
    #[error("source and target of the move are the same bucket, or the target lies inside what is moved")]
    SameBuckets,

    /// The transaction needs more pages than the option `max_size` allows.
    #[error("the file would grow to {needed} bytes, the limit is {limit}: delete or compact, or raise `max_size`")]
    MaxSizeReached {
        /// Bytes that the file would need.
        needed: u64,
        /// The limit in bytes.
        limit: u64,
    },

    /// An option has a value that cannot be.
    #[error("option `{option}` cannot be {value}: {expected}")]
    InvalidOption {
        /// Which.
        option: &'static str,
        /// What it was set to.
        value: u64,
        /// What it may be.
        expected: &'static str,
    },

    /// A commit in strict mode found the tree inconsistent before its meta page was written.
    #[error(
        "strict mode found the new state inconsistent: {problem}; if `kv check` finds nothing wrong with the file as it is, its list of free pages included, this is a defect of this library: please report it"
    )]
    Inconsistent {
        /// The first problem found.
        problem: String,
    },

    /// A text or stream could not be read or written (backups, exports).
    #[error("cannot {what}: {source}")]
    Stream {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },

    /// The file could not be opened, read, written or synced.
    #[error(transparent)]
    Store(StoreError),

    /// The freelist refused: out of memory, or a page freed twice.
    #[error(transparent)]
    Freelist(FreelistError),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Poisoned => Self::Poisoned,
            StoreError::Locked { path, waited } => Self::Locked { path, waited },
            StoreError::ReadOnly { .. } => Self::ReadOnly,
            other => Self::Store(other),
        }
    }
}

impl From<FreelistError> for Error {
    fn from(error: FreelistError) -> Self {
        Self::Freelist(error)
    }
}

/// A key in a message: as text where it is text, else in hex, cut where it is long.
struct Name<'a>(&'a [u8]);

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
