//! The use of each page, and whether everything is in order.

use freelist_core::PageId;

use crate::error::{Error, Result};
use crate::format::{NO_FREELIST, Node, TX_SOUND_MAX};
use crate::store::{Link, PageSet, SHARED, SpaceLog, StoredList};
use crate::tree::{Forest, Visit};
use crate::tx::{Free, Problem, ReadTx, check_state, check_subtree};

const TWO_STATES: &str = "the other meta page is as new as this one, whose state is shown, and names another state";

/// The use of a page.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let first = db.begin_read().page(kv::PageId::new(0))?;
/// assert_eq!(first.map(|page| page.kind), Some(kv::PageKind::Meta));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum PageKind {
    /// A meta page: page 0 or 1.
    Meta,
    /// Keys and child pages.
    Branch,
    /// Keys and values.
    Leaf,
    /// The list of free pages.
    Freelist,
    /// The log of the free pages ([`FreelistSync::Log`](crate::FreelistSync::Log)). To other libraries it is a free page.
    SpaceLog,
    /// The log of commits ([`Durability::Log`](crate::Durability::Log)), in a file that is open with it or that a crash has
    /// left. To other libraries, which refuse such a file, it is free pages.
    RedoLog,
    /// No use: a later transaction may write it.
    Free,
}

impl std::fmt::Display for PageKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Meta => "meta",
            Self::Branch => "branch",
            Self::Leaf => "leaf",
            Self::Freelist => "freelist",
            Self::SpaceLog => "log",
            Self::RedoLog => "redo log",
            Self::Free => "free",
        })
    }
}

/// A page with its overflow pages. [`ReadTx::page_map`] and [`ReadTx::page`] return it.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("b")?.put("key", [0; 10_000]))?;
/// let map: Vec<kv::PageInfo> = db.begin_read().page_map()?;
/// let large = map.iter().find(|page| page.overflow > 0);
/// assert_eq!(large.map(|page| (page.kind, page.count, page.overflow)), Some((kv::PageKind::Leaf, 1, 2)));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PageInfo {
    /// The first page.
    pub id: PageId,
    /// The use of the page.
    pub kind: PageKind,
    /// The number of elements: items of a leaf, children of a branch, page numbers of the freelist; 0 for other pages.
    pub count: u64,
    /// The number of overflow pages, which directly follow this one.
    pub overflow: u64,
}

impl PageInfo {
    /// The last page.
    const fn last(&self) -> u64 {
        self.id.get().saturating_add(self.overflow)
    }
}

/// Whether the entries cover the pages below `end` without a gap and without an overlap. O(entries).
fn tiles(map: &[PageInfo], end: u64) -> bool {
    let next = |next, info: &PageInfo| (info.id.get() == next).then(|| info.last().saturating_add(1));
    map.iter().try_fold(0, next) == Some(end)
}

impl ReadTx<'_> {
    /// Returns every page of this state in page order. A page and its overflow pages are one entry, and so is the log of
    /// commits; each free page is one entry. O(pages).
    ///
    /// With [`Durability::Log`](crate::Durability::Log), and in a file that a crash has left so, pages that have changed since
    /// the last checkpoint are in memory: the file may have something else in their place, or end before.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page is damaged or used in two places.
    pub fn page_map(&self) -> Result<Vec<PageInfo>> {
        let mut map = self.used_pages()?;
        map.sort_unstable_by_key(|info| info.id);
        let mut used = PageSet::new(self.snapshot().high_water);
        for info in &map {
            for page in info.id.get()..=info.last() {
                if !used.add(page) {
                    return Err(Error::Corrupt { page: PageId::new(page), what: SHARED.into() });
                }
            }
        }
        let free = (0..self.snapshot().high_water).filter(|&page| !used.has(page));
        map.extend(free.map(|id| PageInfo { id: PageId::new(id), kind: PageKind::Free, count: 0, overflow: 0 }));
        map.sort_unstable_by_key(|info| info.id);
        assert!(map.iter().take(2).all(|info| info.kind == PageKind::Meta), "the first two pages are the metas");
        debug_assert!(tiles(&map, self.snapshot().high_water), "each page is in the map once, in page order");
        Ok(map)
    }

    /// Returns the entry of page `id` in the [`page_map`](Self::page_map), or `None` beyond the high-water mark. An
    /// overflow page has the entry of its first page. O(pages): the page may be anywhere in the tree.
    ///
    /// # Errors
    /// As [`page_map`](Self::page_map).
    pub fn page(&self, id: PageId) -> Result<Option<PageInfo>> {
        let map = self.page_map()?;
        let at = map.partition_point(|info| info.id <= id);
        let info = at.checked_sub(1).and_then(|at| map.get(at)).copied();
        let info = info.filter(|info| id.get() <= info.last());
        assert_eq!(info.is_some(), id.get() < self.snapshot().high_water, "the map ends at the high-water mark");
        Ok(info)
    }

    /// Checks this state and returns all problems; an empty list means that the state is consistent. O(pages).
    ///
    /// Problems are: damaged pages, pages used twice or not at all, keys out of order, two meta pages of one transaction
    /// with different states ([`Error::TwoStates`]), and a transaction id that leaves fewer than 4 billion commits (a [compacted](crate::compact) copy starts again at 1).
    ///
    /// # Errors
    /// None today: damage is a [`Problem`].
    pub fn check(&self) -> Result<Vec<Problem>> {
        let snapshot = self.snapshot();
        let log = self.log();
        let free = match (&log, snapshot.freelist) {
            (Some(log), _) => Free::Logged(log),
            (None, NO_FREELIST) => Free::Unsaid,
            (None, page) => Free::Stored(PageId::new(page)),
        };
        let mut problems =
            check_state(self.pages(), Link::page(PageId::new(snapshot.root)), free, &self.core().walk_progress);
        if let Some(shown) = self.core().contested {
            problems.push(Problem { page: shown, what: TWO_STATES });
        }
        if snapshot.tx > TX_SOUND_MAX {
            problems.push(Problem { page: PageId::new(snapshot.tx % 2), what: "transaction ids are nearly used up" });
        }
        Ok(problems)
    }

    /// Checks the tree below page `root`, a branch or a leaf, and returns all problems. O(pages below it).
    ///
    /// # Errors
    /// None today: damage is a [`Problem`].
    pub fn check_from(&self, root: PageId) -> Result<Vec<Problem>> {
        Ok(check_subtree(self.pages(), root, &self.core().walk_progress))
    }

    /// The log of the free space, if this state has one that is as it was written.
    fn log(&self) -> Option<SpaceLog> {
        let pages = self.pages();
        let meta = pages.metas().into_iter().flatten().find(|meta| meta.tx == self.snapshot().tx)?;
        SpaceLog::read(pages, &meta).ok().flatten()
    }

    fn used_pages(&self) -> Result<Vec<PageInfo>> {
        let (pages, snapshot) = (self.pages(), self.snapshot());
        let meta = |id| PageInfo { id: PageId::new(id), kind: PageKind::Meta, count: 0, overflow: 0 };
        let mut map = vec![meta(0), meta(1)];
        if let Some(list) = StoredList::find(pages, snapshot.freelist)?.filter(StoredList::is_list) {
            // A list that breaks the format still takes its pages.
            let count = list.ids().map_or(0, |ids| ids.len() as u64);
            map.push(PageInfo {
                id: list.span.start(),
                kind: PageKind::Freelist,
                count,
                overflow: after(list.span.len()),
            });
        }
        for span in self.log().map_or_else(Vec::new, |log| log.own_pages()) {
            assert!(span.start().get() >= 2, "no meta is a page of the log");
            let overflow = after(span.len());
            map.push(PageInfo { id: span.start(), kind: PageKind::SpaceLog, count: 0, overflow });
        }
        // It may have been made after this state, or moved.
        let log = self.core().log_span().filter(|log| log.end().get() <= snapshot.high_water);
        map.extend(log.map(|log| PageInfo {
            id: log.start(),
            kind: PageKind::RedoLog,
            count: 0,
            overflow: after(log.len()),
        }));
        for visit in Forest::new(pages, Link::page(PageId::new(snapshot.root))) {
            let Visit { page, pages, .. } = visit?;
            let kind = if matches!(page.node, Node::Branch(_)) { PageKind::Branch } else { PageKind::Leaf };
            map.push(PageInfo {
                id: page.link.page_id(),
                kind,
                count: page.node.count() as u64,
                overflow: after(pages),
            });
        }
        Ok(map)
    }
}

/// Overflow pages among `pages`, which begin with another.
fn after(pages: u64) -> u64 {
    assert!(pages > 0, "what a committed state uses has pages of the file");
    pages.saturating_sub(1)
}
