//! The end of walks over buckets, also in a damaged file.

use crate::error::{Error, Result};
use crate::store::PageSet;
use crate::tree::Root;
use crate::tx::Bucket;

/// The root pages of the buckets that a walk has entered, each once.
///
/// In a sound file no two buckets share a page. In a damaged file buckets may share pages, or contain themselves.
#[derive(Debug)]
pub(super) struct BucketRoots(PageSet);

impl BucketRoots {
    pub(super) fn new(walked: &Bucket<'_>) -> Self {
        Self(PageSet::new(walked.tree().0.high_water()))
    }

    /// Records that the walk enters `bucket`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the walk has already entered it.
    pub(super) fn enter(&mut self, bucket: &Bucket<'_>) -> Result<()> {
        let page = bucket.root_page();
        let root = bucket.tree().1;
        assert!(
            page.get() > 0
                || matches!(root, Root::Inline { .. })
                || matches!(root, Root::Link(link) if link.in_memory()),
            "a bucket that is neither inline nor in memory has a root page"
        );
        // The root page of an inline bucket, or of one in memory, is 0: neither can be in two places.
        if page.get() == 0 || self.0.add(page.get()) {
            return Ok(());
        }
        Err(Error::Corrupt { page, what: "page is used in two places, or lies beyond the high-water mark".into() })
    }
}
