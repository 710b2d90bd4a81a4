//! Figures about a database and its buckets.

use super::bucket_roots::BucketRoots;
use crate::error::Result;
use crate::format::Node;
use crate::store::FreelistOrigin;
use crate::tree::{Root, Walk};
use crate::tx::{Bucket, Core, TxStats};

/// Figures about an open database. [`Db::stats`](crate::Db::stats) returns them.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let reader = db.begin_read();
/// let stats: kv::Stats = db.stats();
/// assert_eq!((stats.read_tx_begun, stats.read_tx_open), (1, 1));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Pages that the next write transaction can use. This field, and those of pages and bytes below, are 0 in a database that was
    /// opened read-only without [`Options::preload_freelist`](crate::Options::preload_freelist).
    pub free_pages: u64,
    /// How the free pages were found when the database was opened.
    pub freelist: FreelistOrigin,
    /// Pages that were lost when the database was opened, since neither the list in the file nor a tree had them, and that
    /// are free now. Another program's defect, or a repair, has left them out of the list.
    pub reclaimed_pages: u64,
    /// Pages that become free when no reader can see them any more.
    pub pending_pages: u64,
    /// Bytes of free and pending pages.
    pub free_bytes: u64,
    /// Bytes that the list of free and pending pages takes in the file, where it is written.
    pub freelist_bytes: u64,
    /// Bytes that the log of the free pages takes in the file ([`FreelistSync::Log`](crate::FreelistSync::Log)).
    pub space_log_bytes: u64,
    /// Read transactions begun since the database was opened.
    pub read_tx_begun: u64,
    /// Read transactions open now.
    pub read_tx_open: u64,
    /// Bytes of memory that readers use to remember pages; at most [`Options::read_cache`](crate::Options::read_cache).
    pub read_cache_bytes: u64,
    /// The work of all commits since the database was opened.
    pub tx: TxStats,
}

impl Stats {
    pub(super) fn of(core: &Core) -> Self {
        let (free_pages, pending_pages) = core.counters.free_and_pending();
        let (read_tx_begun, read_tx_open) = core.readers.counts();
        let (freelist, reclaimed_pages) = core.freelist;
        let listed = free_pages.saturating_add(pending_pages);
        Self {
            free_pages,
            freelist,
            reclaimed_pages,
            pending_pages,
            free_bytes: listed.saturating_mul(core.page_size.into()),
            freelist_bytes: crate::format::freelist_len(listed),
            space_log_bytes: core.counters.log_pages().saturating_mul(core.page_size.into()),
            read_tx_begun,
            read_tx_open,
            read_cache_bytes: core.heads.as_ref().map_or(0, |heads| heads.used() as u64),
            tx: core.counters.tx_stats(),
        }
    }

    /// Returns these figures with `earlier` ones subtracted from the counts that only grow ([`read_tx_begun`] and [`tx`]);
    /// a difference below 0 becomes 0. The other figures do not change. O(1).
    ///
    /// [`read_tx_begun`]: Self::read_tx_begun
    /// [`tx`]: Self::tx
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let db = kv::Db::open(dir.path().join("since.db"))?;
    /// let before = db.stats();
    /// db.update(|tx| tx.create_bucket("b").map(|_| ()))?;
    /// assert_eq!(db.stats().since(&before).tx.commits, 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            read_tx_begun: self.read_tx_begun.saturating_sub(earlier.read_tx_begun),
            tx: self.tx.since(&earlier.tx),
            ..*self
        }
    }
}

/// Figures about a bucket and all buckets inside it, as bbolt's `BucketStats`. [`Bucket::stats`] returns them.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut bucket = tx.create_bucket("b")?;
///     bucket.put("key", "value")?;
///     bucket.create_bucket("nested")?.put("key", "value")
/// })?;
/// let stats: kv::BucketStats = db.begin_read().bucket("b")?.stats()?;
/// assert_eq!((stats.buckets, stats.items), (2, 3));
/// assert_eq!(stats.inline_buckets, 1, "the small nested bucket lies in its parent's leaf");
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct BucketStats {
    /// Branch pages.
    pub branch_pages: u64,
    /// Overflow pages of branches larger than a page.
    pub branch_overflow_pages: u64,
    /// Leaf pages.
    pub leaf_pages: u64,
    /// Overflow pages of leaves larger than a page.
    pub leaf_overflow_pages: u64,
    /// Items: keys and nested buckets.
    pub items: u64,
    /// Levels from the root to the deepest leaf. A nested bucket's levels add to those of the tree around it.
    pub depth: u64,
    /// Bytes allocated for branches.
    pub branch_bytes: u64,
    /// Bytes in use of those allocated for branches.
    pub branch_bytes_used: u64,
    /// Bytes allocated for leaves.
    pub leaf_bytes: u64,
    /// Bytes in use of those allocated for leaves.
    pub leaf_bytes_used: u64,
    /// Buckets, this one included.
    pub buckets: u64,
    /// Inline buckets: small ones, which lie in a leaf of the bucket around them and have no page.
    pub inline_buckets: u64,
    /// Bytes that inline buckets take within leaves.
    pub inline_bytes_used: u64,
}

impl BucketStats {
    /// Adds the figures of another bucket. The depth becomes the larger of the two. O(1).
    pub fn add(&mut self, other: &Self) {
        self.branch_pages = self.branch_pages.saturating_add(other.branch_pages);
        self.branch_overflow_pages = self.branch_overflow_pages.saturating_add(other.branch_overflow_pages);
        self.leaf_pages = self.leaf_pages.saturating_add(other.leaf_pages);
        self.leaf_overflow_pages = self.leaf_overflow_pages.saturating_add(other.leaf_overflow_pages);
        self.items = self.items.saturating_add(other.items);
        self.depth = self.depth.max(other.depth);
        self.branch_bytes = self.branch_bytes.saturating_add(other.branch_bytes);
        self.branch_bytes_used = self.branch_bytes_used.saturating_add(other.branch_bytes_used);
        self.leaf_bytes = self.leaf_bytes.saturating_add(other.leaf_bytes);
        self.leaf_bytes_used = self.leaf_bytes_used.saturating_add(other.leaf_bytes_used);
        self.buckets = self.buckets.saturating_add(other.buckets);
        self.inline_buckets = self.inline_buckets.saturating_add(other.inline_buckets);
        self.inline_bytes_used = self.inline_bytes_used.saturating_add(other.inline_bytes_used);
    }
}

impl Bucket<'_> {
    /// Returns figures about this bucket and all buckets inside it. O(pages of the bucket).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page of the bucket is damaged.
    pub fn stats(&self) -> Result<BucketStats> {
        let mut stats = BucketStats::default();
        // With the levels of all trees above each.
        let mut buckets = vec![(*self, 0)];
        let mut roots = BucketRoots::new(self);
        while let Some((bucket, above)) = buckets.pop() {
            roots.enter(&bucket)?;
            let mut nested = Vec::new();
            let mut own = own_stats(&bucket, &mut nested)?;
            own.depth = own.depth.saturating_add(above);
            assert!(own.depth > above, "a bucket lies below the one around it");
            buckets.extend(nested.into_iter().map(|bucket| (bucket, own.depth)));
            stats.add(&own);
        }
        assert!(stats.inline_buckets <= stats.buckets, "inline buckets are buckets");
        assert!(stats.buckets <= stats.items.saturating_add(1), "every bucket but the outermost is an item of another");
        Ok(stats)
    }
}

/// The figures of one bucket's own tree; the buckets inside it are added to `nested`.
fn own_stats<'t>(bucket: &Bucket<'t>, nested: &mut Vec<Bucket<'t>>) -> Result<BucketStats> {
    let (pages, root) = bucket.tree();
    let page_size = u64::from(pages.page_size());
    let mut stats = BucketStats { buckets: 1, ..BucketStats::default() };
    let inline = matches!(root, Root::Inline { .. });
    for visit in Walk::new(pages, root) {
        let visit = visit?;
        let used = visit.page.located(visit.page.node.packed_size())? as u64;
        stats.depth = stats.depth.max((visit.depth as u64).saturating_add(1));
        // A node in memory has no pages yet: it is counted as what it will take.
        let count = if visit.pages == 0 { used.div_ceil(page_size) } else { visit.pages };
        assert!(count > 0, "a node takes a page at least");
        match &visit.page.node {
            Node::Branch(_) => {
                stats.branch_pages = stats.branch_pages.saturating_add(1);
                stats.branch_overflow_pages = stats.branch_overflow_pages.saturating_add(count.saturating_sub(1));
                stats.branch_bytes_used = stats.branch_bytes_used.saturating_add(used);
            }
            Node::Leaf(leaf) => {
                stats.items = stats.items.saturating_add(leaf.count() as u64);
                for index in (0..leaf.count()).filter(|&index| leaf.is_bucket(index)) {
                    let name = visit.page.entry(leaf, index)?.key;
                    nested.push(bucket.listed(name, visit.page.link.page_id())?);
                }
                if inline {
                    stats.inline_buckets = 1;
                    stats.inline_bytes_used = used;
                    continue;
                }
                stats.leaf_pages = stats.leaf_pages.saturating_add(1);
                stats.leaf_overflow_pages = stats.leaf_overflow_pages.saturating_add(count.saturating_sub(1));
                stats.leaf_bytes_used = stats.leaf_bytes_used.saturating_add(used);
            }
        }
    }
    assert!(!inline || stats.branch_pages.saturating_add(stats.leaf_pages) == 0, "an inline bucket has no pages");
    assert!(nested.len() as u64 <= stats.items, "nested buckets are items");
    let allocated = |pages: u64, overflow: u64| pages.saturating_add(overflow).saturating_mul(page_size);
    stats.branch_bytes = allocated(stats.branch_pages, stats.branch_overflow_pages);
    stats.leaf_bytes = allocated(stats.leaf_pages, stats.leaf_overflow_pages);
    Ok(stats)
}
