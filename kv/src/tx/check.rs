//! Is a state consistent: every page used once or free, every tree in order?
//!
//! It lives here and not beside the handle because a strict commit asks it before the new state becomes visible.

use std::fmt;

use freelist_core::{PageId, Span};

use super::writer::AnyFreelist;
use crate::error::{Error, Result};
use crate::format::{BucketHeader, FreelistPage, Leaf, Malformed, Node};
use crate::store::{Link, PageRef, Pages, bucket_root};
use crate::tree::{Root, Visit, Walk};

/// A page and what is wrong with it. [`ReadTx::check`](crate::ReadTx::check) returns it.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let problems: Vec<kv::Problem> = db.begin_read().check()?;
/// assert!(problems.is_empty(), "{}", problems[0]);
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The page.
    pub page: PageId,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}: {}", self.page, self.what)
    }
}

/// What is known of the free pages of the state.
#[derive(Clone, Copy)]
pub(crate) enum Free<'a> {
    /// Nothing: the file does not say, so every page that is not used is free.
    Unsaid,
    /// The freelist page of the file.
    Stored(PageId),
    /// The freelist in memory, and the pages that hold the freelist of the file, if any.
    Known(&'a AnyFreelist, Option<Span>),
}

/// Walks the whole state. O(pages), and a bit of memory for each page twice.
pub(crate) fn check_state(pages: Pages<'_>, root: Link, free: Free<'_>) -> Vec<Problem> {
    let mut check = Check::new(pages);
    let listed = check.free_pages(free);
    check.trees(root);
    if let Some(listed) = listed {
        for page in 2..pages.high_water() {
            match (check.used.has(page), listed.has(page)) {
                (true, true) => check.report(page, "reachable freed"),
                (false, false) => check.report(page, "unreachable unfreed"),
                _ => {}
            }
        }
    }
    check.problems
}

/// Walks only what hangs below page `root`.
pub(crate) fn check_subtree(pages: Pages<'_>, root: PageId) -> Vec<Problem> {
    let mut check = Check::new(pages);
    check.trees(Link::page(root));
    check.problems
}

/// A bit for each page of the file.
#[derive(Debug)]
pub(crate) struct PageSet(Vec<u64>);

impl PageSet {
    pub(crate) fn new(pages: u64) -> Self {
        Self(vec![0; usize::try_from(pages.div_ceil(64)).unwrap_or(0)])
    }

    pub(crate) fn has(&self, page: u64) -> bool {
        usize::try_from(page / 64)
            .ok()
            .and_then(|word| self.0.get(word))
            .is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// Adds a page; false if it was there already, or is beyond the end.
    pub(crate) fn add(&mut self, page: u64) -> bool {
        let Some(word) = usize::try_from(page / 64).ok().and_then(|word| self.0.get_mut(word)) else { return false };
        let bit = 1 << (page % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

struct Check<'t> {
    pages: Pages<'t>,
    used: PageSet,
    problems: Vec<Problem>,
}

impl<'t> Check<'t> {
    fn new(pages: Pages<'t>) -> Self {
        Self { pages, used: PageSet::new(pages.high_water()), problems: Vec::new() }
    }

    fn report(&mut self, page: u64, what: &'static str) {
        self.problems.push(Problem { page: PageId::new(page), what });
    }

    fn report_error(&mut self, error: &Error, page: PageId) {
        match error {
            Error::Corrupt { page, what } => self.problems.push(Problem { page: *page, what }),
            _ => self.report(page.get(), "cannot be read"),
        }
    }

    /// The pages that are listed as free; none if nothing says which are. The list's own pages count as used.
    fn free_pages(&mut self, free: Free<'_>) -> Option<PageSet> {
        let mut listed = PageSet::new(self.pages.high_water());
        match free {
            Free::Unsaid => return None,
            Free::Known(freelist, stored) => {
                stored.into_iter().flat_map(Span::pages).for_each(|page| _ = self.used.add(page.get()));
                freelist.for_each_span(&mut |span| {
                    for page in span.pages() {
                        if page.get() < 2 || !listed.add(page.get()) {
                            self.report(page.get(), "free twice or out of bounds");
                        }
                    }
                });
            }
            Free::Stored(id) => {
                if let Err(error) = self.stored_list(id, &mut listed) {
                    self.report_error(&error, id);
                    return None;
                }
            }
        }
        Some(listed)
    }

    fn stored_list(&mut self, id: PageId, listed: &mut PageSet) -> Result<()> {
        let (header, bytes) = self.pages.page(id)?;
        let list = FreelistPage::parse(bytes, header).map_err(|Malformed(what)| Error::Corrupt { page: id, what })?;
        for page in id.get()..=id.get() + u64::from(header.overflow) {
            self.used.add(page);
        }
        for page in list.ids() {
            if page < 2 || !listed.add(page) {
                self.report(page, "free twice or out of bounds");
            }
        }
        Ok(())
    }

    /// The tree at `root` and those of all buckets inside it.
    fn trees(&mut self, root: Link) {
        let mut roots = vec![root];
        while let Some(root) = roots.pop() {
            let mut walk = Walk::new(self.pages, Root::Link(root));
            while let Some(visit) = walk.next() {
                match visit {
                    Err(error) => self.report_error(&error, root.page_id()),
                    Ok(visit) => {
                        if self.claim(&visit) {
                            self.visit(&visit, &mut roots);
                        } else {
                            // What hangs below a shared page has been walked, and a circle ends here.
                            walk.skip_children();
                        }
                    }
                }
            }
        }
    }

    /// Counts the node's pages as used, once.
    fn claim(&mut self, visit: &Visit<'t>) -> bool {
        let first = visit.page.link.page_id().get();
        let mut new = true;
        for page in first..first + visit.pages {
            if !self.used.add(page) && new {
                // One problem for a node, however many of its pages are shared.
                self.report(page, "multiple references");
                new = false;
            }
        }
        new
    }

    fn visit(&mut self, visit: &Visit<'t>, roots: &mut Vec<Link>) {
        let page = visit.page;
        if let Err(error) = self.order(visit) {
            self.report_error(&error, page.link.page_id());
        }
        if let Node::Leaf(leaf) = &page.node {
            for index in (0..leaf.count()).filter(|&index| leaf.is_bucket(index)) {
                match self.nested(&page, leaf, index) {
                    Ok(link) => roots.extend(link),
                    Err(error) => self.report_error(&error, page.link.page_id()),
                }
            }
        }
    }

    /// The root of the bucket at `index`, if it has pages of its own; an inline bucket is checked here.
    fn nested(&mut self, page: &PageRef<'t>, leaf: &Leaf<'t>, index: usize) -> Result<Option<Link>> {
        let value = page.entry(leaf, index)?.value;
        let header = page.located(BucketHeader::parse(value))?;
        if header.root != 0 {
            return bucket_root(page.link, header.root).map(Some);
        }
        let inline = page.located(BucketHeader::inline_leaf(value))?;
        let inline = PageRef { link: page.link, node: Node::Leaf(inline) };
        self.order(&Visit { page: inline, depth: 0, pages: 0, bounds: (None, None) })?;
        Ok(None)
    }

    /// Keys ascend, and lie within what the parent says.
    fn order(&mut self, visit: &Visit<'t>) -> Result<()> {
        let page = visit.page;
        let at = page.link.page_id().get();
        if page.located(page.node.packed_size())? > page.node.page_len() {
            self.report(at, "elements overlap");
        }
        let mut before: Option<&[u8]> = None;
        for index in 0..page.node.count() {
            let key = match &page.node {
                Node::Branch(branch) => page.located(branch.key(index))?,
                Node::Leaf(leaf) => page.entry(leaf, index)?.key,
            };
            if key.is_empty() {
                self.report(at, "key is empty");
            }
            if before.is_some_and(|before| before >= key) {
                self.report(at, "keys do not ascend");
                return Ok(());
            }
            before = Some(key);
        }
        let (low, high) = visit.bounds;
        if visit.depth > 0 {
            // Reading needs neither; bbolt's next write to such a tree would list a page twice, or panic.
            if low != page.first_key()? {
                self.report(at, "first key is not the one that its parent has for it");
            }
            if matches!(page.node, Node::Branch(_)) && page.node.count() < 2 {
                self.report(at, "branch has a single child");
            }
        }
        if let (Some(low), Some(first)) = (low, page.first_key()?)
            && first < low
        {
            self.report(at, "first key is less than its parent says");
        }
        if let (Some(high), Some(last)) = (high, before)
            && last >= high
        {
            self.report(at, "last key is not less than the next page's first");
        }
        Ok(())
    }
}
