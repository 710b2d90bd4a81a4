//! Errors as exceptions.

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::{PyErr, create_exception};

create_exception!(kv, Error, PyException, "What the store refuses or cannot do. The text says what to do about it.");
create_exception!(kv, AlreadyOpen, Error, "This process has the file open already.");
create_exception!(kv, AlreadyWriting, Error, "This thread has a write transaction open, and would wait for itself.");
create_exception!(kv, BucketNotFound, Error, "There is no bucket of this name.");
create_exception!(kv, Corrupt, Error, "The file is damaged, or no database.");
create_exception!(kv, Ended, Error, "The transaction or the database is closed.");
create_exception!(kv, Locked, Error, "Another process holds the file.");
create_exception!(kv, NotCommitted, Error, "The commit failed, and certainly did not happen.");
create_exception!(kv, Poisoned, Error, "An earlier write failed: close the database and open it again.");
create_exception!(kv, ReadOnly, Error, "The database or the transaction is for reading.");
create_exception!(kv, Unknown, Error, "The commit failed, and may have happened: opening the file again decides.");

/// The exception for an error of the store, with the text of all its causes.
#[allow(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(crate) fn raise(error: kv::Error) -> PyErr {
    let text = error.with_causes();
    match error {
        kv::Error::AlreadyOpen { .. } => AlreadyOpen::new_err(text),
        kv::Error::AlreadyWriting => AlreadyWriting::new_err(text),
        kv::Error::BucketNotFound { .. } => BucketNotFound::new_err(text),
        kv::Error::Corrupt { .. }
        | kv::Error::Truncated { .. }
        | kv::Error::NotADatabase
        | kv::Error::ByteSwapped
        | kv::Error::VersionMismatch { .. }
        | kv::Error::ChecksumMismatch
        | kv::Error::TwoStates { .. } => Corrupt::new_err(text),
        kv::Error::Locked { .. } => Locked::new_err(text),
        kv::Error::NotCommitted { .. } => NotCommitted::new_err(text),
        kv::Error::Poisoned => Poisoned::new_err(text),
        kv::Error::ReadOnly => ReadOnly::new_err(text),
        kv::Error::Unknown { .. } => Unknown::new_err(text),
        kv::Error::KeyRequired
        | kv::Error::KeyTooLarge { .. }
        | kv::Error::ValueTooLarge { .. }
        | kv::Error::BucketNameRequired
        | kv::Error::BucketNameTooLarge { .. }
        | kv::Error::InvalidOption { .. } => PyValueError::new_err(text),
        _ => Error::new_err(text),
    }
}

/// A transaction that was committed or rolled back, or a database that was closed, is used.
pub(crate) fn ended(what: &str) -> PyErr {
    Ended::new_err(format!("the {what} has ended: use it within its `with` block"))
}
