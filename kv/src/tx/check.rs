//! Checks that a state is consistent: every page is used once or free, every tree is in order.
//!
//! It lives here and not beside the handle because a strict commit uses it before the new state becomes visible.

use std::borrow::Cow;
use std::{fmt, mem};

use freelist_core::{BitSpans, PageId, Span};

use super::WalkProgress;
use crate::error::{Error, Result};
use crate::format::{BucketHeader, Leaf, LeafEntry, Node};
use crate::store::{FreeSpace, Link, PageRef, PageSet, Pages, SHARED, SpaceLog, StoredList, Written};
use crate::tree::{Forest, Visit, disorder};

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
    /// The log of the file.
    Logged(&'a SpaceLog),
    /// The free space in memory, and what the state has of it in the file.
    Known(&'a FreeSpace, &'a Written),
}

/// Walks the whole state, and tells `progress` of it. O(pages), and a bit of memory for each page twice.
pub(crate) fn check_state(pages: Pages<'_>, root: Link, free: Free<'_>, progress: &WalkProgress) -> Vec<Problem> {
    let mut check = Check::new(pages, progress);
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
pub(crate) fn check_subtree(pages: Pages<'_>, root: PageId, progress: &WalkProgress) -> Vec<Problem> {
    let mut check = Check::new(pages, progress);
    check.trees(Link::page(root));
    check.problems
}

struct Check<'t> {
    pages: Pages<'t>,
    used: PageSet,
    problems: Vec<Problem>,
    progress: &'t WalkProgress,
    /// Pages that have been visited.
    visited: u64,
}

impl<'t> Check<'t> {
    fn new(pages: Pages<'t>, progress: &'t WalkProgress) -> Self {
        Self { pages, used: PageSet::new(pages.high_water()), problems: Vec::new(), progress, visited: 0 }
    }

    fn report(&mut self, page: u64, what: &'static str) {
        self.problems.push(Problem { page: PageId::new(page), what });
    }

    fn report_error(&mut self, error: &Error, page: PageId) {
        match error {
            Error::Corrupt { page, what: Cow::Borrowed(what) } => self.report(page.get(), what),
            _ => self.report(page.get(), "cannot be read"),
        }
    }

    /// The pages that are listed as free; none if nothing says which are. The list's own pages count as used.
    fn free_pages(&mut self, free: Free<'_>) -> Option<PageSet> {
        let mut listed = PageSet::new(self.pages.high_water());
        match free {
            Free::Unsaid => return None,
            Free::Known(free_space, written) => {
                free_space
                    .own_pages(written)
                    .into_iter()
                    .flat_map(Span::pages)
                    .for_each(|page| _ = self.used.add(page.get()));
                free_space.for_each_span(&mut |span| {
                    for page in span.pages() {
                        if page.get() < 2 || !listed.add(page.get()) {
                            self.report(page.get(), "free twice or out of bounds");
                        }
                    }
                });
            }
            Free::Logged(log) => {
                log.own_pages().into_iter().flat_map(Span::pages).for_each(|page| _ = self.used.add(page.get()));
                BitSpans::new(log.words()).flat_map(Span::pages).for_each(|page| _ = listed.add(page.get()));
            }
            Free::Stored(id) => {
                if let Err(error) = self.stored_list(id.get(), &mut listed) {
                    self.report_error(&error, id);
                    return None;
                }
            }
        }
        Some(listed)
    }

    fn stored_list(&mut self, freelist: u64, listed: &mut PageSet) -> Result<()> {
        let Some(list) = StoredList::find(self.pages, freelist)? else { return Ok(()) };
        let ids = list.ids()?;
        list.span.pages().for_each(|page| _ = self.used.add(page.get()));
        for page in ids {
            if page < 2 || !listed.add(page) {
                self.report(page, "free twice or out of bounds");
            }
        }
        Ok(())
    }

    /// The tree at `root` and those of all buckets inside it. What is wrong is reported, and the walk goes on.
    fn trees(&mut self, root: Link) {
        let mut forest = Forest::beside(self.pages, root, mem::replace(&mut self.used, PageSet::new(0)));
        for visit in &mut forest {
            match visit {
                Ok(visit) => self.visit(&visit),
                // bbolt's words for it.
                Err(Error::Corrupt { page, what }) if what == SHARED => self.report(page.get(), "multiple references"),
                Err(error) => self.report_error(&error, root.page_id()),
            }
        }
        self.used = forest.into_used();
    }

    fn visit(&mut self, visit: &Visit<'t>) {
        let page = visit.page;
        self.visited = self.visited.saturating_add(visit.pages);
        debug_assert!(self.visited <= self.pages.high_water(), "a walk visits each page once");
        self.progress.report(self.visited, self.pages.high_water());
        if let Err(error) = self.order(visit) {
            self.report_error(&error, page.link.page_id());
        }
        let Node::Leaf(leaf) = &page.node else { return };
        for index in (0..leaf.count()).filter(|&index| leaf.is_bucket(index)) {
            if let Err(error) = self.inline(&page, leaf, index) {
                self.report_error(&error, page.link.page_id());
            }
        }
    }

    /// The bucket at `index`, if it is inline. The walk visits the others, and reports a header that is damaged.
    fn inline(&mut self, page: &PageRef<'t>, leaf: &Leaf<'t>, index: usize) -> Result<()> {
        let Ok(LeafEntry { value, .. }) = leaf.entry(index) else { return Ok(()) };
        let Ok(BucketHeader { root: 0, .. }) = BucketHeader::parse(value) else { return Ok(()) };
        let inline = page.located(BucketHeader::inline_leaf(value))?;
        let inline = PageRef { link: page.link, node: Node::Leaf(inline) };
        self.order(&Visit { page: inline, depth: 0, pages: 0, bounds: (None, None) })
    }

    /// Keys ascend, lie within what the parent says, and are as bbolt's writer needs them.
    fn order(&mut self, visit: &Visit<'t>) -> Result<()> {
        let page = visit.page;
        let mut wrong = Vec::new();
        let read = disorder(visit, &mut |what| wrong.push(what));
        for what in wrong {
            self.report(page.link.page_id().get(), what);
        }
        read?;
        if visit.depth > 0 {
            // Reading needs neither; bbolt's next write to such a tree would list a page twice, or panic.
            if visit.bounds.0 != page.first_key()? {
                self.report(page.link.page_id().get(), "first key is not the one that its parent has for it");
            }
            if matches!(page.node, Node::Branch(_)) && page.node.count() < 2 {
                self.report(page.link.page_id().get(), "branch has a single child");
            }
        }
        Ok(())
    }
}
