//! Pages that a large transaction writes before its commit, so that its changes need not fit into memory.
//!
//! They lie past the end of the state that the transaction builds on. No meta names them before the commit, so a crash or a
//! rollback leaves nothing but a longer file, and no reader and no other transaction sees them. The transaction reads them
//! as it reads any page. If it changes one again, it copies the page into memory, and the page's place is used again.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use freelist_core::{PageId, Span};
use pagefile_std::PageStore;

use super::freed::FreedPages;
use super::{Slot, WriteSet, page_span, write_runs};
use crate::error::{Error, Result};

/// When a transaction writes before its commit, and where to.
#[derive(Clone)]
pub(crate) struct EarlyWriting {
    pub(crate) store: Arc<dyn PageStore>,
    /// Bytes of nodes in memory from which on they are written.
    pub(crate) memory: usize,
    /// The first page number that the file may not have.
    pub(crate) limit: u64,
}

/// What a transaction has written so far.
#[derive(Debug)]
pub(super) struct EarlyPages {
    writing: EarlyWriting,
    /// The end of the snapshot, where these pages begin.
    start: u64,
    end: u64,
    /// Those that the transaction has changed again or given up.
    unused: FreedPages,
    /// Bytes of the nodes in memory, about.
    held: usize,
    /// What was held after the last write.
    kept: usize,
    /// Nodes name pages of which it is not known that they are in the file.
    in_doubt: bool,
    /// Nodes cut since the last write, and how many of these had grown at their end.
    cuts: (u64, u64),
    written: EarlyWritten,
}

/// Bytes from which on nodes are written if nearly all have been filled in key order: they will not change again, and what
/// is written while it is in the processor's cache costs a third less.
const IN_ORDER: usize = 16 << 20;

/// Counts of what was written before the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct EarlyWritten {
    pub(crate) nodes: u64,
    pub(crate) pages: u64,
    pub(crate) writes: u64,
}

impl EarlyPages {
    pub(super) fn new(writing: EarlyWriting, start: u64) -> Self {
        assert!(start >= 2, "early pages lie behind the metas");
        let (held, kept) = (0, 0);
        let unused = FreedPages::default();
        let written = EarlyWritten::default();
        Self { writing, start, end: start, unused, held, kept, in_doubt: false, cuts: (0, 0), written }
    }

    /// Notes that nodes take `more` bytes of memory, and `less` no longer.
    pub(super) fn note(&mut self, more: usize, less: usize) {
        self.held = self.held.saturating_add(more).saturating_sub(less);
    }

    /// Notes that a node was cut, and whether it had grown at its end.
    pub(super) fn note_cut(&mut self, at_end: bool) {
        let (all, in_order) = self.cuts;
        self.cuts = (all.saturating_add(1), in_order.saturating_add(at_end.into()));
    }

    /// Bytes of nodes from which on they are written.
    fn limit(&self) -> usize {
        let (all, in_order) = self.cuts;
        let others = all.saturating_sub(in_order);
        if others < in_order / 8 { self.writing.memory.min(IN_ORDER) } else { self.writing.memory }
    }

    /// The end of the pages written so far; that of the snapshot if there are none.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) const fn has(&self, page: PageId) -> bool {
        page.get() >= self.start && page.get() < self.end
    }

    /// The transaction no longer uses these pages; false if it did not before.
    pub(super) fn give_up(&mut self, span: Span) -> bool {
        assert!(self.has(span.start()) && span.end().get() <= self.end, "a page is early as a whole");
        self.unused.add(span)
    }

    /// Places for nodes of these lengths in pages; none, and nothing has changed, if the file may not be so long. Places
    /// that are used again go to nodes of one page.
    fn place(&mut self, lengths: &[u64]) -> Result<Option<Vec<u64>>> {
        let unused: Vec<u64> = self.unused.ascending().into_iter().flat_map(Span::pages).map(PageId::get).collect();
        let (mut again, mut end) = (unused.iter(), self.end);
        let mut placed = Vec::with_capacity(lengths.len());
        for &pages in lengths {
            assert!(pages > 0, "a node takes a page at least");
            let place = if pages == 1 { again.next() } else { None };
            placed.push(place.copied().unwrap_or(end));
            if place.is_none() {
                end = end.saturating_add(pages);
            }
        }
        if end > self.writing.limit {
            return Ok(None);
        }
        self.unused = FreedPages::default();
        for &page in again {
            self.unused.add(page_span(page, 1)?);
        }
        self.end = end;
        Ok(Some(placed))
    }
}

impl WriteSet {
    /// Whether finished nodes are to be written: all take more memory than they may, and those that stay take much less.
    pub(crate) fn wants_early_writing(&self) -> bool {
        self.early.held >= self.early.limit() && self.early.held / 2 >= self.early.kept
    }

    /// Places for nodes of these lengths behind the snapshot, in a file that is long enough for them. None if it may not be
    /// so long: the nodes stay in memory then.
    pub(crate) fn place_early(&mut self, lengths: &[u64]) -> Result<Option<Vec<u64>>> {
        self.early.kept = self.early.held;
        let placed = self.early.place(lengths)?;
        let len = self.early.end.saturating_mul(self.page_size() as u64);
        if placed.is_some() && len > self.early.writing.store.len() {
            self.early.writing.store.grow(len)?;
        }
        Ok(placed)
    }

    /// Writes these nodes, whose places ascend, and takes them out of memory. All links to them have been replaced by their
    /// page numbers.
    pub(crate) fn write_early(&mut self, nodes: &[(u64, Slot)]) -> Result<()> {
        let page_size = self.page_size();
        self.early.in_doubt = true;
        for &(page, slot) in nodes {
            assert!(self.early.has(PageId::new(page)), "nothing before the end of the snapshot is written");
            self.packed(slot).seal(page, page_size);
        }
        let images = nodes.iter().map(|&(page, slot)| (page, self.dirty(slot).bytes()));
        let bytes: usize = images.clone().map(|(_, bytes)| bytes.len()).sum();
        let writes = write_runs(&*self.early.writing.store, self.page_size, images)?;
        self.early.in_doubt = false;
        self.view = self.early.writing.store.view_owned();
        for &(_, slot) in nodes {
            self.vacate(slot);
        }
        self.early.kept = self.early.held;
        self.early.cuts = (0, 0);
        let written = &mut self.early.written;
        written.nodes = written.nodes.saturating_add(nodes.len() as u64);
        written.pages = written.pages.saturating_add(bytes.div_euclid(page_size) as u64);
        written.writes = written.writes.saturating_add(writes);
        Ok(())
    }

    /// Pages written before the commit that are part of the new state, ascending.
    pub(crate) fn early_pages(&self) -> Result<Vec<Span>> {
        let mut used = Vec::new();
        let mut next = self.early.start;
        for gap in self.early.unused.ascending() {
            if next < gap.start().get() {
                used.push(page_span(next, gap.start().get().saturating_sub(next))?);
            }
            next = gap.end().get();
        }
        if next < self.early.end {
            used.push(page_span(next, self.early.end.saturating_sub(next))?);
        }
        debug_assert!(used.iter().all(|span| self.early.has(span.start())), "early pages lie behind the snapshot");
        Ok(used)
    }

    /// The numbers of all pages written before the commit.
    pub(crate) const fn early_range(&self) -> Range<u64> {
        self.early.start..self.early.end
    }

    pub(crate) const fn early_written(&self) -> EarlyWritten {
        self.early.written
    }

    /// # Errors
    /// If a write before the commit has failed, the transaction cannot be committed.
    pub(crate) fn check_early(&self) -> Result<()> {
        if self.early.in_doubt { Err(Error::Poisoned) } else { Ok(()) }
    }
}

impl fmt::Debug for EarlyWriting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, limit, .. } = self;
        f.debug_struct("EarlyWriting").field("memory", memory).field("limit", limit).finish_non_exhaustive()
    }
}
