//! Opening a file whose redo log may hold commits: a crash has left it. What the log says is done again, and the file is
//! bbolt's before anything else happens.

use std::io::IoSlice;
use std::sync::Arc;

use freelist_core::{PageId, TxId};
use pagefile_std::{PageStore, StoreError};

use super::open::{Found, believable, page_sizes, used_pages};
use super::options::Options;
use crate::error::{Error, Result};
use crate::format::{LogStart, MarkedMeta, Meta, SECTOR};
use crate::store::{FreeSpace, PageSet, Pages, Ring, page_span};
use crate::tx::{self, Core, Ends, Redo, Settings, Snapshot, Writer};

/// Does what the log says over the newest checkpoint, and makes both metas bbolt's. Until then a crash finds the log as it
/// was. O(pages), for the free ones are searched for, and O(the log).
///
/// # Errors
/// Those of [`Options::open`], and of a commit.
pub(super) fn settle(store: &Arc<dyn PageStore>, options: &Options) -> Result<()> {
    let (found, slot) = checkpoint(&**store)?;
    assert!(slot < 2 && !options.file.read_only, "only who may write settles a file");
    let MarkedMeta { meta, log } = found;
    seal(&**store, &found, slot)?;
    let span = page_span(log.first_page, log.pages)?;
    let view = store.view();
    let pages = Pages::new(&view, &[], meta.page_size, meta.high_water);
    let walk = || apart_from_log(pages, &meta, log, options);
    // What was committed once is committed again, whatever the file may grow to from now on.
    let mut free_space = FreeSpace::load(options.freelist.create(), pages, &meta, None, walk)?;
    free_space.set_reserved(span);
    let mut writer = Writer::new(&meta, free_space);
    writer.redo = Some(Box::new(Redo::new(&Ring::new(log, meta.page_size), slot, meta.high_water)));
    // By two syncs, whatever the options say of later commits.
    let settings =
        Settings { read_cache: 0, shrink: 0, redo: None, strict: false, no_sync: false, ..options.settings() };
    let core = Core::new(Arc::clone(store), None, meta.page_size, settings, Snapshot::from(&meta), Some(writer));
    tx::settle(&core, log)?;
    assert!(core.published.read().0.tx > meta.tx, "what the log says is a new state");
    // So that the next step does not search for the free pages once more.
    tx::close(&core, &mut *tx::take_writer(&core, Ends::Here)?)
}

/// The newest checkpoint of a file that may have commits in a log, and the page of its meta.
///
/// # Errors
/// Those of [`Options::open`] for a file whose metas are damaged.
pub(super) fn checkpoint(store: &dyn PageStore) -> Result<(MarkedMeta, u64)> {
    let (found, slot) = newest(store.len(), |at, sector| store.read_at(at, sector))?;
    believable(&Found { meta: found.meta, slot, other: None }, store.len())?;
    if !Ring::can_be(found.log, found.meta.page_size) {
        let what = "the log is shorter than one can be, or begins inside a block".into();
        return Err(Error::Corrupt { page: PageId::new(slot), what });
    }
    Ok((found, slot))
}

/// The pages that the trees of a state use, and those of the log, which they do not. O(pages).
pub(super) fn apart_from_log(pages: Pages<'_>, meta: &Meta, log: LogStart, options: &Options) -> Result<PageSet> {
    let mut used = used_pages(pages, meta, options)?;
    match used.add_run(log.first_page, log.pages) {
        Some(page) => Err(Error::Corrupt { page: PageId::new(page), what: "a tree has a page of the log".into() }),
        None => Ok(used),
    }
}

/// The newest valid marked meta of a file of `len` bytes, which `read` reads, and its page.
pub(super) fn newest(len: u64, read: impl Fn(u64, &mut [u8]) -> Result<(), StoreError>) -> Result<(MarkedMeta, u64)> {
    let read = |at: u64| -> Result<Option<MarkedMeta>> {
        let mut sector = [0; SECTOR];
        if at.saturating_add(SECTOR as u64) > len {
            return Ok(None);
        }
        read(at, &mut sector)?;
        Ok(MarkedMeta::parse(&sector))
    };
    let first = read(0)?;
    assert!(
        first.is_none_or(|first| first.meta.page_size.is_power_of_two()),
        "a valid meta has a page size that can be"
    );
    let sizes: Vec<u32> = first.map_or_else(|| page_sizes().collect(), |first| vec![first.meta.page_size]);
    let mut second = None;
    for size in sizes {
        second = second.or(read(size.into())?.filter(|second| second.meta.page_size == size));
    }
    match (first, second) {
        (Some(first), Some(second)) if first.meta.tx == second.meta.tx => {
            Err(Error::TwoStates { tx: TxId::new(first.meta.tx), shown: PageId::new(0) })
        }
        (Some(first), Some(second)) if second.meta.tx > first.meta.tx => Ok((second, 1)),
        (Some(first), _) => Ok((first, 0)),
        (None, Some(second)) => Ok((second, 1)),
        (None, None) => Err(Error::ChecksumMismatch),
    }
}

/// Makes the newest checkpoint durable before anything is built on it: after a kill it may be in the page cache alone, and
/// replay writes over pages of the one before.
fn seal(store: &dyn PageStore, found: &MarkedMeta, slot: u64) -> Result<()> {
    let mut page = vec![0; found.meta.page_size as usize];
    found.write(slot, &mut page);
    assert_eq!(MarkedMeta::parse(&page).as_ref(), Some(found), "a meta is read as it was written");
    store.write_at(slot.saturating_mul(found.meta.page_size.into()), &[IoSlice::new(&page)])?;
    Ok(store.sync()?)
}
