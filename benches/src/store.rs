//! Stores to measure on.

use std::path::PathBuf;

use kv::{Db, Options};
use tempfile::TempDir;

use crate::workload::{key, value};

/// The bucket that everything is in.
pub const BUCKET: &str = "pairs";

/// A file with the pairs `0..pairs`, put in random order, and the directory that it vanishes with.
///
/// # Panics
/// If the temporary directory cannot be written.
#[must_use]
pub fn file(pairs: u64) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("kv.db");
    let db = Options::new().no_sync(true).open(&path).expect("a new database");
    let numbers: Vec<u64> = (0..pairs).collect();
    for chunk in numbers.chunks(10_000) {
        put(&db, chunk);
    }
    db.close().expect("room for the list of free pages");
    (dir, path)
}

/// A database in a directory that vanishes with it.
#[derive(Debug)]
pub struct Store {
    /// The database, open.
    pub db: Db,
    _dir: TempDir,
}

impl Store {
    /// A file as [`file()`] makes it, opened with `options`.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[must_use]
    pub fn loaded(pairs: u64, options: &Options) -> Self {
        let (dir, path) = file(pairs);
        Self { db: options.open(path).expect("the database that was closed"), _dir: dir }
    }
}

/// Puts these pairs in one transaction.
///
/// # Panics
/// If it cannot be committed.
pub fn put(db: &Db, numbers: &[u64]) {
    db.update(|tx| {
        let mut bucket = tx.create_bucket_if_absent(BUCKET)?;
        numbers.iter().try_for_each(|&number| bucket.put(key(number), value(number)))
    })
    .expect("room for the pairs");
}

/// Drops `db` as a crash does: unless commits write the list of free pages, the file has none.
///
/// # Errors
/// Those of beginning a write transaction.
pub fn crash(db: Db) -> kv::Result<()> {
    // While another transaction holds the writer lock, dropping the handle does not write the list.
    let writer = db.begin_write_owned()?;
    drop(db);
    drop(writer);
    Ok(())
}
