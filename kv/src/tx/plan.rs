//! The first step of a commit: from dirty nodes to pages with numbers. Nothing is written yet.

use freelist_core::TxId;

use super::TxStats;
use super::open_buckets::{OpenBuckets, ROOT};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::format::{Meta, NO_FREELIST};
use crate::store::{Carry, FreeSpace, Slot, WriteSet, Written};
use crate::tree::{patch_children, spill_order};

/// A commit, ready to be written: all of its pages, and the meta that names them.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) meta: Meta,
    /// Nodes with their page numbers, ascending.
    pub(super) nodes: Vec<(u64, Slot)>,
    /// What this commit carries of the free space.
    pub(super) free_space: Written,
    pub(super) stats: TxStats,
}

impl Plan {
    pub(super) const fn tx(&self) -> TxId {
        TxId::new(self.meta.tx)
    }

    /// Counts what this commit has written.
    pub(super) const fn count(&mut self, bytes: u64, writes: u64) {
        self.stats.bytes = self.stats.bytes.saturating_add(bytes);
        self.stats.writes = self.stats.writes.saturating_add(writes);
    }

    /// Number and bytes of each run of pages, in page order.
    pub(super) fn images<'a>(&'a self, write_set: &'a WriteSet) -> Vec<(u64, &'a [u8])> {
        let mut images: Vec<_> = self.nodes.iter().map(|&(id, slot)| (id, write_set.dirty(slot).bytes())).collect();
        let own = self.free_space.images();
        if !own.is_empty() {
            images.extend(own);
            images.sort_unstable_by_key(|&(id, _)| id);
        }
        assert!(images.is_sorted_by(|(one, _), (next, _)| one < next), "a page is written once");
        images
    }
}

/// Frees what transaction `tx` no longer uses, gives its dirty nodes pages, and puts the numbers where the nodes name
/// each other.
///
/// After an error the free space has to be rolled back.
pub(super) fn plan(
    writer: &mut Writer,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: TxId,
    carry: Carry,
) -> Result<Plan> {
    let Writer { visible, free_space, .. } = writer;
    assert!(tx.get() > visible.tx, "a transaction comes after the state that it builds on");
    free_space.free(tx, &write_set.freed())?;
    free_space.claim(tx, &write_set.early_pages()?)?;
    let nodes = number(free_space, write_set, buckets, tx)?;
    let written = free_space.write(tx, carry)?;
    let root = buckets.get(ROOT);
    assert!(root.changed || nodes.is_empty(), "a change reaches the root bucket");
    let meta = Meta {
        root: page_of_root(&nodes, root.root.slot()).unwrap_or(visible.root),
        root_sequence: root.sequence,
        freelist: written.field(),
        high_water: free_space.planned_high_water(),
        tx: tx.get(),
        extension: written.extension(),
        ..*visible
    };
    assert!(meta.root >= 2 && meta.root < meta.high_water, "the root lies below the high-water mark");
    assert!(meta.freelist == NO_FREELIST || meta.freelist < meta.high_water, "the list lies below the high-water mark");
    assert_eq!(meta.page_size, visible.page_size, "a file keeps its page size");
    let node_pages = nodes.iter().map(|&(_, slot)| write_set.dirty(slot).pages(write_set.page_size()));
    let own_pages = written.bytes().checked_div(meta.page_size.into()).unwrap_or(0);
    let early = write_set.early_written();
    let stats = TxStats {
        commits: 1,
        nodes: early.nodes.saturating_add(nodes.len() as u64),
        pages: node_pages.fold(own_pages.saturating_add(early.pages), u64::saturating_add),
        pages_early: early.pages,
        writes: early.writes,
        bytes: early.pages.saturating_mul(meta.page_size.into()),
        pages_freed: write_set.pages_freed(),
        splits: write_set.splits,
        merges: write_set.merges,
        ..TxStats::default()
    };
    Ok(Plan { meta, nodes, free_space: written, stats })
}

/// Gives pages to the dirty nodes of all changed buckets and seals them. Their numbers with the nodes, ascending.
fn number(
    free_space: &mut FreeSpace,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: TxId,
) -> Result<Vec<(u64, Slot)>> {
    let mut order = Vec::new();
    for (_, root) in buckets.changed_roots() {
        spill_order(write_set, root, &mut order);
    }
    if order.is_empty() {
        return Ok(Vec::new());
    }
    let (slots, page_size) = (write_set.slots(), write_set.page_size());
    let lengths: Vec<u64> = order.iter().map(|&slot| write_set.dirty(slot).pages(page_size)).collect();
    let placed = free_space.place(tx, &lengths)?;
    let pages = pages_by_slot(write_set, &order, &placed);
    let page_of = |slot: Slot| pages.get(slot.index()).copied().unwrap_or(0);
    buckets.patch(write_set, page_of);
    patch_children(write_set, &order, page_of);
    assert_eq!(write_set.slots(), slots, "no node is added after the nodes have pages");
    let mut nodes: Vec<(u64, Slot)> = placed.into_iter().zip(order).collect();
    nodes.sort_unstable_by_key(|&(page, _)| page);
    debug_assert!(nodes.is_sorted_by(|(a, _), (b, _)| a < b), "no two nodes have one page");
    for &(page, slot) in &nodes {
        write_set.packed(slot).seal(page, page_size);
    }
    Ok(nodes)
}

/// By slot the page of its node; 0 where the slot is vacant or its node belongs to nothing.
pub(super) fn pages_by_slot(write_set: &WriteSet, order: &[Slot], placed: &[u64]) -> Vec<u64> {
    assert_eq!(placed.len(), order.len(), "every node has a page");
    let mut pages = vec![0; write_set.slots()];
    for (&slot, &page) in order.iter().zip(placed) {
        if let Some(entry) = pages.get_mut(slot.index()) {
            assert_eq!(*entry, 0, "a node is in one tree, once");
            *entry = page;
        }
    }
    pages
}

/// The page of the node at `slot`, if that is one of `nodes`.
fn page_of_root(nodes: &[(u64, Slot)], slot: Option<Slot>) -> Option<u64> {
    nodes.iter().find(|&&(_, node)| Some(node) == slot).map(|&(page, _)| page)
}

/// The transaction after the last.
///
/// # Errors
/// `Corrupt` where a file has used up all transaction ids, which only damage does.
pub(super) fn next_tx(last: &Meta) -> Result<TxId> {
    TxId::new(last.tx).next().ok_or_else(|| used_up(last))
}

/// The error for a file that has no transaction ids left.
pub(super) fn used_up(last: &Meta) -> Error {
    let what = "transaction ids are used up: compact into a new file".into();
    Error::Corrupt { page: freelist_core::PageId::new(last.slot()), what }
}
