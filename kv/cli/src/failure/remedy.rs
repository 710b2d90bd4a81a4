//! Errors in the words of this tool: the library's remedies are calls and options that a person does not have.

use std::io;
use std::path::Path;

use kv::Error;
use pagefile_std::{Operation, StoreError};

use crate::notation::quoted_or_hex;

/// What happened to the file at `path`, which the message does not name, and what to do about it.
pub(crate) fn describe(error: &Error, path: Option<&Path>) -> String {
    match error {
        Error::Store(error) => store(error),
        Error::Locked { waited, .. } => locked(waited.as_secs_f32()),
        Error::Corrupt { page, what } => {
            format!("page {page} is damaged: {what}; restore a backup, or see `kv check` and `kv surgery --help`")
        }
        Error::Truncated { expected, found, older_fits } => {
            let back = if *older_fits { "go back one transaction with `kv surgery revert-meta-page`, or " } else { "" };
            format!(
                "the file is truncated: its meta page tells of {expected} bytes and there are {found}; restore a backup, \
                 or {back}lengthen a copy (truncate -s {expected} COPY) and see what `kv check` and `kv surgery` find"
            )
        }
        Error::NotCommitted { cause } => format!("not committed, the state before stands: {}", describe(cause, path)),
        Error::Unknown { cause } => {
            format!("it is unknown whether the change was committed, wholly or not at all: {}", describe(cause, path))
        }
        Error::NotADatabase if path.is_some_and(is_empty) => {
            "the file is empty: `kv create FILE BUCKET` makes a database in it".into()
        }
        Error::BucketNotFound { name } => {
            format!(
                "there is no bucket {}: `kv buckets` lists those there are, `kv create` makes one",
                quoted_or_hex(name)
            )
        }
        Error::BucketExists { name } => format!("there is a bucket {} already", quoted_or_hex(name)),
        Error::InvalidOption { option, value, expected } => {
            format!("{} cannot be {value}: {expected}", argument(option))
        }
        other => other.to_string(),
    }
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
            (_, io::ErrorKind::AlreadyExists) => {
                "there is a file of this name already: choose another, or move it away".into()
            }
            (Operation::Create, io::ErrorKind::NotFound) => {
                "there is no such directory: check the path, or make it".into()
            }
            (Operation::Open, _) if path.is_dir() => {
                "this is a directory: give the path of a file (in etcd's data directory, member/snap/db)".into()
            }
            (Operation::Open, io::ErrorKind::InvalidInput) => {
                format!("this is {source}: a database is one, copy it into one first")
            }
            _ => {
                let place = offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
                format!("cannot {operation} it{place}: {}", explain(source))
            }
        },
        StoreError::AddressSpace { source, .. } | StoreError::LockedMemory { source, .. } => {
            format!("{error}: {source}")
        }
        other => other.to_string(),
    }
}

fn locked(waited_s: f32) -> String {
    format!(
        "in use by another program (waited {waited_s:.1} s): close that program, or wait longer with --lock-timeout"
    )
}

/// The argument that sets an option of the library.
fn argument(option: &str) -> String {
    match option {
        "first element" => "--from-index".into(),
        "last element" => "--to-index".into(),
        "page_size" => "--page-size".into(),
        other => other.into(),
    }
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}
