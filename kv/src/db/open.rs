//! Opening: choose the newest valid state, make it durable, find the free pages.
//!
//! Nothing is replayed, unless commits went by a redo log ([`super::settle`], [`super::replayed`]). Of the two metas the valid one with the larger
//! transaction id wins. Before anything else is written it is *sealed*: written again where it was found and synced. After a
//! kill or a failed sync the winner may live in the page cache alone; building on it as if it were durable would overwrite
//! pages of the only state that the disk has.

use std::hash::BuildHasher;
use std::io::IoSlice;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use freelist_core::{PageId, TxId};
use pagefile_std::{Operation, PageFile, PageStore, StoreError};

use super::options::Options;
use super::replayed::open_replayed;
use super::settle::settle;
use crate::error::{Error, Result};
use crate::format::{
    Extension, FreelistWriter, Header, Kind, MARKED_VERSION, Meta, MetaError, NO_FREELIST, PAGE_SIZES_CREATED,
    PAGE_SIZES_OPENED, SECTOR, set_header,
};
use crate::store::{FreeSpace, Link, PageSet, Pages};
use crate::tree::{reach, with_places};
use crate::tx::{self, Background, Checkpointer, Core, Ends, Snapshot, Writer};

pub(super) fn open_path(path: &Path, options: &Options) -> Result<Core> {
    let mut file_options = options.file.clone();
    file_options.no_grow_sync |= options.no_sync;
    let file = if options.create {
        PageFile::open_or_create(path, &file_options, &mut || first_pages(options.page_size))?
    } else {
        PageFile::open(path, &file_options)?
    };
    let path = file.path().to_path_buf();
    open_store(Box::new(file), options, Some(path))
}

pub(super) fn open_store(store: Box<dyn PageStore>, options: &Options, path: Option<PathBuf>) -> Result<Core> {
    let read_only = options.file.read_only;
    let store: Arc<dyn PageStore> = Arc::from(store);
    if store.is_empty() && options.create && !read_only {
        let bytes = first_pages(options.page_size);
        store.grow(bytes.len() as u64)?;
        store.write_at(0, &[IoSlice::new(&bytes)])?;
        store.sync()?;
    }
    let mut found = winner(|at| read_meta(&*store, at));
    if matches!(found, Err(Error::Unsettled)) {
        if read_only {
            return open_replayed(store, options, path);
        }
        settle(&store, options)?;
        found = winner(|at| read_meta(&*store, at));
    }
    let found = found?;
    believable(&found, store.len())?;
    let contested = contested(&found);
    if let Some(shown) = contested.filter(|_| !read_only) {
        return Err(Error::TwoStates { tx: TxId::new(found.meta.tx), shown });
    }
    assert!(2 <= found.meta.root && found.meta.root < found.meta.high_water, "a state has a root page");
    if !read_only {
        seal(&*store, &found)?;
        if options.initial_size > store.len() {
            store.grow(options.initial_size)?;
        }
    }
    let meta = found.meta;
    let writer = if read_only && !options.preload_freelist { None } else { Some(writer(&*store, &meta, options)?) };
    let settings = options.settings();
    let mut core = Core::new(store, path, meta.page_size, settings, Snapshot::from(&meta), writer);
    core.contested = contested;
    core.walk_progress = options.walk_progress.clone();
    if let Some(redo) = settings.redo.filter(|_| !read_only) {
        assert!(!settings.no_sync && settings.shrink == 0, "the options were validated");
        core.generations = Some(tx::generations(redo.memory, meta.page_size)?);
        tx::enter(&core, &mut *tx::take_writer(&core, Ends::Anywhere)?, redo, new_epoch())?;
        let path = core.path.clone().unwrap_or_default();
        let failed = |source| StoreError::Io { operation: Operation::Open, path, offset: None, source };
        let started = Checkpointer::start(&core, redo.thread).and_then(|checkpointer| {
            let background = redo.period.map(|period| Background::start(&core, period)).transpose()?;
            Ok((Some(checkpointer), background))
        });
        (core.checkpointer, core.background) = started.map_err(failed)?;
    }
    Ok(core)
}

/// A number that no log of this file has had: the randomness that the standard library seeds its hash maps with.
pub(super) fn new_epoch() -> u64 {
    std::hash::RandomState::new().hash_one(std::time::SystemTime::now())
}

/// The page of the winning meta, if the other meta is of the same transaction and names another state.
fn contested(found: &Found) -> Option<PageId> {
    found.other.filter(|other| disagree(&found.meta, other)).map(|_| PageId::new(found.slot))
}

/// Whether two valid metas are of one transaction and name different states. Where the list of free pages lies is no part
/// of the state.
pub(super) fn disagree(one: &Meta, other: &Meta) -> bool {
    let state = |meta: &Meta| (meta.page_size, meta.root, meta.root_sequence, meta.high_water);
    one.tx == other.tx && state(one) != state(other)
}

/// The four pages of a new database: two metas, an empty freelist, an empty leaf.
fn first_pages(page_size: u32) -> Vec<u8> {
    assert!(PAGE_SIZES_CREATED.contains(&page_size), "the page size of a new file was validated");
    let extension = Extension::NONE;
    let meta = Meta { page_size, flags: 0, root: 3, root_sequence: 0, freelist: 2, high_water: 4, tx: 0, extension };
    let mut bytes = Vec::new();
    for (id, kind) in (0..).zip([Kind::Meta, Kind::Meta, Kind::Freelist, Kind::Leaf]) {
        let header = Header { id, kind, count: 0, overflow: 0 };
        let mut page = vec![0; page_size as usize];
        match kind {
            Kind::Meta => write_meta(&Meta { tx: id, ..meta }, id, &mut page),
            Kind::Freelist => FreelistWriter::new(&mut page, id, 0, 0).finish(),
            Kind::Branch | Kind::Leaf | Kind::SpaceLog => set_header(&mut page, header),
        }
        assert_eq!(Header::parse(&page), Ok(header), "a new page says its own number and kind");
        bytes.append(&mut page);
    }
    assert_eq!(bytes.len() as u64, meta.high_water.saturating_mul(page_size.into()), "a new file has all its pages");
    bytes
}

/// Writes `meta` into `page`, to be page `slot`.
fn write_meta(meta: &Meta, slot: u64, page: &mut [u8]) {
    assert!(slot < 2, "there are two metas");
    meta.write(slot, page);
    assert_eq!(Meta::parse(page).as_ref(), Ok(meta), "a meta is read as it was written");
}

/// A valid meta, the page it was found in, and the other meta if it is valid too.
pub(super) struct Found {
    pub(super) meta: Meta,
    pub(super) slot: u64,
    pub(super) other: Option<Meta>,
}

/// Of the two metas, the valid one with the larger transaction id.
///
/// The transaction id decides and never the slot: in a copy made by a backup the two are swapped. The second meta is
/// where the page size puts it; if the first is damaged, that is looked for at every size there can be. `read` reads the
/// meta at a byte.
pub(super) fn winner(read: impl Fn(u64) -> Result<Result<Meta, MetaError>>) -> Result<Found> {
    let first = read(0)?;
    if let Ok(meta) = first {
        assert!(PAGE_SIZES_OPENED.contains(&meta.page_size), "a valid meta has a page size that can be");
        let second = read(meta.page_size.into())?.ok().filter(|second| second.page_size == meta.page_size);
        let found = match second {
            Some(second) if newer(&second, &meta) => Found { meta: second, slot: 1, other: Some(meta) },
            other => Found { meta, slot: 0, other },
        };
        assert!(found.other.is_none_or(|other| other.tx <= found.meta.tx), "no valid meta is newer than the winner");
        return Ok(found);
    }
    let mut second = MetaError::NotAMeta;
    for size in page_sizes() {
        match read(size.into())? {
            Ok(meta) if meta.page_size == size => return Ok(Found { meta, slot: 1, other: None }),
            Err(error) if error != MetaError::NotAMeta => second = error,
            _ => {}
        }
    }
    Err(refusal([first.err(), Some(second)]))
}

/// All page sizes in bytes that a file may have.
pub(super) fn page_sizes() -> impl Iterator<Item = u32> {
    const { assert!(PAGE_SIZES_OPENED.start().is_power_of_two(), "doubling it gives powers of two") };
    let larger = |size: &u32| size.checked_mul(2).filter(|size| PAGE_SIZES_OPENED.contains(size));
    iter::successors(Some(*PAGE_SIZES_OPENED.start()), larger)
}

/// Whether `second`, the meta of page 1, wins. If both have the same transaction id, the one in its own slot wins.
pub(super) fn newer(second: &Meta, first: &Meta) -> bool {
    second.tx > first.tx || (second.tx == first.tx && second.slot() == 1)
}

/// The meta at byte `at`, read past the map, which may show what another process is writing.
fn read_meta(store: &dyn PageStore, at: u64) -> Result<Result<Meta, MetaError>> {
    Ok(readable_meta(at, store.len(), |at, bytes| store.read_at(at, bytes))?)
}

/// The meta at byte `at` of a file of `len` bytes, which `read` reads.
pub(super) fn readable_meta(
    at: u64,
    len: u64,
    read: impl Fn(u64, &mut [u8]) -> Result<(), StoreError>,
) -> Result<Result<Meta, MetaError>, StoreError> {
    let mut sector = [0; SECTOR];
    let readable = Meta::readable(at, len);
    assert!(readable <= SECTOR, "a meta lies in one sector");
    match sector.get_mut(..readable) {
        Some(bytes) if !bytes.is_empty() => {
            read(at, bytes)?;
            Ok(Meta::parse(bytes))
        }
        _ => Ok(Err(MetaError::NotAMeta)),
    }
}

/// The error for a file without a valid meta: of the two metas' errors the more specific one.
fn refusal(metas: [Option<MetaError>; 2]) -> Error {
    let errors = metas.map(|error| error.unwrap_or(MetaError::NotAMeta));
    // The other one may be in the middle of being written, and say anything.
    if errors.contains(&MetaError::Version(MARKED_VERSION)) {
        return Error::Unsettled;
    }
    for error in errors {
        match error {
            MetaError::ByteSwapped => return Error::ByteSwapped,
            MetaError::Version(found) => return Error::VersionMismatch { found },
            MetaError::PageSize(_) => {
                return Error::Corrupt {
                    page: PageId::new(0),
                    what: "page size is not a power of two from 512 to 16 MiB".into(),
                };
            }
            MetaError::Checksum | MetaError::NotAMeta => {}
        }
    }
    if errors.contains(&MetaError::Checksum) { Error::ChecksumMismatch } else { Error::NotADatabase }
}

/// Checks that a meta with a right checksum must still pass.
pub(super) fn believable(found: &Found, len: u64) -> Result<()> {
    let Found { meta, other, .. } = found;
    let wrong = |what: &'static str| Err(Error::Corrupt { page: PageId::new(meta.slot()), what: what.into() });
    let end = |meta: &Meta| meta.high_water.checked_mul(meta.page_size.into());
    match end(meta) {
        Some(expected) if expected > len => {
            let older_fits = other.as_ref().and_then(end).is_some_and(|end| end <= len);
            return Err(Error::Truncated { expected, found: len, older_fits });
        }
        Some(_) => {}
        None => return wrong("high-water mark is beyond what a file can hold"),
    }
    if meta.root < 2 || meta.root >= meta.high_water {
        return wrong("root page is beyond the high-water mark");
    }
    if meta.freelist != NO_FREELIST && (meta.freelist < 2 || meta.freelist >= meta.high_water) {
        return wrong("freelist page is beyond the high-water mark");
    }
    Ok(())
}

/// Makes the winning meta durable before anything is built on it, with its extension if that is bound to it.
///
/// If it was not in the slot of its transaction, it is written there as well: the next commit writes the other slot, and
/// must not find the only valid meta there.
fn seal(store: &dyn PageStore, found: &Found) -> Result<()> {
    let (meta, own) = (&found.meta, found.meta.slot());
    let mut page = vec![0; meta.page_size as usize];
    let slots = if found.slot == own { &[own][..] } else { &[found.slot, own] };
    assert_eq!(slots.first(), Some(&found.slot), "the winner is durable before the other meta is written over");
    for slot in slots {
        write_meta(meta, *slot, &mut page);
        store.write_at(slot.saturating_mul(meta.page_size.into()), &[IoSlice::new(&page)])?;
        store.sync()?;
    }
    assert_eq!(slots.last(), Some(&own), "the next commit does not write over the winner");
    Ok(())
}

/// The pages that the trees of the state of `meta` use, by a walk over all of them. O(pages).
pub(super) fn used_pages(pages: Pages<'_>, meta: &Meta, options: &Options) -> Result<PageSet> {
    assert_eq!(pages.high_water(), meta.high_water, "the walk sees the pages of this state");
    let progress = |visited| options.walk_progress.report(visited, meta.high_water);
    let root = PageId::new(meta.root);
    reach(pages, root, &progress).map_err(|error| with_places(pages, Link::page(root), error))
}

/// What the first write transaction begins with.
fn writer(store: &dyn PageStore, meta: &Meta, options: &Options) -> Result<Writer> {
    let view = store.view();
    let pages = Pages::new(&view, &[], meta.page_size, meta.high_water);
    let walk = || used_pages(pages, meta, options);
    let free_space = FreeSpace::load(options.freelist.create(), pages, meta, options.max_size, walk)?;
    assert_eq!(free_space.planned_high_water(), meta.high_water, "opening allocates nothing");
    Ok(Writer::new(meta, free_space))
}
