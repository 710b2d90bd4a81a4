//! What can go wrong under a page store: what failed, where, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a store was doing when it failed. Displays as a verb: "write to", "sync".
///
/// ```
/// use pagefile_std::{MemStore, Operation, PageStore, StoreError};
///
/// let error = MemStore::with_bytes(b"short").read_at(3, &mut [0; 9]).unwrap_err();
/// let StoreError::OutOfBounds { operation, .. } = error else { panic!("{error}") };
/// assert_eq!((operation, operation.to_string()), (Operation::Read, "read from".into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening an existing file.
    Open,
    /// Making a new file, or giving it its name.
    Create,
    /// Taking the advisory lock.
    Lock,
    /// Reading bytes at an offset.
    Read,
    /// Writing bytes at an offset.
    Write,
    /// Making the file longer.
    Grow,
    /// Making the file shorter.
    Truncate,
    /// Making bytes durable.
    Sync,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Open => "open",
            Operation::Create => "create",
            Operation::Lock => "lock",
            Operation::Read => "read from",
            Operation::Write => "write to",
            Operation::Grow => "grow",
            Operation::Truncate => "truncate",
            Operation::Sync => "sync",
        })
    }
}

/// An error of a [`PageStore`](crate::PageStore).
///
/// Its text says what failed, where, and what to do about it. It does not repeat what the system
/// said: [`source`](std::error::Error::source) returns that. Print both:
///
/// ```
/// use pagefile_std::{FileOptions, Operation, PageFile, StoreError};
/// use std::error::Error;
///
/// let directory = tempfile::tempdir()?;
/// let error = PageFile::open(directory.path(), &FileOptions::default()).unwrap_err();
/// assert!(matches!(error, StoreError::Io { operation: Operation::Open, .. }));
/// assert_eq!(error.to_string(), format!("cannot open {}", directory.path().display()));
///
/// let mut whole = error.to_string();
/// let mut cause = error.source();
/// while let Some(error) = cause {
///     whole += &format!(": {error}");
///     cause = error.source();
/// }
/// assert!(whole.ends_with(": is a directory"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused, or the disk failed. After a write, growth or sync the store
    /// is poisoned.
    #[error("cannot {operation} {}{}{}", .path.display(), At(*.offset), remedy(.source))]
    Io {
        /// What the store was doing.
        operation: Operation,
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes, if at one place.
        offset: Option<u64>,
        /// What the system said.
        source: io::Error,
    },

    /// An earlier write, growth or sync failed; nothing was done this time.
    #[error(
        "an earlier write, growth or sync of this store failed, so what the disk holds is unknown: \
         reads still work, writes are refused; close the store and open it again"
    )]
    Poisoned,

    /// Another process, or another handle in this one, holds the file.
    #[error(
        "{} is in use by another process (waited {waited:?}): close the other program, or allow a \
         longer lock timeout; several programs may read at once if all of them open it read-only",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long the store waited for the lock.
        waited: Duration,
    },

    /// This process has the file open already, and would wait for itself.
    #[error(
        "{} is open in this process already: use that handle, or close it first; \
         a file can be open several times if all handles open it read-only",
        .path.display()
    )]
    AlreadyOpen {
        /// The file.
        path: PathBuf,
    },

    /// There is no such file.
    #[error("{} does not exist: check the path, or create the file", .path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },

    /// The path no longer names the open file; nothing was written.
    #[error(
        "{} no longer names the open file: {}; put the file back, or close the store and open the path again",
        .path.display(),
        if *.replaced { "another file is there now" } else { "it was removed or renamed" }
    )]
    FileMoved {
        /// The path that the file was opened with.
        path: PathBuf,
        /// Whether there is another file of this name now.
        replaced: bool,
    },

    /// Another process has changed the file since this look into it began, so what was read may be of two moments; it was
    /// not shown.
    #[error("{} was changed by another program while it was being read: look into it again", .path.display())]
    Overtaken {
        /// The file.
        path: PathBuf,
    },

    /// The file is on a network file system, where another machine may write it and what is read here may be old.
    #[error(
        "{} is on a network file system, where a look into a file in use may be wrong: run this on the machine that has \
         the disk, or open the file with its lock",
        .path.display()
    )]
    Remote {
        /// The file.
        path: PathBuf,
    },

    /// The store does not have this range of bytes; nothing was read or written.
    #[error(
        "cannot {operation} offset {offset} ({len} bytes): the store ends at {end}; \
         grow it first, or open a file that is whole"
    )]
    OutOfBounds {
        /// What was asked for.
        operation: Operation,
        /// First byte of the range.
        offset: u64,
        /// Bytes in the range.
        len: u64,
        /// Length of the store, in bytes.
        end: u64,
    },

    /// A write, growth or sync of a store that was opened read-only.
    #[error("{} is open read-only: open it for writing to change it", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },

    /// The process has no address space left to map the bytes; nothing has changed.
    #[error(
        "cannot map {len} bytes of {} into memory (let old readers end, raise the limit on address \
         space, or use a 64-bit program)",
        .path.display()
    )]
    AddressSpace {
        /// The file, or `memory`.
        path: PathBuf,
        /// How many bytes the map was to have.
        len: u64,
        /// What the system said.
        source: io::Error,
    },

    /// The system refused to keep the bytes in main memory, as the option `mlock` asks.
    #[error(
        "cannot lock {len} bytes of {} in memory (raise the limit on locked memory with ulimit -l or \
         RLIMIT_MEMLOCK, or open it without mlock)",
        .path.display()
    )]
    LockedMemory {
        /// The file.
        path: PathBuf,
        /// How many bytes were to be locked.
        len: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// An I/O error of the file as a whole.
pub(crate) fn failed(operation: Operation, path: &Path, source: io::Error) -> StoreError {
    assert!(!matches!(operation, Operation::Read | Operation::Write), "a failed read or write says at which offset");
    StoreError::Io { operation, path: path.to_path_buf(), offset: None, source }
}

/// " at offset N", or nothing.
struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(offset) => write!(f, " at offset {offset}"),
            None => Ok(()),
        }
    }
}

/// What to do, in parentheses, for the causes that a user can do something about.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => " (free some space, then open the file again)",
        io::ErrorKind::FileTooLarge => " (raise the limit on file size with ulimit -f, then open the file again)",
        io::ErrorKind::PermissionDenied => " (check the permissions of the file and its directory)",
        io::ErrorKind::ReadOnlyFilesystem => " (open it read-only)",
        io::ErrorKind::UnexpectedEof => " (another program has truncated the file: restore it from a backup)",
        _ => "",
    }
}
