//! The poison latch: after the first failed write, growth or sync, none is tried again.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::StoreError;

/// Remembers that an operation that changes a store has failed, and refuses all later ones.
///
/// After a failed `fsync` most systems mark the pages that they could not write as clean: a second
/// call succeeds though the data is lost (Rebello et al., "Can Applications Recover from fsync
/// Failures?", ATC 2020). So there is no second call.
///
/// ```
/// use pagefile_std::{Latch, StoreError};
///
/// let latch = Latch::new();
/// assert_eq!(latch.run(|| Ok(1)).unwrap(), 1);
/// let failed = StoreError::NotFound { path: "x".into() };
/// assert!(latch.run(|| Err::<(), _>(failed)).is_err());
/// assert!(latch.poisoned());
/// assert!(matches!(latch.run(|| Ok(1)), Err(StoreError::Poisoned)));
/// ```
#[derive(Debug, Default)]
pub struct Latch {
    failed: AtomicBool,
}

impl Latch {
    /// A latch that has seen no failure.
    #[must_use]
    pub const fn new() -> Latch {
        Latch { failed: AtomicBool::new(false) }
    }

    /// Whether an operation has failed. O(1).
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Runs an operation unless an earlier one has failed. If it fails, it poisons the latch.
    ///
    /// Check the caller's arguments *before*: every error of the operation poisons.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`] without running it, or the operation's own error.
    pub fn run<T>(&self, operation: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.check()?;
        operation().inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    /// Refuses if an operation has failed. O(1).
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    pub fn check(&self) -> Result<(), StoreError> {
        if self.poisoned() {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }
}
