//! The tree of buckets.

use crate::error::Result;
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

impl Bucket<'_> {
    /// What is in this bucket, under the given name. O(pages of the bucket and those inside it).
    pub fn inspect(&self, name: impl AsRef<[u8]>) -> Result<BucketStructure> {
        let (pages, root) = self.tree();
        let mut structure = BucketStructure { name: name.as_ref().to_vec(), ..BucketStructure::default() };
        for visit in Walk::new(pages, root) {
            let page = visit?.page;
            let Node::Leaf(leaf) = &page.node else { continue };
            for index in 0..leaf.count() {
                if leaf.is_bucket(index) {
                    let name = page.entry(leaf, index)?.key;
                    structure.children.push(self.bucket(name)?.inspect(name)?);
                } else {
                    structure.keys += 1;
                }
            }
        }
        Ok(structure)
    }
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
