//! A file of pages that may be damaged.

use freelist_core::PageId;
use pagefile_std::PageStore;

use super::meta::{MetaBytes, MetaFault, RawMeta};
use super::page::RawPage;
use crate::db::open::{disagree, newer, page_sizes};
use crate::error::{Error, Result};
use crate::format::{Header, Kind, LogRoot, Malformed, Meta, NO_FREELIST, PAGE_SIZES_OPENED};

/// The pages of a file that may be damaged.
///
/// It holds the store, and with it the file's lock, until it is dropped.
///
/// ```
/// use kv::surgery::RawFile;
///
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # drop(kv::Options::new().open_store(Box::new(store.clone()))?);
/// let file = RawFile::new(store, None)?;
/// assert_eq!((file.page_size(), file.newest_slot()), (4096, Some(1)));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Debug)]
pub struct RawFile {
    pub(super) store: Box<dyn PageStore>,
    pub(super) page_size: u32,
    pub(super) metas: [MetaBytes; 2],
}

impl RawFile {
    /// Takes the pages in `store`. The page size in bytes is `page_size`; if that is `None`, a meta page gives it. O(1).
    ///
    /// # Errors
    /// - [`Error::InvalidOption`] if `page_size` is not a power of two from 512 to 16,777,216.
    /// - [`Error::NotADatabase`] if the page size is not given and the file is shorter than the smallest page.
    /// - [`Error::ByteSwapped`], [`Error::VersionMismatch`], or else [`Error::PageSizeUnknown`], if the page size is not
    ///   given and neither meta page gives it.
    /// - [`Error::Store`] if the store cannot be read.
    pub fn new(store: impl PageStore + 'static, page_size: Option<u32>) -> Result<Self> {
        let store: Box<dyn PageStore> = Box::new(store);
        let first = MetaBytes::read(&*store, 0)?;
        let page_size = match page_size {
            Some(size) if can_be(size) => size,
            Some(size) => {
                let expected = "a power of two from 512 to 16777216";
                return Err(Error::InvalidOption { option: "page_size", value: size.into(), expected });
            }
            None => find_page_size(&*store, &first)?,
        };
        assert!(can_be(page_size), "every page size that is found can be");
        let second = MetaBytes::read(&*store, page_size.into())?;
        Ok(Self { store, page_size, metas: [first, second] })
    }

    /// Returns the page size in bytes. O(1).
    #[must_use]
    pub const fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Returns the length of the file in bytes. O(1).
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.store.len()
    }

    /// Returns the number of whole pages in the file. O(1).
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.store.len().div_euclid(self.page_size.into())
    }

    /// Returns the fields of meta page `slot`, 0 or 1, if it is valid. O(1).
    ///
    /// # Errors
    /// The [`MetaFault`] that makes it invalid.
    pub fn meta(&self, slot: usize) -> Result<RawMeta, MetaFault> {
        self.metas.get(slot).ok_or(MetaFault::NotAMeta)?.judged().map(RawMeta::from)
    }

    /// Returns the fields and the checksum of meta page `slot`, valid or not. `None` if the file ends before them. O(1).
    #[must_use]
    pub fn meta_as_it_is(&self, slot: usize) -> Option<(RawMeta, u64)> {
        let meta = self.metas.get(slot)?;
        Some((meta.fields()?.into(), meta.checksum()?))
    }

    /// Returns the meta page that opening the file uses: of the valid ones, that with the larger transaction id. `None` if
    /// neither is valid. O(1).
    #[must_use]
    pub fn newest(&self) -> Option<RawMeta> {
        self.newest_slot().and_then(|slot| self.meta(slot).ok())
    }

    /// Returns the number, 0 or 1, of the meta page that [`newest`](Self::newest) returns. O(1).
    #[must_use]
    pub fn newest_slot(&self) -> Option<usize> {
        match self.metas.each_ref().map(MetaBytes::judged) {
            [Ok(first), Ok(second)] => Some(usize::from(newer(&second, &first))),
            [Ok(_), Err(_)] => Some(0),
            [Err(_), Ok(_)] => Some(1),
            [Err(_), Err(_)] => None,
        }
    }

    /// Returns whether the newest meta page names a log of the free pages ([`FreelistSync::Log`](crate::FreelistSync::Log)).
    /// Its pages are not looked at. O(1).
    #[must_use]
    pub fn has_space_log(&self) -> bool {
        let newest = self.newest_slot().and_then(|slot| self.metas.get(slot)?.judged().ok());
        newest.is_some_and(|meta| meta.freelist == NO_FREELIST && LogRoot::find(&meta.extension).is_some())
    }

    /// Returns whether both meta pages are valid and of one transaction, but name different states: opening the file for
    /// writing fails with [`Error::TwoStates`], and [`choose_meta`](Self::choose_meta) repairs that. O(1).
    #[must_use]
    pub fn metas_disagree(&self) -> bool {
        match self.metas.each_ref().map(MetaBytes::judged) {
            [Ok(first), Ok(second)] => disagree(&first, &second),
            _ => false,
        }
    }

    /// Reads page `id` without its overflow pages. O(page size).
    ///
    /// # Errors
    /// - [`Error::Corrupt`] if the file ends before the page does.
    /// - [`Error::Store`] if the store cannot be read.
    pub fn bytes(&self, id: PageId) -> Result<Vec<u8>> {
        self.run(id, 1)
    }

    /// Reads page `id` with its overflow pages. Pages 0 and 1 are meta pages, whatever their headers say. O(bytes of the
    /// pages).
    ///
    /// # Errors
    /// - [`Error::Corrupt`] if the page has no valid header, or the file ends before its overflow pages do.
    /// - [`Error::Store`] if the store cannot be read.
    pub fn page(&self, id: PageId) -> Result<RawPage> {
        let mut bytes = self.bytes(id)?;
        let header = if id.get() < 2 {
            Header { id: id.get(), kind: Kind::Meta, count: 0, overflow: 0 }
        } else {
            Header::parse(&bytes).map_err(|Malformed(what)| Error::Corrupt { page: id, what: what.into() })?
        };
        let pages = u64::from(header.overflow).saturating_add(1);
        if header.overflow > 0 {
            bytes = self.run(id, pages)?;
        }
        assert_eq!(
            bytes.len() as u64,
            pages.saturating_mul(self.page_size.into()),
            "a page has all its overflow pages"
        );
        Ok(RawPage { at: id, header, bytes })
    }

    /// Where page `id` starts in the file.
    pub(super) fn offset(&self, id: PageId, pages: u64) -> Result<u64> {
        let end = id.get().checked_add(pages).filter(|&end| end <= self.pages());
        end.ok_or(Error::Corrupt { page: id, what: "page lies beyond the end of the file".into() })?;
        Ok(id.get().saturating_mul(self.page_size.into()))
    }

    fn run(&self, id: PageId, pages: u64) -> Result<Vec<u8>> {
        let offset = self.offset(id, pages)?;
        let len = usize::try_from(pages.saturating_mul(self.page_size.into()))
            .map_err(|_| Error::Corrupt { page: id, what: "page is larger than memory can hold".into() })?;
        let mut bytes = vec![0; len];
        self.store.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

fn can_be(page_size: u32) -> bool {
    const {
        assert!(*PAGE_SIZES_OPENED.start() == 512, "the error of `new` names the smallest page size");
        assert!(*PAGE_SIZES_OPENED.end() == 16_777_216, "the error of `new` names the largest page size");
    }
    page_size.is_power_of_two() && PAGE_SIZES_OPENED.contains(&page_size)
}

/// The page size in the first meta page, or in a second one that lies where its page size puts it. A valid meta page
/// takes precedence over one with a wrong checksum.
fn find_page_size(store: &dyn PageStore, first: &MetaBytes) -> Result<u32> {
    if let Some(size) = told_size(first) {
        return Ok(size);
    }
    let mut suspect = damaged_size(first);
    let mut fault = telling(first);
    for size in page_sizes() {
        let second = MetaBytes::read(store, size.into())?;
        if told_size(&second) == Some(size) {
            return Ok(size);
        }
        suspect = suspect.or_else(|| damaged_size(&second).filter(|&found| found == size));
        fault = fault.or_else(|| telling(&second));
    }
    let unknown =
        if store.len() < u64::from(*PAGE_SIZES_OPENED.start()) { Error::NotADatabase } else { Error::PageSizeUnknown };
    suspect.ok_or(fault.unwrap_or(unknown))
}

/// The page size in a valid meta page, or in one of a checkpoint with a log.
fn told_size(meta: &MetaBytes) -> Option<u32> {
    let plain = meta.judged().ok().map(|meta| meta.page_size);
    plain.or_else(|| meta.marked().map(|marked| marked.meta.page_size))
}

/// The error for a meta page of a byte order or version that this library does not read.
fn telling(meta: &MetaBytes) -> Option<Error> {
    match meta.judged() {
        Err(MetaFault::ByteSwapped) => Some(Error::ByteSwapped),
        Err(MetaFault::Version { found }) => Some(Error::VersionMismatch { found }),
        _ => None,
    }
}

/// The page size in a meta page whose checksum is wrong, if this library can open it.
fn damaged_size(meta: &MetaBytes) -> Option<u32> {
    let damaged = meta.judged() == Err(MetaFault::Checksum);
    meta.fields().map(|Meta { page_size, .. }| page_size).filter(|&size| damaged && can_be(size))
}
