//! The second step of a commit: make the plan durable.
//!
//! Order is everything. Pages that a pinned state uses are never written. New pages are written and synced before the
//! meta page that names them; that is written durably before anybody may see the new state. A power cut at any point
//! leaves the old state or the new one.
//!
//! The meta's write makes nothing durable but the meta. So the sync before it is left out only where nothing is in doubt:
//! the commit has no pages of its own, and the state before it is durable.

use std::io::IoSlice;
use std::sync::atomic::Ordering;

use freelist_core::PageId;

use super::check::{Free, check_state};
use super::core::Core;
use super::plan::Plan;
use super::walk_progress::WalkProgress;
use super::writer::{Checkpoint, Writer};
use crate::error::{Error, Result};
use crate::format::{Header, Meta};
use crate::store::{Link, PageSet, Pages, ResidentView, WriteSet, write_runs};
use crate::tree::{Forest, Visit};

/// Writes the pages of `plan`, then its meta. Returns what a power cut leaves from now on.
///
/// # Errors
/// [`Error::NotCommitted`] before the meta is written, [`Error::Unknown`] from then on: a failure then says nothing about
/// whether the disk has the new state. The store is poisoned by it, so nothing builds on either.
pub(super) fn persist(core: &Core, writer: &Writer, write_set: &WriteSet, plan: &mut Plan) -> Result<Checkpoint> {
    assert!(plan.meta.tx > writer.visible.tx, "a commit makes a new state");
    assert_ne!(plan.meta.slot(), writer.visible.slot(), "the meta of the visible state is not written over");
    // Read once: a commit is synced as a whole or not at all.
    let sync = !core.no_sync.load(Ordering::Relaxed);
    let named = core.store.check_name().map_err(Error::from);
    let written = named
        .and_then(|()| write_pages(core, writer, write_set, plan, sync))
        .and_then(|()| if core.settings.strict { check(core, writer, plan, (None, None), write_set) } else { Ok(()) });
    written.map_err(|cause| Error::NotCommitted { cause: Box::new(cause) })?;
    assert!(writer.in_doubt, "nothing builds on a state before its meta is durable");
    write_meta(core, &plan.meta, sync).map_err(|cause| Error::Unknown { cause: Box::new(cause) })?;
    plan.count(core.page_size.into(), 0);
    Ok(if sync { Checkpoint::At(plan.tx()) } else { Checkpoint::Unknown })
}

/// Writes all pages and syncs them. No meta names them yet.
fn write_pages(core: &Core, writer: &Writer, write_set: &WriteSet, plan: &mut Plan, sync: bool) -> Result<()> {
    reach_to(core, plan.meta.high_water)?;
    let images = plan.images(write_set);
    take_over(core, writer, write_set, &images);
    let (bytes, calls) = write_images(core, images)?;
    plan.count(bytes, calls);
    if sync && (calls > 0 || writer.checkpoint == Checkpoint::Unknown) {
        core.store.sync()?;
    }
    Ok(())
}

/// Makes the file long enough for the pages below `high_water`.
pub(super) fn reach_to(core: &Core, high_water: u64) -> Result<()> {
    let len = high_water.checked_mul(core.page_size.into()).ok_or(Error::Corrupt {
        page: PageId::new(high_water),
        what: "high-water mark is beyond what a file can hold".into(),
    })?;
    if len > core.store.len() {
        core.store.grow(len)?;
    }
    assert!(core.store.len() >= len, "the file reaches to the high-water mark");
    Ok(())
}

/// The pages `images`, which this commit may write, and those that were written before it are about to be others: what is
/// remembered of them goes.
pub(super) fn take_over(core: &Core, writer: &Writer, write_set: &WriteSet, images: &[(u64, &[u8])]) {
    for &(page, bytes) in images {
        assert!(Header::parse(bytes).is_ok_and(|header| header.id == page), "a page says its own number");
        writer.free_space.assert_writable(page, bytes.len());
    }
    let Some(heads) = &core.heads else { return };
    for &(page, _) in images {
        heads.forget(page);
    }
    write_set.early_range().for_each(|page| heads.forget(page));
}

/// Writes `images`, in page order. Returns how many bytes that were, and how many writes it took.
pub(super) fn write_images(core: &Core, images: Vec<(u64, &[u8])>) -> Result<(u64, u64)> {
    let any = !images.is_empty();
    let bytes = images.iter().map(|(_, bytes)| bytes.len() as u64).fold(0, u64::saturating_add);
    let calls = write_runs(&*core.store, core.page_size, images.into_iter())?;
    assert_eq!(calls > 0, any, "every page is written");
    Ok((bytes, calls))
}

/// Writes the meta page into its slot, durably with `sync`.
fn write_meta(core: &Core, meta: &Meta, sync: bool) -> Result<()> {
    let mut page = vec![0; core.page_size as usize];
    meta.write(meta.slot(), &mut page);
    assert!(meta.slot() < 2, "there are two metas");
    let at = meta.slot().saturating_mul(core.page_size.into());
    assert_eq!(Meta::parse(&page), Ok(*meta), "a meta is read as it was written");
    let bytes = [IoSlice::new(&page)];
    if sync {
        core.store.write_durable_at(at, &bytes)?;
    } else {
        core.store.write_at(at, &bytes)?;
    }
    Ok(())
}

/// Checks the state that is about to become visible, page by page as it lies in the file, and that no page of the state
/// before it was written. Some pages of the state before, and of the new one, may be in memory. O(pages).
pub(super) fn check(
    core: &Core,
    writer: &Writer,
    plan: &Plan,
    (before, after): (Option<&ResidentView<'_>>, Option<&ResidentView<'_>>),
    write_set: &WriteSet,
) -> Result<()> {
    let view = core.store.view();
    let visible = Pages::new(&view, &[], core.page_size, writer.visible.high_water).with_resident(before);
    if let Some(page) = overwritten(visible, writer, write_set, plan) {
        let problem = format!("page {page} of the state before is written");
        return Err(Error::Inconsistent { problem });
    }
    let pages = Pages::new(&view, &[], core.page_size, plan.meta.high_water).with_resident(after);
    let root = Link::page(PageId::new(plan.meta.root));
    let free = Free::Known(&writer.free_space, &plan.free_space);
    match check_state(pages, root, free, &WalkProgress::default()).into_iter().next() {
        None => Ok(()),
        Some(problem) => Err(Error::Inconsistent { problem: problem.to_string() }),
    }
}

/// A page of the visible state that the pages of `plan` lie on.
fn overwritten(pages: Pages<'_>, writer: &Writer, write_set: &WriteSet, plan: &Plan) -> Option<PageId> {
    let mut written = PageSet::new(pages.high_water());
    for (first, bytes) in plan.images(write_set) {
        let count = bytes.len().div_ceil(write_set.page_size()) as u64;
        (first..first.saturating_add(count)).for_each(|page| _ = written.add(page));
    }
    let root = Link::page(PageId::new(writer.visible.root));
    // The check of the new state reports damage.
    Forest::new(pages, root).flatten().find_map(|Visit { page, pages, .. }| {
        let first = page.link.page_id().get();
        (first..first.saturating_add(pages)).find(|&page| written.has(page)).map(PageId::new)
    })
}
