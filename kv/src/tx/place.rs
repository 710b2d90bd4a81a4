//! Page numbers for changed nodes.

use freelist_core::{PageId, Span, TxId};

use super::writer::AnyFreelist;
use crate::error::{Error, Result};
use crate::store::{Link, Slot, WriteSet, page_span};

/// Where the pages of one transaction come from: free pages first, then the end of the file.
pub(super) struct Space<'a> {
    freelist: &'a mut AnyFreelist,
    tx: TxId,
    high_water: u64,
    page_size: u64,
    max_size: Option<u64>,
    allocated: u64,
}

impl<'a> Space<'a> {
    pub(super) const fn new(
        freelist: &'a mut AnyFreelist,
        tx: TxId,
        high_water: u64,
        page_size: u64,
        max_size: Option<u64>,
    ) -> Self {
        Self { freelist, tx, high_water, page_size, max_size, allocated: 0 }
    }

    pub(super) fn freelist(&mut self) -> &mut AnyFreelist {
        self.freelist
    }

    pub(super) const fn high_water(&self) -> u64 {
        self.high_water
    }

    /// Pages handed out so far.
    pub(super) const fn allocated(&self) -> u64 {
        self.allocated
    }

    /// The first of `pages` contiguous pages.
    pub(super) fn allocate(&mut self, pages: u64) -> Result<u64> {
        let span = match self.freelist.allocate(self.tx, pages)? {
            Some(span) => span,
            None => self.extend(pages)?,
        };
        self.allocated += pages;
        Ok(span.start().get())
    }

    /// `pages` single pages, ascending, in as few runs as there are.
    fn singles(&mut self, pages: u64) -> Result<Vec<Span>> {
        let mut spans = Vec::new();
        let mut missing = pages;
        while missing > 0 {
            let span = match self.freelist.allocate_up_to(self.tx, missing)? {
                Some(span) => span,
                None => self.extend(missing)?,
            };
            missing -= span.len();
            spans.push(span);
        }
        self.allocated += pages;
        spans.sort_unstable_by_key(|span| span.start());
        Ok(spans)
    }

    /// Pages that the file has not used yet.
    fn extend(&mut self, pages: u64) -> Result<Span> {
        let span = page_span(self.high_water, pages)?;
        let end = span.end().get();
        let needed = end.saturating_mul(self.page_size);
        if let Some(limit) = self.max_size.filter(|&limit| needed > limit) {
            return Err(Error::MaxSizeReached { needed, limit });
        }
        self.freelist.note_extension(self.tx, span)?;
        self.high_water = end;
        Ok(span)
    }

    /// Gives every node of `nodes` a page number; the answer is by slot. One run for all of them if there is one, so
    /// that they leave in one write, in the order in which they are given.
    pub(super) fn place(&mut self, write_set: &WriteSet, nodes: &[Slot]) -> Result<Vec<u64>> {
        let page_size = write_set.page_size();
        let pages_of = |slot: Slot| write_set.dirty(slot).pages(page_size);
        let total = nodes.iter().map(|&slot| pages_of(slot)).sum();
        let mut ids = vec![0; write_set.slots()];
        if let Some(span) = self.freelist.allocate(self.tx, total)? {
            self.allocated += total;
            let mut next = span.start().get();
            for &slot in nodes {
                ids[slot.index()] = next;
                next += pages_of(slot);
            }
            return Ok(ids);
        }
        for &slot in nodes.iter().filter(|&&slot| pages_of(slot) > 1) {
            ids[slot.index()] = self.allocate(pages_of(slot))?;
        }
        let singles: Vec<Slot> = nodes.iter().copied().filter(|&slot| pages_of(slot) == 1).collect();
        let spans = self.singles(singles.len() as u64)?;
        for (slot, page) in singles.into_iter().zip(spans.into_iter().flat_map(Span::pages)) {
            ids[slot.index()] = PageId::get(page);
        }
        Ok(ids)
    }
}

/// The changed nodes of the tree at `root`, children before parents, in key order. O(changed nodes and their children).
pub(super) fn changed_nodes(write_set: &WriteSet, root: Slot, into: &mut Vec<Slot>) {
    // The next child to look at, for each branch on the way down.
    let mut way = vec![(root, 0)];
    while let Some((slot, next)) = way.pop() {
        let node = write_set.dirty(slot);
        let children = if node.is_branch() { node.count() } else { 0 };
        match (next..children).find_map(|index| Some((index, Link::from_raw(node.child(index)).slot()?))) {
            Some((index, child)) => way.extend([(slot, index + 1), (child, 0)]),
            None => into.push(slot),
        }
    }
}

/// Puts page numbers in place of links to nodes in memory, in all branches among `nodes`.
pub(super) fn patch_children(write_set: &mut WriteSet, nodes: &[Slot], ids: &[u64]) {
    for &slot in nodes {
        let node = write_set.dirty_mut(slot);
        if !node.is_branch() {
            continue;
        }
        for index in 0..node.count() {
            if let Some(child) = Link::from_raw(node.child(index)).slot() {
                node.set_child(index, ids[child.index()]);
            }
        }
    }
}
