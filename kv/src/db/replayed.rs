//! Opening a file whose redo log may hold commits, without writing to it: a crash has left it, or another process has it open.
//!
//! What the log says is done over the newest checkpoint, in memory. The pages that this changes stay there, as they do for
//! the program that commits to a log, with numbers behind those of the checkpoint; all others are read from the file. So
//! the memory is that of the pages that have changed since the checkpoint, twice while the file is being opened.

use std::path::PathBuf;
use std::sync::Arc;

use pagefile_std::PageStore;

use super::options::Options;
use super::settle::{apart_from_log, checkpoint};
use crate::error::Result;
use crate::format::{LogStart, MarkedMeta, Meta};
use crate::store::{FreeSpace, Generation, Pages, ResidentView, page_span};
use crate::tx::{self, Core, Settings, Snapshot, Writer};

/// Opens the newest state of the file, for reading. O(the log and the pages that it changes).
///
/// # Errors
/// Those of [`Options::open`].
pub(super) fn open_replayed(store: Arc<dyn PageStore>, options: &Options, path: Option<PathBuf>) -> Result<Core> {
    assert!(options.file.read_only, "who may write settles a file");
    let (MarkedMeta { meta: before, log }, _) = checkpoint(&*store)?;
    let (meta, generation) = match replay(&store, options, &before, log)? {
        Some((generation, meta)) => (meta, Some(generation)),
        None => (before, None),
    };
    assert!(meta.tx >= before.tx && meta.high_water >= before.high_water, "the log goes on from the checkpoint");
    let writer =
        if options.preload_freelist { Some(writer(&*store, options, &meta, log, generation.as_ref())?) } else { None };
    let snapshot = Snapshot { resident: generation.is_some().into(), ..Snapshot::from(&meta) };
    let mut core = Core::new(store, path, meta.page_size, options.settings(), snapshot, writer);
    core.generations = generation.map(|generation| [Arc::clone(&generation), generation]);
    core.walk_progress = options.walk_progress.clone();
    core.set_log_span(Some(page_span(log.first_page, log.pages)?));
    Ok(core)
}

/// The pages that the log changes and the state that it leads to; none if there is nothing in it.
fn replay(
    store: &Arc<dyn PageStore>,
    options: &Options,
    checkpoint: &Meta,
    log: LogStart,
) -> Result<Option<(Arc<Generation>, Meta)>> {
    let free_space = FreeSpace::behind(options.freelist.create(), checkpoint)?;
    let writer = Writer::new(checkpoint, free_space);
    let settings = Settings { read_cache: 0, redo: None, ..options.settings() };
    let snapshot = Snapshot::from(checkpoint);
    let core = Core::new(Arc::clone(store), None, checkpoint.page_size, settings, snapshot, Some(writer));
    tx::replay_in_memory(&core, log)
}

/// What [`Options::preload_freelist`] asks for: the free pages of the state, found by a walk.
fn writer(
    store: &dyn PageStore,
    options: &Options,
    meta: &Meta,
    log: LogStart,
    generation: Option<&Arc<Generation>>,
) -> Result<Writer> {
    let view = store.view();
    let resident = generation.map(|generation| ResidentView::of(generation, None));
    let pages = Pages::new(&view, &[], meta.page_size, meta.high_water).with_resident(resident.as_ref());
    let walk = || apart_from_log(pages, meta, log, options);
    let free_space = FreeSpace::load(options.freelist.create(), pages, meta, options.max_size, walk)?;
    assert_eq!(free_space.planned_high_water(), meta.high_water, "opening allocates nothing");
    Ok(Writer::new(meta, free_space))
}
