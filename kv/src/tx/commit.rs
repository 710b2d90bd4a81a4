//! The commit: the only place that makes anything durable while a database is open.
//!
//! Order is everything. Pages that the last durable state uses are never written. New pages are written and synced
//! before the meta page that names them; that is written and synced before anybody may see the new state; only then do
//! the pages of the old state begin to become free. A power cut at any point leaves the old state or the new one.

use std::sync::atomic::Ordering;
use std::time::Instant;

use freelist_core::{FreelistError, PageId, Span, TxId};

use super::core::Core;
use super::open_buckets::{OpenBuckets, ROOT};
use super::place::{Space, changed_nodes, patch_children};
use super::published::Snapshot;
use super::writer::Writer;
use super::{TxStats, check};
use crate::error::{Error, Result};
use crate::format::{FreelistWriter, Meta, NO_FREELIST, freelist_len};
use crate::store::{Link, Pages, Slot, WriteSet, page_span, write_runs};
/// A commit, ready to be written.
struct Prepared {
    meta: Meta,
    /// Nodes with their page numbers, ascending.
    nodes: Vec<(u64, Slot)>,
    /// The freelist page, if this commit writes one.
    freelist: Option<(Span, Vec<u8>)>,
    stats: TxStats,
}

/// Makes the changes of transaction `tx` durable and visible. A transaction without changes does nothing.
pub(super) fn commit(
    core: &Core,
    writer: &mut Writer,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: u64,
) -> Result<()> {
    let started = Instant::now();
    let not_committed = |cause| Error::NotCommitted { cause: Box::new(cause) };
    if !buckets.spill(write_set).map_err(not_committed)? {
        return Ok(());
    }
    write_state(core, writer, write_set, buckets, tx, core.settings.freelist_every_commit, started)
}

/// The transaction after the last.
pub(super) fn next_tx(last: &Meta) -> Result<u64> {
    let used_up = || Error::Corrupt {
        page: PageId::new(last.slot()),
        what: "transaction ids are used up: compact into a new file",
    };
    last.tx.checked_add(1).ok_or_else(used_up)
}

/// Writes the freelist into the file, as a commit that changes nothing else. For a database that is being closed.
pub(crate) fn store_freelist(core: &Core, writer: &mut Writer) -> Result<()> {
    let tx = next_tx(&writer.meta)?;
    let mut write_set = WriteSet::new(core.store.view_owned(), core.page_size, writer.meta.high_water, Vec::new());
    let mut buckets = OpenBuckets::new(Link::page(PageId::new(writer.meta.root)), writer.meta.root_sequence);
    write_state(core, writer, &mut write_set, &mut buckets, tx, true, Instant::now())
}

fn write_state(
    core: &Core,
    writer: &mut Writer,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: u64,
    with_freelist: bool,
    started: Instant,
) -> Result<()> {
    let prepared = prepare(core, writer, write_set, buckets, tx, with_freelist).and_then(|mut prepared| {
        prepared.stats.spill_time = started.elapsed();
        write_pages(core, write_set, &mut prepared)?;
        if core.settings.strict {
            strict_check(core, writer, &prepared)?;
        }
        Ok(prepared)
    });
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(cause) => {
            writer.freelist.rollback(TxId::new(tx))?;
            return Err(Error::NotCommitted { cause: Box::new(cause) });
        }
    };
    // From here on a failure says nothing about whether the disk has the new state. The store is poisoned by it, so
    // nothing builds on either.
    write_meta(core, &prepared.meta).map_err(|cause| Error::Unknown { cause: Box::new(cause) })?;
    writer.meta = prepared.meta;
    writer.stored = prepared.freelist.as_ref().map(|(span, _)| *span);
    writer.freelist.commit(TxId::new(tx));
    core.published.publish(Snapshot::from(&writer.meta));
    prepared.stats.write_time = started.elapsed().saturating_sub(prepared.stats.spill_time);
    prepared.stats.bytes += u64::from(core.page_size);
    core.counters.add(&prepared.stats);
    core.counters.note_freelist(&writer.freelist);
    Ok(())
}

/// Everything up to the first write: free what is no longer used, place the nodes, number them, fill the freelist page.
fn prepare(
    core: &Core,
    writer: &mut Writer,
    write_set: &mut WriteSet,
    buckets: &mut OpenBuckets,
    tx: u64,
    with_freelist: bool,
) -> Result<Prepared> {
    let Writer { meta, freelist, stored, .. } = writer;
    for span in write_set.freed().iter().chain(&*stored) {
        freelist.free(TxId::new(tx), *span).map_err(shared_page)?;
    }
    let pages_freed = write_set.freed().iter().map(|span| span.len()).sum();

    let roots = buckets.changed_roots();
    let mut nodes = Vec::new();
    for &(_, root) in &roots {
        changed_nodes(write_set, root, &mut nodes);
    }
    let mut space = Space::new(freelist, TxId::new(tx), meta.high_water, core.page_size.into(), core.settings.max_size);
    let mut root = meta.root;
    let mut numbered = Vec::new();
    if !nodes.is_empty() {
        let ids = space.place(write_set, &nodes)?;
        buckets.patch(write_set, |slot| ids[slot.index()]);
        patch_children(write_set, &nodes, &ids);
        if let Some(slot) = buckets.get(ROOT).root.slot() {
            root = ids[slot.index()];
        }
        numbered = nodes.into_iter().map(|slot| (ids[slot.index()], slot)).collect();
        numbered.sort_unstable_by_key(|&(id, _)| id);
        let page_size = write_set.page_size();
        for &(id, slot) in &numbered {
            write_set.dirty_mut(slot).seal(id, page_size);
        }
    }
    let freelist = if with_freelist { Some(freelist_page(&mut space, core.page_size)?) } else { None };
    let stats = TxStats {
        commits: 1,
        nodes: numbered.len() as u64,
        pages: space.allocated(),
        pages_freed,
        splits: write_set.splits,
        merges: write_set.merges,
        ..TxStats::default()
    };
    let meta = Meta {
        root,
        root_sequence: buckets.get(ROOT).sequence,
        freelist: freelist.as_ref().map_or(NO_FREELIST, |(span, _)| span.start().get()),
        high_water: space.high_water(),
        tx,
        ..*meta
    };
    Ok(Prepared { meta, nodes: numbered, freelist, stats })
}

/// A page that is freed twice, or is free and in use: two parts of the tree share it.
fn shared_page(error: FreelistError) -> Error {
    match error {
        FreelistError::DoubleFree { page } => {
            Error::Corrupt { page, what: "page is used in two places, or is also on the freelist" }
        }
        other => other.into(),
    }
}

/// Room for the freelist, and its image: all pages that are free or pending once this room is taken.
fn freelist_page(space: &mut Space<'_>, page_size: u32) -> Result<(Span, Vec<u8>)> {
    let known = |space: &mut Space<'_>| space.freelist().free_pages() + space.freelist().pending_pages();
    let page_size = u64::from(page_size);
    // Taking the room makes the list shorter, never longer.
    let pages = freelist_len(known(space)).div_ceil(page_size);
    let id = space.allocate(pages)?;
    let count = known(space);
    let too_large = || Error::Corrupt { page: PageId::new(id), what: "freelist does not fit into memory" };
    let len = usize::try_from(pages * page_size).map_err(|_| too_large())?;
    let overflow = u32::try_from(pages - 1).map_err(|_| too_large())?;
    let mut image = vec![0; len];
    let mut writer = FreelistWriter::new(&mut image, id, overflow, count);
    space.freelist().for_each_span(&mut |span| span.pages().for_each(|page| writer.add(page.get())));
    writer.finish();
    Ok((page_span(id, pages)?, image))
}

/// Writes all pages and makes them durable. No meta page names them yet.
fn write_pages(core: &Core, write_set: &WriteSet, prepared: &mut Prepared) -> Result<()> {
    let high_water = prepared.meta.high_water;
    let len = high_water.checked_mul(core.page_size.into()).ok_or(Error::Corrupt {
        page: PageId::new(high_water),
        what: "high-water mark is beyond what a file can hold",
    })?;
    if len > core.store.len() {
        core.store.grow(len)?;
    }
    let mut images: Vec<(u64, &[u8])> =
        prepared.nodes.iter().map(|&(id, slot)| (id, write_set.dirty(slot).bytes())).collect();
    if let Some((span, image)) = &prepared.freelist {
        let at = images.partition_point(|&(id, _)| id < span.start().get());
        images.insert(at, (span.start().get(), image));
    }
    prepared.stats.bytes = images.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    prepared.stats.writes = write_runs(&*core.store, core.page_size, images.into_iter())?;
    if prepared.stats.writes > 0 {
        sync(core)?;
    }
    Ok(())
}

/// Writes the meta page into its slot and makes it durable.
fn write_meta(core: &Core, meta: &Meta) -> Result<()> {
    let mut page = vec![0; core.page_size as usize];
    meta.write(meta.slot(), &mut page);
    core.store.write_at(meta.slot() * u64::from(core.page_size), &[std::io::IoSlice::new(&page)])?;
    sync(core)?;
    Ok(())
}

/// Makes what was written durable, unless this database does not care.
fn sync(core: &Core) -> Result<()> {
    if core.no_sync.load(Ordering::Relaxed) {
        return Ok(());
    }
    Ok(core.store.sync()?)
}

/// Checks the state that is about to become visible, page by page as it stands in the file.
fn strict_check(core: &Core, writer: &Writer, prepared: &Prepared) -> Result<()> {
    let view = core.store.view();
    let pages = Pages::new(&view, &[], core.page_size, prepared.meta.high_water);
    let root = Link::page(PageId::new(prepared.meta.root));
    let stored = prepared.freelist.as_ref().map(|(span, _)| *span);
    let problems = check::check_state(pages, root, check::Free::Known(&writer.freelist, stored));
    match problems.into_iter().next() {
        None => Ok(()),
        Some(problem) => Err(Error::Inconsistent { problem: problem.to_string() }),
    }
}
