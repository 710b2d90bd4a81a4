//! Walks over buckets end, whatever a damaged file says.

use crate::error::{Error, Result};
use crate::store::PageSet;
use crate::tx::Bucket;

/// The pages at which the buckets of a walk start, each once.
///
/// In a sound file every bucket has pages of its own. In a damaged one buckets may share pages, or contain themselves.
#[derive(Debug)]
pub(super) struct BucketRoots(PageSet);

impl BucketRoots {
    pub(super) fn new(walked: &Bucket<'_>) -> Self {
        Self(PageSet::new(walked.tree().0.high_water()))
    }

    /// Notes that the walk enters `bucket`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it has been there.
    pub(super) fn enter(&mut self, bucket: &Bucket<'_>) -> Result<()> {
        let page = bucket.root_page();
        // Page 0 stands for an inline bucket, or one in memory: neither can be in two places.
        if page.get() == 0 || self.0.add(page.get()) {
            return Ok(());
        }
        Err(Error::Corrupt { page, what: "page is used in two places, or lies beyond the high-water mark" })
    }
}
