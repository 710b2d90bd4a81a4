//! What an engine is for the contest.

use std::error::Error;

use crate::Pairs;

/// A result whose error is that of any of the engines.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Whether a transaction waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The change is on the disk when the call returns.
    Durable,
    /// The change is in the system's cache, or in the engine's, when the call returns.
    NotSynced,
}

impl Durability {
    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::NotSynced => "not-synced",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Durable, Self::NotSynced].into_iter().find(|durability| durability.name() == name)
    }
}

/// A store that is open. Every call is one transaction.
pub trait Engine: Send + Sync {
    /// Puts these pairs.
    ///
    /// # Errors
    /// Those of the engine, as for all methods.
    fn put(&self, pairs: Pairs<'_>) -> Result<()>;

    /// Puts these pairs while other threads do the same: the call that an engine has for it.
    ///
    /// # Errors
    /// As `put`.
    fn batch(&self, pairs: Pairs<'_>) -> Result<()> {
        self.put(pairs)
    }

    /// Deletes these pairs.
    ///
    /// # Errors
    /// As `put`.
    fn delete(&self, pairs: Pairs<'_>) -> Result<()>;

    /// Deletes all pairs with keys in [`range`](crate::range()).
    ///
    /// # Errors
    /// As `put`.
    fn delete_range(&self) -> Result<()>;

    /// Deletes all pairs whose keys are not [`kept`](crate::kept).
    ///
    /// # Errors
    /// As `put`.
    fn retain(&self) -> Result<()>;

    /// Gets these pairs and returns the sum of their values' digests.
    ///
    /// # Errors
    /// As `put`, and if a pair is not there.
    fn get(&self, pairs: Pairs<'_>) -> Result<u64>;

    /// The same with a call for `size` pairs, where the engine has such a call.
    ///
    /// # Errors
    /// As `get`.
    fn get_many(&self, pairs: Pairs<'_>, size: usize) -> Result<u64> {
        let _ = size;
        self.get(pairs)
    }

    /// Scans `len` items from each of these keys on and returns the sum of the values' digests.
    ///
    /// # Errors
    /// As `put`.
    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64>;
}
