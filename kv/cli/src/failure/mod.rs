//! Why a command failed: one line for a person, an exit code for a script.

mod remedy;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kv::Error;
use pagefile_std::{Operation, StoreError};

use crate::notation::BadNotation;
pub(crate) use remedy::explain;
use remedy::{ALREADY_THERE, describe};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused, or found damage. The path is given if it is not the command's own file.
    Database { path: Option<PathBuf>, error: Error },
    /// The data does not have what was asked for, or something is wrong with it.
    Problem(String),
    /// The problems have been printed.
    Reported,
    /// The command line is wrong in a way that its parser does not see.
    Usage(String),
    /// The system refused a file or stream.
    Refused(String),
    /// The reader of the output has left, as `head` does when it has read enough.
    OutputClosed,
}

impl Failure {
    /// Prints the one line, and returns the exit code.
    pub(crate) fn report(self, file: Option<&Path>, err: &mut dyn Write) -> u8 {
        let (code, message) = self.message(file);
        if !message.is_empty() {
            // If standard error is closed, the exit code has to be enough.
            let _ = err.write_fmt(format_args!("kv: {message}\n"));
        }
        code
    }

    /// The exit code and the line, which is empty if there is nothing to be said.
    pub(crate) fn message(self, file: Option<&Path>) -> (u8, String) {
        let (code, message) = match self {
            Self::OutputClosed => (0, String::new()),
            Self::Reported => (1, String::new()),
            Self::Database { path, error } => {
                let path = path.as_deref().or(file);
                (code(&error), with_path(path, &describe(&error, path)))
            }
            Self::Problem(message) => (1, with_path(file, &message)),
            Self::Usage(message) => (2, with_path(file, &message)),
            Self::Refused(message) => (3, message),
        };
        (code, message.replace('\n', " "))
    }

    /// A file that is not a database could not be read or made.
    pub(crate) fn refused(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Refused(format!("cannot {what} {}: {}", path.display(), explain(error)))
    }

    /// A new file could not be written.
    pub(crate) fn not_made(target: &Path, error: &io::Error) -> Self {
        Self::Refused(format!("{} was not made: {}", target.display(), explain(error)))
    }

    /// A new file would take the place of another.
    pub(crate) fn already_there(path: &Path) -> Self {
        Self::Refused(format!("{}: {ALREADY_THERE}", path.display()))
    }

    /// The file is damaged, and the command can go on with --salvage.
    pub(crate) fn salvageable(error: Error) -> Self {
        match error {
            Error::Corrupt { page, what } => Self::Problem(format!(
                "page {page} is damaged: {what}; restore a backup, or get what can be read with --salvage"
            )),
            other => other.into(),
        }
    }

    /// The command's own file could not be copied to `target`: damage is in the former, any other error is the
    /// latter's.
    pub(crate) fn copying(target: &Path, error: Error) -> Self {
        match error {
            Error::Corrupt { .. } | Error::Store(StoreError::Io { operation: Operation::Read, .. }) => error.into(),
            Error::NotCommitted { cause } | Error::Unknown { cause } => Self::copying(target, *cause),
            Error::Stream { ref source, .. } => Self::not_made(target, source),
            Error::Store(StoreError::Io { ref source, .. })
                if !matches!(source.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) =>
            {
                Self::not_made(target, source)
            }
            error => Self::Database { path: Some(target.to_owned()), error },
        }
    }
}

/// For errors about another file than the command's own.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> At<T> for kv::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| Failure::Database { path: Some(path.to_owned()), error })
    }
}

impl<T> At<T> for std::result::Result<T, StoreError> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(Error::Store).at(path)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database { path: None, error }
    }
}

impl From<BadNotation> for Failure {
    fn from(error: BadNotation) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Only standard output is written through `?`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Self::Refused(format!("cannot write the output: {}", explain(&error)))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

fn code(error: &Error) -> u8 {
    match error {
        Error::Corrupt { .. }
        | Error::Truncated { .. }
        | Error::ChecksumMismatch
        | Error::TwoStates { .. }
        | Error::BucketNotFound { .. }
        | Error::BucketExists { .. }
        | Error::IncompatibleValue { .. } => 1,
        Error::InvalidOption { .. }
        | Error::KeyRequired
        | Error::BucketNameRequired
        | Error::BucketNameTooLarge { .. }
        | Error::KeyTooLarge { .. }
        | Error::ValueTooLarge { .. } => 2,
        _ => 3,
    }
}

fn with_path(path: Option<&Path>, message: &str) -> String {
    path.map_or_else(|| message.to_owned(), |path| format!("{}: {message}", path.display()))
}
