//! Every page of a tree and of the trees of all buckets inside it, each once.

use freelist_core::PageId;

use super::{Root, Visit, Walk};
use crate::error::{Error, Result};
use crate::format::{BucketHeader, Leaf, Node};
use crate::store::{Link, PageRef, PageSet, Pages, SHARED, bucket_root};

/// A walk over a tree and the trees of its nested buckets. Inline buckets have no pages and are not visited.
///
/// It is bounded by the number of pages: a page that was visited before is an error, and nothing below it is visited
/// again. After an error the walk may go on, beside what was wrong.
#[derive(Debug)]
pub(crate) struct Forest<'t> {
    pages: Pages<'t>,
    walk: Walk<'t>,
    /// Roots of buckets that are still to be walked.
    roots: Vec<Link>,
    /// The leaf visited last, and its first element that has not been looked at for a bucket.
    leaf: Option<(PageRef<'t>, Leaf<'t>, usize)>,
    used: PageSet,
    /// Nodes in memory that have been visited.
    slots: PageSet,
    /// Whether the walk has come to the nested buckets.
    nested: bool,
}

impl<'t> Forest<'t> {
    pub(crate) fn new(pages: Pages<'t>, root: Link) -> Self {
        Self::beside(pages, root, PageSet::new(pages.high_water()))
    }

    /// A walk that must not meet any page of `used`.
    pub(crate) fn beside(pages: Pages<'t>, root: Link, used: PageSet) -> Self {
        let slots = PageSet::new(pages.changed());
        Self {
            pages,
            walk: Walk::new(pages, Root::Link(root)),
            roots: Vec::new(),
            leaf: None,
            used,
            slots,
            nested: false,
        }
    }

    /// A walk over several parts of one tree, then over the trees of the buckets in them and of those with these `roots`.
    pub(crate) fn over(pages: Pages<'t>, parts: Vec<Link>, roots: Vec<Link>) -> Self {
        let (used, slots) = (PageSet::new(pages.high_water()), PageSet::new(pages.changed()));
        Self { pages, walk: Walk::over(pages, parts), roots, leaf: None, used, slots, nested: false }
    }

    /// Whether the node visited last is one of a nested bucket.
    pub(crate) const fn is_nested(&self) -> bool {
        self.nested
    }

    /// All pages visited so far, and those to begin with.
    pub(crate) fn into_used(self) -> PageSet {
        self.used
    }

    /// The roots of the buckets in the leaf visited last go to `roots`.
    ///
    /// # Errors
    /// A bucket header that is damaged; the next call goes on after it.
    fn find_buckets(&mut self) -> Result<()> {
        while let Some((page, leaf, index)) = &mut self.leaf {
            let at = *index;
            if at >= leaf.count() {
                self.leaf = None;
                break;
            }
            *index = at.saturating_add(1);
            if leaf.is_bucket(at) {
                let header = page.located(BucketHeader::parse(page.entry(leaf, at)?.value))?;
                if header.root != 0 {
                    self.roots.push(bucket_root(page.link, header.root)?);
                }
            }
        }
        Ok(())
    }

    /// Counts the pages of a node as used.
    ///
    /// # Errors
    /// One of them is used already. One error for a node, however many of its pages are shared.
    fn claim(&mut self, visit: &Visit<'t>) -> Result<()> {
        let link = visit.page.link;
        if let Some(slot) = link.slot() {
            assert!(self.slots.add(slot.index() as u64), "one link leads to a node in memory");
            return Ok(());
        }
        assert!(visit.pages > 0, "a node in the file takes at least one page");
        let shared = self.used.add_run(link.page_id().get(), visit.pages);
        shared.map_or(Ok(()), |page| Err(Error::Corrupt { page: PageId::new(page), what: SHARED.into() }))
    }

    fn visit(&mut self, visit: Visit<'t>) -> Result<Visit<'t>> {
        if let Err(shared) = self.claim(&visit) {
            // What hangs below a shared page has been visited, and a circle ends here.
            self.walk.skip_children();
            return Err(shared);
        }
        if let Node::Leaf(leaf) = visit.page.node {
            self.leaf = Some((visit.page, leaf, 0));
        }
        Ok(visit)
    }
}

impl<'t> Iterator for Forest<'t> {
    type Item = Result<Visit<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(damaged) = self.find_buckets() {
            return Some(Err(damaged));
        }
        loop {
            if let Some(visit) = self.walk.next() {
                return Some(visit.and_then(|visit| self.visit(visit)));
            }
            let root = self.roots.pop()?;
            debug_assert!(!root.in_memory(), "a header in a leaf names no node in memory");
            self.nested = true;
            self.walk = Walk::new(self.pages, Root::Link(root));
        }
    }
}
