//! The marked meta: what both meta pages are while the file has a redo log that may hold commits.
//!
//! ```text
//! 16 magic u32 | 20 version u32, which bbolt refuses | 24 page size u32 | 28 flags u32
//! 32 root page u64 | 40 root sequence u64 | 48 the no-freelist mark u64 | 56 high-water mark u64 | 64 transaction id u64
//! 72 first page of the log u64 | 80 pages of the log u64 | 88 epoch u64 | 96 position u64 | 104 chain u64
//! 112 zeros | 504 checksum of the 504 bytes before
//! ```
//! Its state is a checkpoint. Commits after it are in the log from `position` on.

use super::bytes::{put, u32_at, u64_at};
use super::meta::MAGIC;
use super::{Extension, Header, Kind, Meta, NO_FREELIST, PAGE_SIZES_OPENED, SECTOR, checksum, set_header};

/// The version number of a marked meta. No version of bbolt has it.
pub(crate) const MARKED_VERSION: u32 = 0x4B56_0002;

const SUM_AT: usize = SECTOR - 8;

/// Where a log lies, and where the records after a checkpoint begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogStart {
    pub(crate) first_page: u64,
    pub(crate) pages: u64,
    /// The life of the file that the records are of.
    pub(crate) epoch: u64,
    /// Bytes written to the log in this epoch before the checkpoint.
    pub(crate) position: u64,
    /// What the first unit after the checkpoint is chained to.
    pub(crate) chain: u64,
}

/// A meta page of a file with a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MarkedMeta {
    pub(crate) meta: Meta,
    pub(crate) log: LogStart,
}

impl MarkedMeta {
    /// The marked meta in these bytes of a page; none if they are not one, or one of its bits is another.
    pub(crate) fn parse(sector: &[u8]) -> Option<Self> {
        let (fields, sum) = (sector.get(..SUM_AT)?, u64_at(sector, SUM_AT)?);
        let version = (u32_at(sector, 16)?, u32_at(sector, 20)?);
        if version != (MAGIC, MARKED_VERSION) || sum != checksum(fields) {
            return None;
        }
        let meta = Meta { extension: Extension::NONE, ..Meta::fields(sector)? };
        let log = LogStart {
            first_page: u64_at(sector, 72)?,
            pages: u64_at(sector, 80)?,
            epoch: u64_at(sector, 88)?,
            position: u64_at(sector, 96)?,
            chain: u64_at(sector, 104)?,
        };
        let inside = log.first_page >= 2
            && log.pages > 0
            && log.first_page.checked_add(log.pages).is_some_and(|end| end <= meta.high_water);
        let sized = meta.page_size.is_power_of_two() && PAGE_SIZES_OPENED.contains(&meta.page_size);
        (inside && sized && meta.freelist == NO_FREELIST).then_some(Self { meta, log })
    }

    /// Writes it as page `slot` (0 or 1) into the first sector of `page`, whose other bytes stay.
    pub(crate) fn write(&self, slot: u64, page: &mut [u8]) {
        let Self { meta, log } = self;
        assert_eq!(meta.freelist, NO_FREELIST, "a checkpoint names no list of free pages");
        let mut fits = put(page, 0, &[0; SECTOR]);
        set_header(page, Header { id: slot, kind: Kind::Meta, count: 0, overflow: 0 });
        for (at, value) in [(16, MAGIC), (20, MARKED_VERSION), (24, meta.page_size), (28, meta.flags)] {
            fits &= put(page, at, &value.to_le_bytes());
        }
        let state = [meta.root, meta.root_sequence, meta.freelist, meta.high_water, meta.tx];
        let start = [log.first_page, log.pages, log.epoch, log.position, log.chain];
        for (at, value) in (32..).step_by(8).zip(state.into_iter().chain(start)) {
            fits &= put(page, at, &value.to_le_bytes());
        }
        let sum = page.get(..SUM_AT).map_or(0, checksum);
        fits &= put(page, SUM_AT, &sum.to_le_bytes());
        assert!(fits, "a meta page is at least a sector long");
        debug_assert_eq!(Self::parse(page).as_ref(), Some(self), "a marked meta is read as it was written");
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests {
    use super::super::MetaError;
    use super::*;

    fn image() -> Vec<u8> {
        let meta = Meta {
            page_size: 4096,
            flags: 0,
            root: 3,
            root_sequence: 5,
            freelist: NO_FREELIST,
            high_water: 40,
            tx: 12,
            extension: Extension::NONE,
        };
        let log = LogStart { first_page: 8, pages: 32, epoch: 7, position: 4096, chain: 9 };
        let mut page = vec![0xEE; 4096];
        MarkedMeta { meta, log }.write(1, &mut page);
        page
    }

    #[test]
    fn a_marked_meta_is_no_meta_to_whoever_knows_the_plain_one() {
        assert!(MarkedMeta::parse(&image()).is_some());
        assert_eq!(Meta::parse(&image()), Err(MetaError::Version(MARKED_VERSION)));
        assert_eq!(image()[SECTOR], 0xEE, "nothing is written after the sector");
    }

    #[test]
    fn every_flipped_bit_of_the_sector_is_noticed() {
        for bit in 0..SECTOR * 8 {
            let mut page = image();
            page[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(MarkedMeta::parse(&page), None, "bit {bit}");
        }
        assert_eq!(MarkedMeta::parse(&image()[..SECTOR - 1]), None, "cut short");
    }
}
