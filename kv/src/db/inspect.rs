//! The tree of buckets.

use super::bucket_roots::BucketRoots;
use crate::error::{Error, Result};
use crate::format::Node;
use crate::tree::Walk;
use crate::tx::{Bucket, ReadTx, WriteTx};

/// A bucket's name, its number of keys, and the buckets inside it. [`ReadTx::inspect`] returns it.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("b")?.create_bucket("nested")?.put("key", "value"))?;
/// let root: kv::BucketStructure = db.begin_read().inspect()?;
/// assert_eq!(root.name, b"root");
/// assert_eq!(root.children[0].name, b"b");
/// assert_eq!(root.children[0].children[0].keys, 1);
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct BucketStructure {
    /// The name. The root bucket is called `root`, as in bbolt.
    pub name: Vec<u8>,
    /// The number of keys with values. Nested buckets do not count.
    pub keys: u64,
    /// The buckets inside it, in name order.
    pub children: Vec<BucketStructure>,
}

/// Buckets inside buckets, at most so many levels: an answer is a tree that is walked by recursion.
const LEVELS_MAX: usize = 1000;

impl Bucket<'_> {
    /// Returns the structure of this bucket, which gets the given name. O(pages of the bucket and of those inside it).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page of the bucket is damaged, or buckets nest more than 1,000 levels deep.
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
    /// Returns the tree of all buckets. O(pages).
    ///
    /// # Errors
    /// As [`Bucket::inspect`].
    pub fn inspect(&self) -> Result<BucketStructure> {
        self.root().inspect("root")
    }
}

impl WriteTx<'_> {
    /// Returns the tree of all buckets, with the changes of this transaction. O(pages).
    ///
    /// # Errors
    /// As [`Bucket::inspect`].
    pub fn inspect(&self) -> Result<BucketStructure> {
        self.root().inspect("root")
    }
}
