//! Why a command failed: one line for a person, an exit code for a script.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kv::Error;
use pagefile_std::{Operation, StoreError};

pub(crate) type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused, or found damage. The path is given where it is not the command's own file.
    Database { path: Option<PathBuf>, error: Error },
    /// What was asked for is not there, or something is wrong with it.
    Problem(String),
    /// The problems have been printed.
    Reported,
    /// The command line is wrong in a way that its parser does not see.
    Usage(String),
    /// A file or stream refused.
    Refused(String),
    /// Whoever read the output has read enough.
    OutputClosed,
}

impl Failure {
    /// Prints the one line, and chooses the code.
    pub(crate) fn report(self, file: Option<&Path>) -> ExitCode {
        let (code, message) = match self {
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Reported => return ExitCode::from(1),
            Self::Database { path, error } => {
                let path = path.as_deref().or(file);
                (code(&error), with_path(path, &describe(&error)))
            }
            Self::Problem(message) => (1, with_path(file, &message)),
            Self::Usage(message) => (2, with_path(file, &message)),
            Self::Refused(message) => (3, message),
        };
        // Nothing is to be done about a standard error that is closed.
        let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("kv: {}\n", message.replace('\n', " ")));
        ExitCode::from(code)
    }

    /// A file that is not a database refused.
    pub(crate) fn refused(what: &str, path: &Path, error: impl Display) -> Self {
        Self::Refused(format!("cannot {what} {}: {error}", path.display()))
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

/// Only standard output is written through `?`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Self::Refused(format!("cannot write the output: {error}"))
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
        | Error::BucketNotFound { .. }
        | Error::BucketExists { .. }
        | Error::IncompatibleValue { .. } => 1,
        Error::InvalidOption { .. }
        | Error::KeyRequired
        | Error::BucketNameRequired
        | Error::KeyTooLarge { .. }
        | Error::ValueTooLarge { .. } => 2,
        _ => 3,
    }
}

/// The library's words, except where the remedy is an option of the library and not of the tool.
fn describe(error: &Error) -> String {
    match error {
        Error::Locked { waited } | Error::Store(StoreError::Locked { waited, .. }) => format!(
            "in use by another program (waited {:.1} s): close that program, or wait longer with --lock-timeout",
            waited.as_secs_f32()
        ),
        Error::Store(StoreError::NotFound { .. }) => {
            "there is no such file: check the path, or make one with `kv create`".into()
        }
        Error::Store(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            "there is a file of this name already: choose another, or move it away".into()
        }
        Error::Store(StoreError::Io { operation: Operation::Create, source, .. })
            if source.kind() == io::ErrorKind::NotFound =>
        {
            "there is no such directory: check the path, or make it".into()
        }
        Error::BucketExists { .. } => format!("{error}").split(": ").next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// Messages of the store name the file themselves.
fn with_path(path: Option<&Path>, message: &str) -> String {
    match path {
        Some(path) if !message.contains(&*path.to_string_lossy()) => format!("{}: {message}", path.display()),
        _ => message.to_owned(),
    }
}
