//! A file of pages, read as it is.

use freelist_core::PageId;
use pagefile_std::PageStore;

use super::meta::{MetaBytes, MetaFault, RawMeta};
use super::page::RawPage;
use crate::db::open::newer;
use crate::error::{Error, Result};
use crate::format::{Header, Kind, META_BYTES, Malformed, Meta, PAGE_SIZES_OPENED};

/// The pages of a file, sound or not.
///
/// It holds the store, and so the file's lock, until it is dropped.
#[derive(Debug)]
pub struct RawFile {
    pub(super) store: Box<dyn PageStore>,
    pub(super) page_size: u32,
    pub(super) metas: [MetaBytes; 2],
}

impl RawFile {
    /// The pages in `store`. Their size is `page_size`, or what a meta page says.
    ///
    /// # Errors
    /// If no page size is given and no meta page tells it, what is wrong with the meta pages: [`Error::ByteSwapped`],
    /// [`Error::VersionMismatch`], else [`Error::PageSizeUnknown`]; for a file that has no whole page,
    /// [`Error::NotADatabase`]. [`Error::InvalidOption`] if the size given cannot be; [`Error::Store`].
    pub fn new(store: impl PageStore + 'static, page_size: Option<u32>) -> Result<Self> {
        let store: Box<dyn PageStore> = Box::new(store);
        let first = read_meta(&*store, 0)?;
        let page_size = match page_size {
            Some(size) if can_be(size) => size,
            Some(size) => {
                let expected = "a power of two from 512 to 16777216";
                return Err(Error::InvalidOption { option: "page_size", value: size.into(), expected });
            }
            None => find_page_size(&*store, &first)?,
        };
        let second = read_meta(&*store, page_size.into())?;
        Ok(Self { store, page_size, metas: [first, second] })
    }

    /// Bytes of a page.
    #[must_use]
    pub const fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.store.len()
    }

    /// Whole pages in the file.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.store.len() / u64::from(self.page_size)
    }

    /// Meta page `slot`, 0 or 1, if it is valid.
    ///
    /// # Errors
    /// Why it is not.
    pub fn meta(&self, slot: usize) -> Result<RawMeta, MetaFault> {
        self.metas.get(slot).ok_or(MetaFault::NotAMeta)?.judged().map(RawMeta::from)
    }

    /// What stands in the fields of meta page `slot`, valid or not, and in its checksum. None where the file ends first.
    #[must_use]
    pub fn meta_as_it_is(&self, slot: usize) -> Option<(RawMeta, u64)> {
        let meta = self.metas.get(slot)?;
        Some((meta.fields()?.into(), meta.checksum()?))
    }

    /// The meta page that opening the file goes by: of the valid ones that with the larger transaction id.
    #[must_use]
    pub fn newest(&self) -> Option<RawMeta> {
        self.newest_slot().and_then(|slot| self.meta(slot).ok())
    }

    /// In which of the two meta pages [`newest`](Self::newest) stands.
    #[must_use]
    pub fn newest_slot(&self) -> Option<usize> {
        match self.metas.each_ref().map(MetaBytes::judged) {
            [Ok(first), Ok(second)] => Some(usize::from(newer(&second, &first))),
            [Ok(_), Err(_)] => Some(0),
            [Err(_), Ok(_)] => Some(1),
            [Err(_), Err(_)] => None,
        }
    }

    /// The bytes of page `id` alone, without overflow.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file ends first; [`Error::Store`].
    pub fn bytes(&self, id: PageId) -> Result<Vec<u8>> {
        self.run(id, 1)
    }

    /// Page `id` with its overflow pages. The first two are meta pages whatever their header says.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its header is none, or the file ends first; [`Error::Store`].
    pub fn page(&self, id: PageId) -> Result<RawPage> {
        let mut bytes = self.bytes(id)?;
        let header = if id.get() < 2 {
            Header { id: id.get(), kind: Kind::Meta, count: 0, overflow: 0 }
        } else {
            Header::parse(&bytes).map_err(|Malformed(what)| Error::Corrupt { page: id, what })?
        };
        if header.overflow > 0 {
            bytes = self.run(id, u64::from(header.overflow) + 1)?;
        }
        Ok(RawPage { at: id, header, bytes })
    }

    /// Where page `id` starts in the file.
    pub(super) fn offset(&self, id: PageId, pages: u64) -> Result<u64> {
        let end = id.get().checked_add(pages).filter(|&end| end <= self.pages());
        let within = end.ok_or(Error::Corrupt { page: id, what: "page lies beyond the end of the file" })?;
        Ok((within - pages) * u64::from(self.page_size))
    }

    fn run(&self, id: PageId, pages: u64) -> Result<Vec<u8>> {
        let offset = self.offset(id, pages)?;
        let len = usize::try_from(pages * u64::from(self.page_size))
            .map_err(|_| Error::Corrupt { page: id, what: "page is larger than memory can hold" })?;
        let mut bytes = vec![0; len];
        self.store.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

fn can_be(page_size: u32) -> bool {
    page_size.is_power_of_two() && PAGE_SIZES_OPENED.contains(&page_size)
}

fn read_meta(store: &dyn PageStore, at: u64) -> Result<MetaBytes> {
    if at.saturating_add(META_BYTES as u64) > store.len() {
        return Ok(MetaBytes::MISSING);
    }
    let mut bytes = [0; META_BYTES];
    store.read_at(at, &mut bytes)?;
    Ok(MetaBytes::new(bytes))
}

/// The page size that the first meta page says, or a second one at the place where that size puts it; a valid one
/// before one with a wrong checksum.
fn find_page_size(store: &dyn PageStore, first: &MetaBytes) -> Result<u32> {
    if let Ok(meta) = first.judged() {
        return Ok(meta.page_size);
    }
    let mut suspect = damaged_size(first);
    let mut fault = telling(first);
    for size in (9..=24).map(|shift| 1u32 << shift) {
        let second = read_meta(store, size.into())?;
        if second.judged().is_ok_and(|meta| meta.page_size == size) {
            return Ok(size);
        }
        suspect = suspect.or_else(|| damaged_size(&second).filter(|&found| found == size));
        fault = fault.or_else(|| telling(&second));
    }
    let unknown =
        if store.len() < u64::from(*PAGE_SIZES_OPENED.start()) { Error::NotADatabase } else { Error::PageSizeUnknown };
    suspect.ok_or(fault.unwrap_or(unknown))
}

/// The error for a meta page that is one, of a kind that is not read here.
fn telling(meta: &MetaBytes) -> Option<Error> {
    match meta.judged() {
        Err(MetaFault::ByteSwapped) => Some(Error::ByteSwapped),
        Err(MetaFault::Version { found }) => Some(Error::VersionMismatch { found }),
        _ => None,
    }
}

/// The page size in a meta page whose checksum is wrong, if it can be one.
fn damaged_size(meta: &MetaBytes) -> Option<u32> {
    let damaged = meta.judged() == Err(MetaFault::Checksum);
    meta.fields().map(|Meta { page_size, .. }| page_size).filter(|&size| damaged && can_be(size))
}
