//! The names of the types of all tables, in a bucket of their own.

use crate::error::{Error, Result};
use crate::tx::{Bucket, ReadTx, WriteTx};

/// The top-level bucket that has, for each table and index, the names of its types.
const REGISTRY: &str = "kv.tables";

/// A transaction of either kind, in which tables are read.
pub trait Transaction {
    /// Returns the top-level bucket `name`. O(log n).
    ///
    /// # Errors
    /// As [`ReadTx::bucket`].
    fn top_level(&self, name: &str) -> Result<Bucket<'_>>;
}

impl Transaction for ReadTx<'_> {
    fn top_level(&self, name: &str) -> Result<Bucket<'_>> {
        self.bucket(name)
    }
}

impl Transaction for WriteTx<'_> {
    fn top_level(&self, name: &str) -> Result<Bucket<'_>> {
        self.bucket(name)
    }
}

/// Compares the types of a table with those that it was made with. What no program has registered, such as a bucket that a
/// Go program fills, has no types to compare.
pub(super) fn check(tx: &impl Transaction, table: &str, types: &str) -> Result<()> {
    match tx.top_level(REGISTRY) {
        Ok(registry) => compare(table, registry.get(table)?, types),
        Err(Error::BucketNotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Compares the types of a table with those that it was made with, or stores them. Whether it is new.
pub(super) fn register(tx: &mut WriteTx<'_>, table: &str, types: &str) -> Result<bool> {
    let mut registry = tx.create_bucket_if_absent(REGISTRY)?;
    let stored = registry.get(table)?;
    compare(table, stored, types)?;
    let is_new = stored.is_none();
    if is_new {
        registry.put(table, types)?;
    }
    Ok(is_new)
}

fn compare(table: &str, stored: Option<&[u8]>, types: &str) -> Result<()> {
    match stored {
        Some(stored) if stored != types.as_bytes() => Err(Error::TableMismatch {
            table: table.to_owned(),
            stored: String::from_utf8_lossy(stored).into_owned(),
            expected: types.to_owned(),
        }),
        _ => Ok(()),
    }
}
