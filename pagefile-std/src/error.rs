//! What can go wrong under a page store: the cause, the place, the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What was being done when it failed. Displays as a verb: "write to", "sync".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening an existing file.
    Open,
    /// Making a new file, or putting it in its place.
    Create,
    /// Taking the advisory lock.
    Lock,
    /// Reading bytes by position.
    Read,
    /// Writing bytes by position.
    Write,
    /// Making the file longer.
    Grow,
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
            Operation::Sync => "sync",
        })
    }
}

/// An error of a [`PageStore`](crate::PageStore). Its text names the cause, the place and what to
/// do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused, or the disk failed. After a write, growth or sync the store
    /// is poisoned.
    #[error("cannot {operation} {}{}: {source}{}", .path.display(), At(*.offset), remedy(.source))]
    Io {
        /// What was being done.
        operation: Operation,
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes, if at one place.
        offset: Option<u64>,
        /// What the system said.
        source: io::Error,
    },

    /// An earlier write, growth or sync failed; nothing was done this time.
    #[error(
        "an earlier write, growth or sync of this store failed, so it is unknown what the disk \
         holds: reads go on, writes are refused; close the store and open it again"
    )]
    Poisoned,

    /// Another process, or another handle of this one, holds the file.
    #[error(
        "{} is in use by another process (waited {waited:?}): close the other program, or allow a \
         longer lock time limit; any number may read at once if all of them open it read-only",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long the lock was waited for.
        waited: Duration,
    },

    /// There is no such file.
    #[error("{} does not exist: check the path, or let the file be created", .path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },

    /// A range that the store does not have; nothing was read or written.
    #[error(
        "cannot {operation} {len} bytes at offset {offset}: the store ends at {end}; \
         grow it first, or open a file that is whole"
    )]
    OutOfBounds {
        /// What was asked for.
        operation: Operation,
        /// First byte of the range.
        offset: u64,
        /// Bytes in the range.
        len: u64,
        /// Length of the store.
        end: u64,
    },

    /// A write, growth or sync of a store that was opened read-only.
    #[error("{} is open read-only: open it for writing to change it", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },

    /// The process has no room left to map the bytes; nothing has changed.
    #[error(
        "cannot map {len} bytes of {} into memory: {source}; end old read transactions, raise the \
         limit on address space, or use a 64-bit program",
        .path.display()
    )]
    AddressSpace {
        /// The file, or `memory`.
        path: PathBuf,
        /// How many bytes were to be mapped.
        len: u64,
        /// What the system said.
        source: io::Error,
    },

    /// The bytes could not be held in main memory as the option `mlock` asks.
    #[error(
        "cannot lock {len} bytes of {} in memory: {source}; raise the limit on locked memory \
         (ulimit -l, RLIMIT_MEMLOCK), or open it without mlock",
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

/// What to do about the causes that a user can do something about.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space, then open the file again",
        io::ErrorKind::FileTooLarge => "; raise the limit on file size (ulimit -f), then open the file again",
        io::ErrorKind::PermissionDenied => "; check the permissions of the file and its directory",
        io::ErrorKind::ReadOnlyFilesystem => "; open it read-only",
        io::ErrorKind::UnexpectedEof => "; another program has truncated the file: restore it from a backup",
        _ => "",
    }
}
