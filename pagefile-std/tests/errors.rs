//! What an error says, and what its cause says: each once.

#[macro_use]
extern crate kv_testkit;

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use pagefile_std::{Operation, StoreError};

const CAUSE: &str = "the disk is on fire";

/// An error of each kind that has a cause.
fn with_cause(kind: io::ErrorKind) -> [StoreError; 4] {
    let path = PathBuf::from("pages");
    let source = || io::Error::new(kind, CAUSE);
    [
        StoreError::Io { operation: Operation::Write, path: path.clone(), offset: Some(8192), source: source() },
        StoreError::Io { operation: Operation::Sync, path: path.clone(), offset: None, source: source() },
        StoreError::AddressSpace { path: path.clone(), len: 4096, source: source() },
        StoreError::LockedMemory { path, len: 4096, source: source() },
    ]
}

#[test]
fn no_error_prints_what_its_cause_prints() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied] {
        for error in with_cause(kind) {
            assert_eq!(error.source().expect("a cause").to_string(), CAUSE);
            assert!(!error.to_string().contains(CAUSE), "{error}");
        }
    }
}

#[test]
fn an_error_names_the_operation_the_file_the_offset_and_the_remedy() {
    let [write, sync, ..] = with_cause(io::ErrorKind::StorageFull);
    assert_eq!(write.to_string(), "cannot write to pages at offset 8192 (free some space, then open the file again)");
    assert_eq!(sync.to_string(), "cannot sync pages (free some space, then open the file again)");
    let [write, ..] = with_cause(io::ErrorKind::Other);
    assert_eq!(write.to_string(), "cannot write to pages at offset 8192");
}

#[test]
fn each_cause_that_a_user_can_do_something_about_has_its_remedy() {
    for (kind, remedy) in [
        (io::ErrorKind::StorageFull, "free some space"),
        (io::ErrorKind::QuotaExceeded, "free some space"),
        (io::ErrorKind::FileTooLarge, "ulimit -f"),
        (io::ErrorKind::PermissionDenied, "check the permissions"),
        (io::ErrorKind::ReadOnlyFilesystem, "open it read-only"),
        (io::ErrorKind::UnexpectedEof, "restore it from a backup"),
    ] {
        let [write, sync, ..] = with_cause(kind);
        assert!(write.to_string().contains(remedy) && sync.to_string().contains(remedy), "{kind:?}: {write}");
    }
}

#[test]
fn an_error_without_a_cause_has_none() {
    let path = PathBuf::from("pages");
    for error in [
        StoreError::Poisoned,
        StoreError::Locked { path: path.clone(), waited: Duration::from_secs(1) },
        StoreError::NotFound { path: path.clone() },
        StoreError::OutOfBounds { operation: Operation::Read, offset: 3, len: 9, end: 5 },
        StoreError::ReadOnly { path },
    ] {
        assert!(error.source().is_none(), "{error}");
    }
}
