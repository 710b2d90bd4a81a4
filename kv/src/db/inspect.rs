//! The tree of buckets.

use std::mem;

use super::bucket_roots::BucketRoots;
use crate::error::Result;
use crate::format::Node;
use crate::tree::Walk;
use crate::tx::{Bucket, ReadTx, WriteTx};

/// A bucket's name, its number of keys, and the buckets inside it. [`ReadTx::inspect`] returns it.
///
/// Buckets nest as deep as the file says. For a file that is not trusted, walk the structure with a list of your own:
/// recursion, also that of [`Clone`], [`PartialEq`] and [`Debug`], may need more stack than a thread has.
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

impl Drop for BucketStructure {
    /// Takes the structure apart in a loop: buckets may nest deeper than the stack allows a recursion.
    fn drop(&mut self) {
        let mut inside = mem::take(&mut self.children);
        while let Some(mut bucket) = inside.pop() {
            inside.append(&mut bucket.children);
        }
    }
}

impl Bucket<'_> {
    /// Returns the structure of this bucket, which gets the given name. O(pages of the bucket and of those inside it).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page of the bucket is damaged, or a bucket is inside itself.
    pub fn inspect(&self, name: impl AsRef<[u8]>) -> Result<BucketStructure> {
        let mut roots = BucketRoots::new(self);
        // The buckets entered so far, each with the index of its parent bucket.
        let mut entered: Vec<(usize, BucketStructure)> = Vec::new();
        let mut waiting = vec![(0, name.as_ref(), *self)];
        while let Some((around, name, bucket)) = waiting.pop() {
            roots.enter(&bucket)?;
            let at = entered.len();
            assert!(around < at || at == 0, "a walk enters a bucket after the one around it");
            let keys = read(&bucket, |name, nested| waiting.push((at, name, nested)))?;
            entered.push((around, BucketStructure { name: name.to_vec(), keys, children: Vec::new() }));
        }
        Ok(nest(entered))
    }
}

/// Passes the buckets inside `bucket` to `each`, in name order, and returns the number of keys beside them.
fn read<'t>(bucket: &Bucket<'t>, mut each: impl FnMut(&'t [u8], Bucket<'t>)) -> Result<u64> {
    let (pages, root) = bucket.tree();
    let mut keys = 0u64;
    for visit in Walk::new(pages, root) {
        let page = visit?.page;
        let Node::Leaf(leaf) = &page.node else { continue };
        for index in 0..leaf.count() {
            if leaf.is_bucket(index) {
                let name = page.entry(leaf, index)?.key;
                each(name, bucket.listed(name, page.link.page_id())?);
            } else {
                keys = keys.saturating_add(1);
            }
        }
    }
    Ok(keys)
}

/// Puts each bucket into the one around it, and returns the outermost. The list has a bucket after the one around it, and
/// of two buckets in one the later name first.
fn nest(mut entered: Vec<(usize, BucketStructure)>) -> BucketStructure {
    let mut outermost = BucketStructure::default();
    while let Some((around, bucket)) = entered.pop() {
        if let Some((_, outer)) = entered.get_mut(around) {
            outer.children.push(bucket);
        } else {
            assert!(entered.is_empty(), "every bucket but the outermost is inside another");
            outermost = bucket;
        }
    }
    outermost
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
