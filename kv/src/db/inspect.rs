//! The tree of buckets.

use super::bucket_roots::BucketRoots;
use crate::error::{Error, Result};
use crate::format::Node;
use crate::tree::Walk;
use crate::tx::{Bucket, ReadTx, WriteTx};

/// A bucket's name, how many keys it has, and the buckets inside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct BucketStructure {
    /// Its name; `root` for the bucket that holds all others, as bbolt has it.
    pub name: Vec<u8>,
    /// Its keys that are no buckets.
    pub keys: u64,
    /// The buckets inside it, in name order.
    pub children: Vec<BucketStructure>,
}

/// Buckets inside buckets, at most so many levels: an answer is a tree that is walked by recursion.
const LEVELS_MAX: usize = 1000;

impl Bucket<'_> {
    /// What is in this bucket, under the given name. O(pages of the bucket and those inside it).
    ///
    /// # Errors
    /// [`Error::Corrupt`]; also for buckets that nest more than 1,000 levels deep.
    pub fn inspect(&self, name: impl AsRef<[u8]>) -> Result<BucketStructure> {
        inspect(self, name.as_ref(), &mut BucketRoots::new(self), LEVELS_MAX)
    }
}

fn inspect(bucket: &Bucket<'_>, name: &[u8], roots: &mut BucketRoots, levels: usize) -> Result<BucketStructure> {
    roots.enter(bucket)?;
    let Some(levels) = levels.checked_sub(1) else {
        return Err(Error::Corrupt { page: bucket.root_page(), what: "buckets nest more than 1000 levels deep" });
    };
    let (pages, root) = bucket.tree();
    let mut structure = BucketStructure { name: name.to_vec(), ..BucketStructure::default() };
    for visit in Walk::new(pages, root) {
        let page = visit?.page;
        let Node::Leaf(leaf) = &page.node else { continue };
        for index in 0..leaf.count() {
            if leaf.is_bucket(index) {
                let name = page.entry(leaf, index)?.key;
                structure.children.push(inspect(&bucket.bucket(name)?, name, roots, levels)?);
            } else {
                structure.keys += 1;
            }
        }
    }
    Ok(structure)
}

impl ReadTx<'_> {
    /// The tree of all buckets. O(pages).
    pub fn inspect(&self) -> Result<BucketStructure> {
        self.root().inspect("root")
    }
}

impl WriteTx<'_> {
    /// The tree of all buckets, with what this transaction has changed. O(pages).
    pub fn inspect(&self) -> Result<BucketStructure> {
        self.root().inspect("root")
    }
}
