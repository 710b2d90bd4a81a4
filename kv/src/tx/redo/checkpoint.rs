//! The commit by two syncs that takes the pages in memory along, while other commits wait: large transactions, checkpoints on
//! request, the beginning and the end of the log.
//!
//! A meta is never written over the newest durable one. Between the two metas that begin or end the log, one is plain and
//! names the newest state, and nothing is in the log; so bbolt may take the file at any moment and finds what it should.

use std::io::IoSlice;
use std::time::Instant;

use freelist_core::TxId;
use pagefile_std::PageStore;

use super::super::commit::{nothing_changed, run};
use super::super::core::Core;
use super::super::open_buckets::OpenBuckets;
use super::super::persist::{check, take_over, write_images};
use super::super::plan::{Plan, used_up};
use super::super::writer::{Checkpoint, Writer};
use super::{Aim, Redo, RedoSettings, Residents, beside, not_committed};
use crate::error::{Error, Result};
use crate::format::{LogStart, MarkedMeta, Meta};
use crate::store::{Ring, WriteSet};

/// Begins the log of a file whose newest meta is durable and in its own slot: takes a span for it, fills it with zeros, and
/// marks both metas. `epoch` is a number that no earlier log of this file has had.
///
/// # Errors
/// As those of a commit.
pub(crate) fn enter(core: &Core, writer: &mut Writer, settings: RedoSettings, epoch: u64) -> Result<()> {
    assert!(writer.redo.is_none(), "a file has one log");
    let started = Instant::now();
    writer.retire(&core.readers, &core.published)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    // Both metas say the same, under two numbers.
    let tx = TxId::new(writer.visible.tx.checked_add(2).ok_or_else(|| used_up(&writer.visible))?);
    let bytes = Ring::bytes_for(settings.log_size, core.page_size);
    let span = writer.free_space.reserve(tx, bytes.div_euclid(core.page_size.into())).map_err(|cause| {
        let _ = writer.free_space.rollback(tx);
        not_committed(cause)
    })?;
    let start = LogStart { first_page: span.start().get(), pages: span.len(), epoch, position: 0, chain: epoch };
    let ring = Ring::new(start, core.page_size);
    let redo = Redo::new(&ring, writer.visible.slot(), writer.visible.high_water);
    // Readers from before may be in the memory of a log that has ended.
    writer.redo = Some(Box::new(Redo { ended: [TxId::new(writer.visible.tx); 2], ..redo }));
    core.log.begin(ring);
    assert!(start.first_page >= 2, "the metas are no part of the log");
    let entered = run(core, writer, (&mut write_set, &mut buckets), tx, Aim::Enter, started).map(drop);
    if entered.is_err() {
        writer.redo = None;
        core.log.end();
    } else {
        core.set_log_span(Some(span));
    }
    entered
}

/// Ends the log with a checkpoint whose metas are bbolt's, if there is one. For a database that is being closed.
///
/// # Errors
/// As those of a commit. Committed transactions are not lost.
pub(crate) fn leave(core: &Core, writer: &mut Writer) -> Result<()> {
    if writer.redo.is_none() {
        return Ok(());
    }
    writer.retire(&core.readers, &core.published)?;
    let (mut write_set, mut buckets) = nothing_changed(core, writer);
    leave_with(core, writer, (&mut write_set, &mut buckets), writer.visible.tx)
}

/// Ends the log with a commit of these changes, which are those of all transactions up to `newest`.
pub(crate) fn leave_with(
    core: &Core,
    writer: &mut Writer,
    (write_set, buckets): (&mut WriteSet, &mut OpenBuckets),
    newest: u64,
) -> Result<()> {
    let started = Instant::now();
    // It decides which meta is the other one.
    beside::settle(core, writer)?;
    let Some(redo) = &writer.redo else { return Ok(()) };
    let other = redo.slot ^ 1;
    buckets.spill(write_set).map_err(not_committed)?;
    // The number fits the page that it is written to, as bbolt's next commit relies on.
    let next = newest.max(writer.visible.tx).checked_add(1);
    let tx = next.and_then(|next| if next & 1 == other { Some(next) } else { next.checked_add(1) });
    let tx = TxId::new(tx.ok_or_else(|| used_up(&writer.visible))?);
    assert!(tx.get() > newest && tx.get() & 1 == other, "both metas have ids that no other state has");
    run(core, writer, (write_set, buckets), tx, Aim::Leave, started)?;
    core.set_log_span(None);
    writer.free_space.release_reserved()
}

/// Writes the pages in memory that the new state has, and those of `plan`, and then the metas that `aim` asks for.
pub(super) fn checkpoint(
    core: &Core,
    writer: &mut Writer,
    write_set: &WriteSet,
    plan: &mut Plan,
    aim: Aim,
) -> Result<Checkpoint> {
    write_pages(core, writer, write_set, plan, aim).map_err(not_committed)?;
    let (Some(redo), Some(start)) = (&mut writer.redo, core.log.head()) else {
        unreachable!("a checkpoint is made of a log")
    };
    let other = redo.slot ^ 1;
    let before = Meta { tx: plan.meta.tx.saturating_sub(1), ..plan.meta };
    let marked = |meta: Meta| MetaPage::Marked(MarkedMeta { meta, log: start });
    let metas = match aim {
        Aim::Commit | Aim::Checkpoint => vec![(other, marked(plan.meta))],
        Aim::Enter => vec![(other, marked(before)), (redo.slot, marked(plan.meta))],
        Aim::Leave => vec![(other, MetaPage::Plain(plan.meta)), (redo.slot, MetaPage::Plain(before))],
    };
    assert!(
        metas.first().is_some_and(|(slot, _)| *slot != redo.slot),
        "the newest durable meta is not written over first"
    );
    for (slot, meta) in &metas {
        write_meta(&*core.store, core.page_size, *slot, meta)
            .map_err(|cause| Error::Unknown { cause: Box::new(cause) })?;
        plan.count(core.page_size.into(), 0);
    }
    redo.slot = if aim == Aim::Enter { redo.slot } else { other };
    core.log.release();
    redo.end_generation(plan.tx());
    assert!(!core.log.has_units() && redo.residents() == Residents::default(), "the file has everything");
    if aim == Aim::Leave {
        assert_eq!(plan.meta.slot(), other, "a meta of bbolt's is in the slot of its transaction");
        writer.redo = None;
        core.log.end();
    }
    Ok(Checkpoint::At(plan.tx()))
}

fn write_pages(core: &Core, writer: &mut Writer, write_set: &WriteSet, plan: &mut Plan, aim: Aim) -> Result<()> {
    let images = plan.images(write_set);
    take_over(core, writer, write_set, &images);
    // What memory has under these numbers is of pages that nobody sees any more, and must not be written over them.
    super::forget(writer, &images, core.page_size);
    let Writer { redo, free_space, .. } = &*writer;
    let Some(redo) = redo else { return Ok(()) };
    let resident = redo.filling.as_ref().map(|(_, resident)| (resident, resident.view()));
    let mut all = images;
    if let Some((resident, arena)) = &resident {
        all.extend(resident.in_use(arena, |page| free_space.is_in_use(page)));
        all.sort_unstable_by_key(|&(page, _)| page);
    }
    assert!(all.is_sorted_by(|one, next| one.0 < next.0), "a page is written once");
    let (bytes, calls) = write_images(core, all)?;
    plan.count(bytes, calls);
    if aim == Aim::Enter {
        core.log.clear(&*core.store)?;
    }
    core.store.sync()?;
    let seen = core.view(redo.residents());
    if core.settings.strict { check(core, writer, plan, (seen.as_ref(), None), write_set) } else { Ok(()) }
}

/// A meta page of either kind.
pub(super) enum MetaPage {
    Plain(Meta),
    Marked(MarkedMeta),
}

/// Writes a meta page durably.
pub(super) fn write_meta(store: &dyn PageStore, page_size: u32, slot: u64, meta: &MetaPage) -> Result<()> {
    let mut page = vec![0; page_size as usize];
    match meta {
        MetaPage::Plain(meta) => meta.write(slot, &mut page),
        MetaPage::Marked(marked) => marked.write(slot, &mut page),
    }
    assert!(slot < 2, "there are two metas");
    Ok(store.write_durable_at(slot.saturating_mul(page_size.into()), &[IoSlice::new(&page)])?)
}
