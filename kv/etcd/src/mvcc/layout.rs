//! The buckets of etcd's file, and the rows of `meta`.

use kv::{Bucket, ReadTx, WriteTx};

use super::error::{Error, Result};
use super::revision::{MAIN_MAX, Revision, from_big_endian};

pub(super) const KEY: &str = "key";
pub(super) const META: &str = "meta";
pub(super) const LEASE: &str = "lease";
pub(super) const ALARM: &str = "alarm";
pub(super) const MEMBERS: &str = "members";
pub(super) const CLUSTER: &str = "cluster";
const AUTH: &str = "auth";

/// All buckets of an etcd. Its tools do not create what is missing.
const BUCKETS: [&str; 10] =
    [ALARM, AUTH, "authRoles", "authUsers", CLUSTER, KEY, LEASE, MEMBERS, "members_removed", META];

pub(super) const SCHEDULED_COMPACT: &str = "scheduledCompactRev";
pub(super) const FINISHED_COMPACT: &str = "finishedCompactRev";
pub(super) const CLUSTER_VERSION: &str = "clusterVersion";
const CONSISTENT_INDEX: &str = "consistent_index";
const TERM: &str = "term";
const AUTH_REVISION: &str = "authRevision";

/// Makes an empty database etcd's, and adds what is missing in one of etcd's.
///
/// # Errors
/// [`Error::NotAStore`] if the database has other buckets and not that of the keys.
pub(super) fn create(tx: &mut WriteTx<'_>) -> Result<()> {
    let foreign = tx.buckets().next().is_some() && tx.get_bucket(KEY)?.is_none();
    if foreign {
        return Err(no_key_bucket());
    }
    const { assert!(BUCKETS.len() == 10, "etcd has ten") };
    for name in BUCKETS {
        if tx.get_bucket(name)?.is_none() {
            let mut bucket = tx.create_bucket(name)?;
            if name == AUTH {
                bucket.put(AUTH_REVISION, super::revision::big_endian(1))?;
            }
        }
    }
    Ok(())
}

/// Whether [`create`] would change anything.
///
/// # Errors
/// Those of the page store.
pub(super) fn is_complete(tx: &ReadTx<'_>) -> Result<bool> {
    for name in BUCKETS {
        if tx.get_bucket(name)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The bucket of the keys of a file that is only read.
///
/// # Errors
/// [`Error::NotAStore`] if there is none.
pub(super) fn key_bucket<'t>(tx: &'t ReadTx<'_>) -> Result<Bucket<'t>> {
    tx.get_bucket(KEY)?.ok_or_else(no_key_bucket)
}

/// The revision of the last row; 0 if there is none.
///
/// # Errors
/// A damaged row, or what the page store answers.
pub(crate) fn newest_row(tx: &ReadTx<'_>) -> Result<i64> {
    let Some(bucket) = tx.get_bucket(KEY)? else { return Ok(0) };
    let Some((key, _)) = bucket.cursor().last()? else { return Ok(0) };
    let (revision, _) = Revision::parse(key).map_err(|what| damaged(KEY, key, what))?;
    Ok(revision.main)
}

fn no_key_bucket() -> Error {
    Error::NotAStore { what: format!("there is no bucket `{KEY}`") }
}

/// What `meta` says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meta {
    pub(super) scheduled: Option<i64>,
    pub(super) finished: Option<i64>,
    pub(super) consistent_index: u64,
    pub(super) term: u64,
}

impl Meta {
    /// # Errors
    /// [`Error::DamagedRow`] for a row of the wrong length or content.
    pub(super) fn read(tx: &ReadTx<'_>) -> Result<Self> {
        let Some(meta) = tx.get_bucket(META)? else { return Ok(Self::default()) };
        let revision = |key: &'static str| match meta.get(key)? {
            None => Ok(None),
            Some(value) => match Revision::parse(value) {
                Ok((revision, _)) if revision.main > MAIN_MAX => {
                    Err(damaged(META, key.as_bytes(), "its revision is too large"))
                }
                Ok((revision, false)) => Ok(Some(revision.main)),
                Ok(_) => Err(damaged(META, key.as_bytes(), "it is the revision of a delete")),
                Err(what) => Err(damaged(META, key.as_bytes(), what)),
            },
        };
        let number = |key: &'static str| match meta.get(key)? {
            None => Ok(0),
            Some(value) if value.len() == 8 => Ok(from_big_endian(value)),
            Some(_) => Err(damaged(META, key.as_bytes(), "it does not have 8 bytes")),
        };
        Ok(Self {
            scheduled: revision(SCHEDULED_COMPACT)?,
            finished: revision(FINISHED_COMPACT)?,
            consistent_index: number(CONSISTENT_INDEX)?,
            term: number(TERM)?,
        })
    }
}

pub(super) fn damaged(bucket: &'static str, key: &[u8], what: &'static str) -> Error {
    let printable = !key.is_empty() && key.iter().all(u8::is_ascii_graphic);
    let hex = || hex::encode(key);
    Error::DamagedRow { bucket, key: if printable { String::from_utf8_lossy(key).into_owned() } else { hex() }, what }
}
