//! The free-space log: its pages, and the record of a meta's extension that names them.
//!
//! ```text
//! record of kind 2, version 1
//!     0 index, page u64 | 8 its checksum u64 | 16 newest log page u64 | 24 its checksum u64 | 32 log pages u64
//!    40 changes, newer than those in the log pages, to the record's end
//! region page  16 a bit for each page of the region, the lowest first, to the page's end: 1 is free
//! index        16 for each region: page u64 | checksum u64;  to the end of its last page; zeros: nothing is free
//! log page     16 log page before u64 | 24 its checksum u64 | 32 bytes of changes u64 | 40 so many bytes
//! ```
//! A page number of 0 is none. A checksum is over the whole page, or pages.

use super::bytes::{put, u64_at};
use super::extension::EXTENSION_BYTES;
use super::records::{HEAD, Record};
use super::{Extension, Header, Kind, Malformed, PAGE_HEADER, checksum, set_header};

const KIND: u8 = 2;
const VERSION: u8 = 1;

const CHANGES_IN_RECORD: usize = 40;
const CHANGES_IN_PAGE: usize = 40;

/// Bytes of a region's entry in the index.
const ENTRY: usize = 16;

/// Which part of the log a page is, in its header's count. Only for people: what names a page knows what it is.
const REGION: u16 = 1;
const INDEX: u16 = 2;
const LOG: u16 = 3;

/// A page, or a run of them, and what its bytes must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageSum {
    pub(crate) page: u64,
    pub(crate) checksum: u64,
}

impl PageSum {
    /// Page `page`, whose bytes, overflow included, are `image`.
    pub(crate) fn of(page: u64, image: &[u8]) -> Self {
        Self { page, checksum: checksum(image) }
    }

    /// The two words at `at`; none where they are not there, too.
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let (page, checksum) = (u64_at(bytes, at)?, u64_at(bytes, at.checked_add(8)?)?);
        (page != 0).then_some(Self { page, checksum })
    }

    fn words(this: Option<Self>) -> [u64; 2] {
        this.map_or([0, 0], |this| [this.page, this.checksum])
    }
}

/// What a meta says of its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogRoot<'e> {
    pub(crate) index: Option<PageSum>,
    pub(crate) newest: Option<PageSum>,
    /// How many log pages there are: the newest, the one that it names, and so on.
    pub(crate) pages: u64,
    pub(crate) changes: &'e [u8],
}

impl<'e> LogRoot<'e> {
    /// Bytes that a meta has room for, of changes.
    pub(crate) const ROOM: usize = EXTENSION_BYTES.saturating_sub(HEAD).saturating_sub(CHANGES_IN_RECORD);

    /// The record in an extension. None if it has none, or a record that this library does not know: that may change what
    /// the log means.
    pub(crate) fn find(extension: &'e Extension) -> Option<Self> {
        let mut records = extension.records();
        let Record { kind, version, bytes } = records.next()?.ok()?;
        if (kind, version) != (KIND, VERSION) || records.next().is_some() {
            return None;
        }
        Some(Self {
            index: PageSum::at(bytes, 0),
            newest: PageSum::at(bytes, 16),
            pages: u64_at(bytes, 32)?,
            changes: bytes.get(CHANGES_IN_RECORD..)?,
        })
    }

    /// The extension with this record.
    pub(crate) fn extension(&self) -> Extension {
        let mut bytes = [0; EXTENSION_BYTES];
        let ([index, index_sum], [newest, newest_sum]) = (PageSum::words(self.index), PageSum::words(self.newest));
        for (field, word) in bytes.as_chunks_mut().0.iter_mut().zip([index, index_sum, newest, newest_sum, self.pages])
        {
            *field = u64::to_le_bytes(word);
        }
        let fits = put(&mut bytes, CHANGES_IN_RECORD, self.changes);
        debug_assert!(fits, "a meta has room for the changes");
        let bytes = bytes.get(..CHANGES_IN_RECORD.saturating_add(self.changes.len())).unwrap_or_default();
        Extension::of_record(&Record { kind: KIND, version: VERSION, bytes })
    }
}

/// A page with a bit for each page of a region of the file.
#[derive(Debug)]
pub(crate) struct RegionPage;

impl RegionPage {
    /// How many pages of the file have their bits in one page.
    pub(crate) const fn pages(page_size: u32) -> u64 {
        (page_size as u64).saturating_sub(PAGE_HEADER as u64).saturating_mul(8)
    }

    /// The bits of a region page's bytes.
    pub(crate) fn bits(image: &[u8]) -> &[u8] {
        image.get(PAGE_HEADER..).unwrap_or_default()
    }

    /// The bits in words of 64, the lowest first.
    pub(crate) fn words(image: &[u8]) -> impl Iterator<Item = u64> {
        Self::bits(image).as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))
    }

    /// As [`bits`](Self::bits), to be changed.
    pub(crate) fn bits_mut(image: &mut [u8]) -> &mut [u8] {
        image.get_mut(PAGE_HEADER..).unwrap_or_default()
    }

    /// Makes `image` page `page`.
    pub(crate) fn seal(image: &mut [u8], page: u64) {
        set_header(image, Header { id: page, kind: Kind::SpaceLog, count: REGION, overflow: 0 });
    }
}

/// Where the bits of the regions lie.
#[derive(Debug)]
pub(crate) struct RegionIndex;

impl RegionIndex {
    /// How many pages an index of `regions` regions takes.
    pub(crate) fn pages(regions: u64, page_size: u32) -> u64 {
        regions.saturating_mul(ENTRY as u64).saturating_add(PAGE_HEADER as u64).div_ceil(page_size.into())
    }

    /// The bytes of an index that begins at `page` and is `len` bytes long. Regions that it has no room for have no page.
    pub(crate) fn image(
        page: u64,
        overflow: u32,
        len: usize,
        regions: impl Iterator<Item = Option<PageSum>>,
    ) -> Vec<u8> {
        let mut image = vec![0; len];
        set_header(&mut image, Header { id: page, kind: Kind::SpaceLog, count: INDEX, overflow });
        let entries = image.get_mut(PAGE_HEADER..).unwrap_or_default().as_chunks_mut::<ENTRY>().0;
        for (entry, region) in entries.iter_mut().zip(regions) {
            for (field, word) in entry.as_chunks_mut().0.iter_mut().zip(PageSum::words(region)) {
                *field = u64::to_le_bytes(word);
            }
        }
        image
    }

    /// The entries of an index's bytes.
    pub(crate) fn entries(image: &[u8]) -> impl Iterator<Item = Option<PageSum>> {
        let entries = image.get(PAGE_HEADER..).unwrap_or_default().as_chunks::<ENTRY>().0;
        entries.iter().map(|entry| PageSum::at(entry, 0))
    }
}

/// A page of changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPage<'b> {
    pub(crate) before: Option<PageSum>,
    pub(crate) changes: &'b [u8],
}

impl<'b> LogPage<'b> {
    /// Bytes that a page has room for, of changes.
    pub(crate) const fn room(page_size: u32) -> usize {
        (page_size as usize).saturating_sub(CHANGES_IN_PAGE)
    }

    pub(crate) fn parse(image: &'b [u8]) -> Result<Self, Malformed> {
        let fields = || {
            let len = usize::try_from(u64_at(image, 32)?).ok()?;
            Some(Self { before: PageSum::at(image, 16), changes: image.get(CHANGES_IN_PAGE..)?.get(..len)? })
        };
        fields().ok_or(Malformed("log page is longer than its page"))
    }

    /// The bytes of page `page`.
    pub(crate) fn image(&self, page: u64, page_size: u32) -> Vec<u8> {
        let mut image = vec![0; page_size as usize];
        set_header(&mut image, Header { id: page, kind: Kind::SpaceLog, count: LOG, overflow: 0 });
        let [before, sum] = PageSum::words(self.before);
        let mut fits = true;
        for (at, word) in [(16, before), (24, sum), (32, self.changes.len() as u64)] {
            fits &= put(&mut image, at, &word.to_le_bytes());
        }
        fits &= put(&mut image, CHANGES_IN_PAGE, self.changes);
        debug_assert!(fits, "a log page has room for its changes");
        image
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    const SUM: PageSum = PageSum { page: 9, checksum: 77 };

    #[test]
    fn a_root_survives_its_extension() {
        let changes = [5; LogRoot::ROOM];
        for root in [
            LogRoot { index: None, newest: None, pages: 0, changes: &[] },
            LogRoot { index: Some(SUM), newest: Some(PageSum { page: 4, checksum: 0 }), pages: 3, changes: &changes },
        ] {
            assert_eq!(LogRoot::find(&root.extension()), Some(root));
        }
        assert_eq!(LogRoot::find(&Extension::NONE), None);
    }

    #[test]
    fn a_record_of_another_kind_or_version_or_too_short_makes_it_absent() {
        let root = LogRoot { index: Some(SUM), newest: None, pages: 0, changes: &[1, 2] }.extension();
        for (at, byte) in [(0, 3), (1, 2), (2, 39)] {
            let mut other = root;
            other.0[at] = byte;
            assert_eq!(LogRoot::find(&other), None, "byte {at}");
        }
        let mut followed = root;
        followed.0[HEAD + CHANGES_IN_RECORD + 2] = 7;
        assert_eq!(LogRoot::find(&followed), None, "a later record may change what the log means");
    }

    #[test]
    fn pages_survive_their_bytes() {
        let changes = [3; 984];
        assert_eq!(changes.len(), LogPage::room(1024));
        let page = LogPage { before: Some(SUM), changes: &changes };
        let image = page.image(6, 1024);
        let read = LogPage::parse(&image).unwrap();
        assert_eq!((read.before, read.changes), (page.before, page.changes));
        assert!(LogPage::parse(&image[..1023]).is_err());

        let regions = [None, Some(SUM), None];
        let image = RegionIndex::image(7, 0, 1024, regions.into_iter());
        assert!(RegionIndex::entries(&image).eq(regions.into_iter().chain([None; 60])));
        assert_eq!((RegionIndex::pages(63, 1024), RegionIndex::pages(64, 1024)), (1, 2));
    }
}
