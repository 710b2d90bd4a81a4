//! Opening etcd's store in a file.

use std::path::Path;

use kv_etcd::mvcc::{Error, KeyValue, Options, Store};
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::{Encoding, Text};
use crate::terminal::Terminal;

/// Opens a database or a snapshot to read it, under a shared lock.
pub(crate) fn to_read(path: &Path, terminal: &mut Terminal<'_>) -> Result<Store> {
    let db = open::to_read(path, terminal)?;
    Store::from_db(db, Options::new()).map_err(refused)
}

/// Opens an existing database to change it.
pub(crate) fn to_write(path: &Path, terminal: &mut Terminal<'_>) -> Result<Store> {
    let db = open::to_write(path, terminal)?;
    Store::from_db(db, Options::new()).map_err(refused)
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

/// A key and its value in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Pair {
    key: Text,
    create_revision: i64,
    mod_revision: i64,
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Text>,
    #[serde(skip_serializing_if = "is_zero")]
    lease: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(lease: &i64) -> bool {
    *lease == 0
}

impl Pair {
    pub(crate) fn new(kv: &KeyValue, with_value: bool) -> Self {
        Self {
            key: Encoding::Text.text(&kv.key),
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            value: with_value.then(|| Encoding::Text.text(&kv.value)),
            lease: kv.lease,
        }
    }
}
