//! Writing before the commit: what a commit does with its nodes, for all nodes but the roots of buckets.

use super::open_buckets::OpenBuckets;
use super::plan::pages_by_slot;
use crate::error::{Error, Result};
use crate::store::{Slot, WriteSet};
use crate::tree::{patch_children, spill_order};

/// Writes nodes if they take more memory than they may. To be called before a change.
///
/// Roots stay in memory: buckets name them by their slots, and no header is written before the commit.
///
/// # Errors
/// [`Error::NotCommitted`] if a write fails: the store is poisoned then, and the transaction cannot be committed. `Corrupt`
/// if a node that joins others is damaged.
#[inline]
pub(super) fn keep_within_memory(write_set: &mut WriteSet, buckets: &mut OpenBuckets) -> Result<()> {
    if !write_set.wants_early_writing() {
        return Ok(());
    }
    write_nodes(write_set, buckets).map_err(|cause| match cause {
        damage @ Error::Corrupt { .. } => damage,
        cause => Error::NotCommitted { cause: Box::new(cause) },
    })
}

#[cold]
fn write_nodes(write_set: &mut WriteSet, buckets: &mut OpenBuckets) -> Result<()> {
    let settled = buckets.settle(write_set);
    buckets.whole(settled)?;
    let roots: Vec<Slot> = buckets.changed_roots().into_iter().map(|(_, root)| root).collect();
    let mut order = Vec::new();
    for &root in &roots {
        spill_order(write_set, root, &mut order);
        order.pop();
    }
    let page_size = write_set.page_size();
    let lengths: Vec<u64> = order.iter().map(|&slot| write_set.dirty(slot).pages(page_size)).collect();
    let Some(placed) = write_set.place_early(&lengths)? else { return Ok(()) };
    let pages = pages_by_slot(write_set, &order, &placed);
    let page_of = |slot: Slot| pages.get(slot.index()).copied().unwrap_or(0);
    patch_children(write_set, &order, page_of);
    patch_children(write_set, &roots, page_of);
    let mut nodes: Vec<(u64, Slot)> = placed.into_iter().zip(order).collect();
    nodes.sort_unstable_by_key(|&(page, _)| page);
    write_set.write_early(&nodes)?;
    assert!(write_set.nodes() >= roots.len(), "the roots stay in memory");
    Ok(())
}
