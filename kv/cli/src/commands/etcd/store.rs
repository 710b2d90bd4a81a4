//! Opening etcd's store in a file.

use std::path::Path;
use std::time::Duration;

use kv_etcd::mvcc::{Error, Options, Store};

use crate::failure::{Failure, Result};
use crate::files::open;
use crate::terminal::Terminal;

/// Opens a database or a snapshot to read it, under a shared lock.
pub(crate) fn to_read(path: &Path, terminal: &mut Terminal<'_>) -> Result<Store> {
    let db = open::to_read(path, terminal)?;
    Store::from_db(db, Options::new()).map_err(refused)
}

/// Opens an existing database to change it.
pub(crate) fn to_write(path: &Path, terminal: &mut Terminal<'_>) -> Result<Store> {
    let db = open::to_write(path, terminal)?;
    // Nobody else writes to it.
    Store::from_db(db, Options::new().compaction_pause(Duration::ZERO)).map_err(refused)
}

/// What the store refuses says what can be done.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub(crate) fn refused(error: Error) -> Failure {
    let text = error.to_string();
    let text = text.strip_prefix("etcdserver: ").unwrap_or(&text).to_owned();
    match error {
        Error::Engine(_) | Error::System { .. } | Error::NoSpace | Error::Stopped => Failure::Refused(text),
        Error::EmptyKey => Failure::Usage(text),
        _ => Failure::Problem(text),
    }
}
