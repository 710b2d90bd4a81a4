//! The same work on kv, LMDB and redb.

mod contest;
mod kv_engine;
mod lmdb_engine;
mod redb_engine;
mod stopwatch;
mod work;

use std::error::Error;
use std::path::Path;

pub use contest::{Contest, Standing};
pub use work::{Kind, WORKS, Work};

/// An error of any of the engines.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Whether a transaction waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The change is on the disk when the call returns.
    Durable,
    /// The change is in the system's cache, or in the engine's, when the call returns.
    NotSynced,
}

/// A store as the contest sees it. A pair has a number; all engines make the same key and value from it.
pub trait Engine {
    /// Puts these pairs in one transaction.
    ///
    /// # Errors
    /// Those of the engine.
    fn put(&self, numbers: &[u64]) -> Result<()>;

    /// Gets the values of these pairs in one read transaction and returns the sum of their digests.
    ///
    /// # Errors
    /// Those of the engine.
    fn get(&self, numbers: &[u64]) -> Result<u64>;

    /// Scans `len` items from each of these pairs on, all in one read transaction, and returns the sum of the values'
    /// digests.
    ///
    /// # Errors
    /// Those of the engine.
    fn scan(&self, numbers: &[u64], len: usize) -> Result<u64>;
}

/// Opens an engine's store in a directory, or creates it there.
pub type Open = fn(&Path, Durability) -> Result<Box<dyn Engine>>;

/// The engines of the contest. The others are compared with the first.
pub const CONTESTANTS: [(&str, Open); 3] =
    [("LMDB", lmdb_engine::open), ("kv", kv_engine::open), ("redb", redb_engine::open)];

/// A pair that was put cannot be found.
fn missing(number: u64) -> Box<dyn Error> {
    format!("pair {number} was put and is not there").into()
}
