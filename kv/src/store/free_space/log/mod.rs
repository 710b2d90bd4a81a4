//! The free-space log: what each commit writes of the free space, so that nothing has to be searched for after a crash.
//!
//! ```text
//!   meta's extension --+--> changes, the newest
//!                      +--> log page --> log page before --> ...   changes, a few dozen pages at most
//!                      +--> index --> a page of bits for each region of the file
//! ```
//! A commit adds its changes to the extension. When that is full, one commit moves them to the newest log page and writes
//! the region anew that waits longest, and the index in its turn. Every page goes to a new place. A log page is given up
//! once each region and the index have been written since. So a commit costs O(its changes), and none costs more than a
//! few pages; the log is never longer than [`PAGES_MAX`] pages and one commit's changes.
//!
//! **Invariant:** the free pages of a state are the bits of its regions, and then its changes in their order, from the
//! oldest log page to the extension. A change says what a page is and not that it changed, and the log has, with a change of
//! a page, all later ones of that page. So changes older than the bits do no harm.
//!
//! To other libraries the pages of the log are free pages. They write over them only after a commit of their own, whose
//! meta names no log; if such a meta is lost, a checksum tells.

mod read;
mod regions;
mod stale;
#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests;
mod write;

use std::collections::VecDeque;

use freelist_core::Span;

use self::regions::Regions;
use self::stale::{INDEX, Stale};
use crate::format::{Extension, LogRoot, PageSum, SpaceChange};

/// Log pages after which every region has been written anew.
const PAGES_MAX: u64 = 64;

/// The log of the newest state, and the free pages as the file has them.
#[derive(Debug)]
pub(crate) struct SpaceLog {
    page_size: u32,
    regions: Regions,
    /// The high-water mark: from here on no page is free.
    end: u64,
    /// No commit has written it yet.
    begins: bool,
    /// Where the index lies, with its checksum.
    index: Option<(Span, u64)>,
    /// The log pages, the oldest first. They are numbered, on from `oldest`.
    pages: VecDeque<u64>,
    oldest: u64,
    /// The newest log page as a meta names it, the one before it, and the changes in it.
    newest: Option<PageSum>,
    before_newest: Option<PageSum>,
    tail: Vec<u8>,
    /// The changes in the extension.
    recent: Vec<u8>,
    stale: Stale,
}

/// The pages and the extension with which a commit carries the log on.
#[derive(Debug)]
pub(crate) struct WrittenLog {
    /// Page numbers and bytes, ascending.
    pub(crate) images: Vec<(u64, Vec<u8>)>,
    pub(crate) extension: Extension,
}

impl SpaceLog {
    fn empty(page_size: u32, end: u64) -> Self {
        Self {
            page_size,
            regions: Regions::new(page_size),
            end,
            begins: false,
            index: None,
            pages: VecDeque::new(),
            oldest: 0,
            newest: None,
            before_newest: None,
            tail: Vec::new(),
            recent: Vec::new(),
            stale: Stale::default(),
        }
    }

    /// A log that begins with the free spans that `visit` is shown, all below `end`. O(free pages).
    pub(super) fn begin(page_size: u32, end: u64, visit: impl FnOnce(&mut dyn FnMut(Span))) -> Self {
        let mut log = Self { begins: true, ..Self::empty(page_size, end) };
        visit(&mut |span| {
            let new = log.regions.set(span, true);
            assert!(new, "free spans do not overlap");
        });
        for region in 0..log.regions.len() {
            log.stale.mark(region, 0);
        }
        log.stale.mark(INDEX, 0);
        log
    }

    /// The high-water mark of the state that it is the log of.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// The number of the log page that the next changes go to.
    fn current(&self) -> u64 {
        self.oldest.saturating_add((self.pages.len() as u64).saturating_sub(1))
    }

    /// The pages that hold the log. O(regions).
    pub(crate) fn own_pages(&self) -> Vec<Span> {
        let regions = self.regions.all_stored().flatten().map(|stored| stored.page);
        let singles = regions.chain(self.pages.iter().copied()).filter_map(single);
        self.index.map(|(span, _)| span).into_iter().chain(singles).collect()
    }

    /// How many pages hold the log. O(1).
    pub(super) fn own_pages_count(&self) -> u64 {
        let index = self.index.map_or(0, |(span, _)| span.len());
        index.saturating_add(self.regions.stored_count()).saturating_add(self.pages.len() as u64)
    }

    /// The free pages as bits: bit `b` of word `n` is of page `64 n + b`.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> {
        self.regions.words()
    }

    /// What the meta says of the log.
    fn extension(&self) -> Extension {
        let index = self.index.map(|(span, checksum)| PageSum { page: span.start().get(), checksum });
        LogRoot { index, newest: self.newest, pages: self.pages.len() as u64, changes: &self.recent }.extension()
    }
}

fn single(page: u64) -> Option<Span> {
    Span::single(freelist_core::PageId::new(page)).ok()
}

/// The span of a change of pages, and whether it became free.
fn pages_of(change: SpaceChange) -> Option<(u64, u64, bool)> {
    match change {
        SpaceChange::Free { first, pages } => Some((first, pages, true)),
        SpaceChange::Used { first, pages } => Some((first, pages, false)),
        SpaceChange::Moved { .. } => None,
    }
}
