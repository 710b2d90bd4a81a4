//! Errors in the words of the command line. The library's remedies are methods and options, which a person at a shell
//! does not have; here they are commands and arguments.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use kv::surgery::RawFile;
use kv::{Db, Error, PageId};
use pagefile_std::{Operation, StoreError};

use crate::notation::quoted_or_hex;

/// A new file would take the place of another.
pub(super) const ALREADY_THERE: &str = "there is a file of this name already: choose another, or move it away";

/// What happened to the file at `path`, which the message does not name, and what to do about it.
pub(super) fn describe(error: &Error, path: Option<&Path>) -> String {
    match error {
        Error::NotCommitted { cause } => format!("not committed, the database is unchanged: {}", describe(cause, path)),
        Error::Unknown { cause } => format!(
            "it is unknown whether the change was committed: all of it or nothing, look before you repeat it: {}",
            describe(cause, path)
        ),
        Error::Store(error) => store(error),
        Error::Locked { waited, .. } => locked(waited.as_secs_f32()),
        Error::TooBusy { tries, waited, .. } => format!(
            "another program committed during each of {tries} tries to read this ({:.1} s): read less at once, try longer \
             with --lock-timeout, or list a bucket with `kv keys` or `kv scan` and --across-commits",
            waited.as_secs_f32()
        ),
        Error::Corrupt { page, what } if path.is_some_and(|path| is_of_log(path, *page)) => format!(
            "the redo log at page {page} is damaged: {what}; restore a backup, or give up what was committed after the last \
             checkpoint with `kv surgery abandon-log`, in a copy"
        ),
        Error::Corrupt { page, what } => {
            format!("page {page} is damaged: {what}; restore a backup, or see `kv check` and `kv surgery --help`")
        }
        Error::ChecksumMismatch => {
            "both meta pages fail their checksum: restore a backup, or see `kv surgery --help`".into()
        }
        Error::TwoStates { tx, shown } => format!(
            "both meta pages are valid and of transaction {tx}, but they name different states, of which reading commands \
             show that of page {shown}: keep one of them in a copy with `kv surgery meta choose`"
        ),
        Error::Unsettled => "the last commits are in a log, and change more pages than can be shown from memory: \
                             `kv checkpoint FILE` brings them into the trees, as any command that writes does"
            .into(),
        Error::Truncated { expected, found, older_fits } => truncated(*expected, *found, *older_fits),
        Error::NotADatabase if path.is_some_and(is_empty) => {
            "the file is empty: `kv create FILE BUCKET` makes a database in it".into()
        }
        Error::ByteSwapped => "this database was written on a machine of the other byte order: \
                               run `kv export` there and `kv import` here"
            .into(),
        Error::PageSizeUnknown => "this is no bbolt database, or its two meta pages are damaged: check the path, \
                                   or look at it anyway with --page-size, which is 4096 in most files"
            .into(),
        Error::BucketNotFound { name } => format!(
            "there is no bucket {}: `kv buckets` lists those there are, `kv create` makes one",
            quoted_or_hex(name)
        ),
        Error::BucketExists { name } => format!("there is a bucket {} already", quoted_or_hex(name)),
        Error::InvalidOption { option, value, expected } => {
            format!("{} cannot be {value}: {expected}", argument(option))
        }
        other => chain(other),
    }
}

/// An error with its causes: `a: b: c`.
fn chain(error: &dyn StdError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", chain(cause)))
}

/// What the system said, and what to do about it.
pub(crate) fn explain(error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; check the permissions of the file and its directory",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space, or write to another disk",
        io::ErrorKind::FileTooLarge => "; raise the limit on file size (ulimit -f), or write to another file system",
        io::ErrorKind::ReadOnlyFilesystem => "; write to another place",
        io::ErrorKind::IsADirectory => "; give the path of a file",
        io::ErrorKind::UnexpectedEof => "; another program has truncated the file: restore it from a backup",
        _ => "",
    };
    format!("{error}{remedy}")
}

fn store(error: &StoreError) -> String {
    match error {
        StoreError::Locked { waited, .. } => locked(waited.as_secs_f32()),
        StoreError::NotFound { .. } => "there is no such file: check the path, or make one with `kv create`".into(),
        StoreError::Io { operation, path, offset, source } => match (operation, source.kind()) {
            (_, io::ErrorKind::AlreadyExists) => ALREADY_THERE.into(),
            (Operation::Create, io::ErrorKind::NotFound) => {
                "there is no such directory: check the path, or make it".into()
            }
            (Operation::Open, _) if path.is_dir() => {
                "this is a directory: give the path of a file (in etcd's data directory, member/snap/db)".into()
            }
            // A FIFO, for example.
            (Operation::Open, io::ErrorKind::InvalidInput) => {
                format!("cannot open it: {source}; copy its content into a file first")
            }
            _ => {
                let place = offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
                format!("cannot {operation} it{place}: {}", explain(source))
            }
        },
        other => chain(other),
    }
}

fn locked(waited_s: f32) -> String {
    format!(
        "in use by another program (waited {waited_s:.1} s): close that program, or wait longer with --lock-timeout; \
         commands that only read look into a file in use with --live"
    )
}

fn truncated(expected: u64, found: u64, older_fits: bool) -> String {
    let back = if older_fits { "go back one transaction with `kv surgery revert-meta-page`, or " } else { "" };
    format!(
        "the file is truncated: it has {found} of the {expected} bytes that its meta page says; restore a backup, or \
         {back}lengthen a copy (truncate -s {expected} COPY) and see what `kv check` and `kv surgery` find"
    )
}

/// The argument that sets an option of the library.
fn argument(option: &str) -> &str {
    match option {
        "first element" => "--from-index",
        "last element" => "--to-index",
        "page_size" => "--page-size",
        "meta page" => "--meta-page",
        other => other,
    }
}

/// Whether page `page` of the file is one of its redo log.
fn is_of_log(path: &Path, page: PageId) -> bool {
    let pages = Db::peek(path).and_then(|peek| peek.pages());
    let log = pages.and_then(|pages| RawFile::new(pages, None)).ok().and_then(|file| file.redo_log_pages());
    log.is_some_and(|(first, count)| (first.get()..first.get().saturating_add(count)).contains(&page.get()))
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}
