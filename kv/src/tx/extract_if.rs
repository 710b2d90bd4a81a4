//! Deletes some pairs of a bucket, and hands them out.

use std::fmt;
use std::iter::FusedIterator;

use super::bucket_mut::BucketMut;
use super::changing::OwnedPair;
use super::walk::Walk;
use crate::error::Result;

/// An iterator that deletes pairs and returns them; [`BucketMut::extract_if`] returns it. It ends after the first error.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// # db.update(|tx| {
/// #     let mut jobs = tx.create_bucket("jobs")?;
/// #     (0..10u8).try_for_each(|n| jobs.put([n], "job"))
/// # })?;
/// db.update(|tx| {
///     let mut jobs = tx.bucket_mut("jobs")?;
///     assert_eq!(jobs.extract_if(.., |key, _| key[0] % 2 == 0).take(3).count(), 3);
///     assert_eq!(jobs.len()?, 7, "the rest stays");
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
#[must_use = "it deletes as it is iterated over"]
pub struct ExtractIf<'b, F> {
    bucket: BucketMut<'b>,
    walk: Walk,
    take: F,
    done: bool,
}

impl<'b, F> ExtractIf<'b, F> {
    pub(super) const fn new(bucket: BucketMut<'b>, walk: Walk, take: F) -> Self {
        Self { bucket, walk, take, done: false }
    }
}

impl<F> fmt::Debug for ExtractIf<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtractIf").field("walk", &self.walk).finish_non_exhaustive()
    }
}

impl<F: FnMut(&[u8], &[u8]) -> bool> ExtractIf<'_, F> {
    /// The next pair that is to go, deleted.
    fn step(&mut self) -> Result<Option<OwnedPair>> {
        assert!(!self.done, "what has ended deletes no more");
        while let Some((key, value)) = self.bucket.step(&mut self.walk)? {
            if (self.take)(key, value) {
                let pair = (key.to_vec(), value.to_vec());
                let root = self.bucket.as_bucket().root_page();
                self.bucket.delete_met(&pair.0, root)?;
                debug_assert!(!matches!(self.bucket.get(&pair.0), Ok(Some(_))), "what was taken out is gone");
                return Ok(Some(pair));
            }
        }
        Ok(None)
    }
}

impl<F: FnMut(&[u8], &[u8]) -> bool> Iterator for ExtractIf<'_, F> {
    type Item = Result<OwnedPair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<F: FnMut(&[u8], &[u8]) -> bool> FusedIterator for ExtractIf<'_, F> {}
