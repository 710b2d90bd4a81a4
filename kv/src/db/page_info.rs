//! What a page is used for, and whether everything is in order.

use freelist_core::PageId;

use crate::error::{Error, Result};
use crate::format::{NO_FREELIST, Node};
use crate::store::{Link, PageSet, StoredList};
use crate::tree::{Forest, SHARED, Visit};
use crate::tx::{Free, Problem, ReadTx, check_state, check_subtree};

/// Beyond it a file has not enough transaction ids left to call it sound. No honest writer gets there.
const LAST_TX_WITH_A_FUTURE: u64 = u64::MAX - (1 << 32);

/// What a page is used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum PageKind {
    /// One of the first two.
    Meta,
    /// Keys and child pages.
    Branch,
    /// Keys and values.
    Leaf,
    /// The list of free pages.
    Freelist,
    /// Nothing.
    Free,
}

impl std::fmt::Display for PageKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Meta => "meta",
            Self::Branch => "branch",
            Self::Leaf => "leaf",
            Self::Freelist => "freelist",
            Self::Free => "free",
        })
    }
}

/// A page, or a run of pages that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PageInfo {
    /// The first page.
    pub id: PageId,
    /// What it is used for.
    pub kind: PageKind,
    /// How many elements it has; for the freelist, page ids.
    pub count: u64,
    /// How many more pages belong to it.
    pub overflow: u64,
}

impl ReadTx<'_> {
    /// Every page of this state in page order; a run of pages that belong together is one entry, each free page is one.
    /// O(pages).
    ///
    /// # Errors
    /// [`Error::Corrupt`]: a damaged page, or one that is used in two places.
    pub fn page_map(&self) -> Result<Vec<PageInfo>> {
        let mut map = self.used_pages()?;
        map.sort_unstable_by_key(|info| info.id);
        let mut used = PageSet::new(self.snapshot().high_water);
        for info in &map {
            for page in info.id.get()..=info.id.get() + info.overflow {
                if !used.add(page) {
                    return Err(Error::Corrupt { page: PageId::new(page), what: SHARED });
                }
            }
        }
        let free = (0..self.snapshot().high_water).filter(|&page| !used.has(page));
        map.extend(free.map(|id| PageInfo { id: PageId::new(id), kind: PageKind::Free, count: 0, overflow: 0 }));
        map.sort_unstable_by_key(|info| info.id);
        Ok(map)
    }

    /// What page `id` is used for; none beyond the high-water mark. A page in the middle of a run is described by its
    /// run. O(pages): it may be anywhere in the tree.
    pub fn page(&self, id: PageId) -> Result<Option<PageInfo>> {
        let map = self.page_map()?;
        let at = map.partition_point(|info| info.id <= id);
        let info = at.checked_sub(1).and_then(|at| map.get(at)).copied();
        Ok(info.filter(|info| id.get() <= info.id.get() + info.overflow))
    }

    /// Everything that is wrong with this state: pages used twice or not at all, keys out of order, damaged pages, a
    /// transaction id that leaves less than 4 billion commits (a [compacted](crate::compact) copy counts anew). An
    /// empty answer means that it is consistent. O(pages).
    pub fn check(&self) -> Result<Vec<Problem>> {
        let snapshot = self.snapshot();
        let free = match snapshot.freelist {
            NO_FREELIST => Free::Unsaid,
            page => Free::Stored(PageId::new(page)),
        };
        let mut problems = check_state(self.pages(), Link::page(PageId::new(snapshot.root)), free);
        if snapshot.tx > LAST_TX_WITH_A_FUTURE {
            problems.push(Problem { page: PageId::new(snapshot.tx % 2), what: "transaction ids are nearly used up" });
        }
        Ok(problems)
    }

    /// Everything that is wrong with what hangs below page `root`, a branch or a leaf. O(pages below it).
    pub fn check_from(&self, root: PageId) -> Result<Vec<Problem>> {
        Ok(check_subtree(self.pages(), root))
    }

    fn used_pages(&self) -> Result<Vec<PageInfo>> {
        let (pages, snapshot) = (self.pages(), self.snapshot());
        let meta = |id| PageInfo { id: PageId::new(id), kind: PageKind::Meta, count: 0, overflow: 0 };
        let mut map = vec![meta(0), meta(1)];
        if let Some(list) = StoredList::find(pages, snapshot.freelist)?.filter(StoredList::is_list) {
            // A list that breaks the format still takes its pages.
            let count = list.ids().map_or(0, |ids| ids.len() as u64);
            let (id, overflow) = (list.span.start(), list.span.len() - 1);
            map.push(PageInfo { id, kind: PageKind::Freelist, count, overflow });
        }
        for visit in Forest::new(pages, Link::page(PageId::new(snapshot.root))) {
            let Visit { page, pages, .. } = visit?;
            let kind = if matches!(page.node, Node::Branch(_)) { PageKind::Branch } else { PageKind::Leaf };
            let (count, overflow) = (page.node.count() as u64, pages.saturating_sub(1));
            map.push(PageInfo { id: page.link.page_id(), kind, count, overflow });
        }
        Ok(map)
    }
}
