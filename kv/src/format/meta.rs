//! The meta page: which tree is the database, and up to where the file is used.
//!
//! ```text
//! 16 magic u32 | 20 version u32 | 24 page size u32 | 28 flags u32
//! 32 root page u64 | 40 root sequence u64 | 48 freelist page u64 | 56 high-water mark u64
//! 64 transaction id u64 | 72 FNV-1a 64 of the 56 bytes before | 80 to 512 the extension
//! ```
//! This room judges one meta at a time. `db/open.rs` chooses between the two.

use super::bytes::{put, u32_at, u64_at};
use super::{Extension, Header, Kind, PAGE_HEADER, set_header};

pub(super) const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// Bytes covered by the checksum: the body.
pub(super) const BODY: usize = 56;

/// Bytes in use in a meta page: header, body and checksum.
pub(crate) const META_BYTES: usize = PAGE_HEADER + BODY + 8;

/// The body of a meta page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta {
    pub(crate) page_size: u32,
    pub(crate) flags: u32,
    pub(crate) root: u64,
    pub(crate) root_sequence: u64,
    pub(crate) freelist: u64,
    /// The first page number that was never allocated.
    pub(crate) high_water: u64,
    pub(crate) tx: u64,
    /// What the sector carries after these fields.
    pub(crate) extension: Extension,
}

/// Why a meta page is not valid, in the order in which it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MetaError {
    /// The magic number is another: no database, or one whose first pages are lost.
    NotAMeta,
    /// The magic number is there, in the other byte order.
    ByteSwapped,
    Version(u32),
    Checksum,
    /// The checksum is right and the page size is not a power of two that this engine reads.
    PageSize(u32),
}

impl Meta {
    /// Reads a meta page from its first bytes: at least [`META_BYTES`], and the whole [`SECTOR`](super::SECTOR) where the
    /// extension is wanted.
    pub(crate) fn parse(page: &[u8]) -> Result<Self, MetaError> {
        let read32 = |at| u32_at(page, at).ok_or(MetaError::NotAMeta);
        let read64 = |at| u64_at(page, at).ok_or(MetaError::NotAMeta);
        match read32(16)? {
            MAGIC => {}
            magic if magic == MAGIC.swap_bytes() => return Err(MetaError::ByteSwapped),
            _ => return Err(MetaError::NotAMeta),
        }
        let version = read32(20)?;
        if version != VERSION {
            return Err(MetaError::Version(version));
        }
        let body = page.get(PAGE_HEADER..).and_then(|rest| rest.get(..BODY)).ok_or(MetaError::NotAMeta)?;
        if read64(72)? != fnv1a(body) {
            return Err(MetaError::Checksum);
        }
        let meta = Self::fields(page).ok_or(MetaError::NotAMeta)?;
        if !meta.page_size.is_power_of_two() || !super::PAGE_SIZES_OPENED.contains(&meta.page_size) {
            return Err(MetaError::PageSize(meta.page_size));
        }
        Ok(meta)
    }

    /// How many bytes to read of a meta page at byte `at` of a file of `len` bytes: a sector, less where the file ends in
    /// it, and 0 where it ends in the meta.
    pub(crate) fn readable(at: u64, len: u64) -> usize {
        let rest = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
        if rest < META_BYTES { 0 } else { rest.min(super::SECTOR) }
    }

    /// The fields of a meta page without a judgement, for examining damaged files. None if the bytes end too early.
    pub(crate) fn fields(page: &[u8]) -> Option<Self> {
        Some(Self {
            page_size: u32_at(page, 24)?,
            flags: u32_at(page, 28)?,
            root: u64_at(page, 32)?,
            root_sequence: u64_at(page, 40)?,
            freelist: u64_at(page, 48)?,
            high_water: u64_at(page, 56)?,
            tx: u64_at(page, 64)?,
            extension: Extension::parse(page),
        })
    }

    /// The checksum in a meta page, right or wrong.
    pub(crate) fn stored_checksum(page: &[u8]) -> Option<u64> {
        u64_at(page, 72)
    }

    /// Writes this meta as page `slot` (0 or 1) into the first sector of `page`, whose other bytes stay.
    pub(crate) fn write(&self, slot: u64, page: &mut [u8]) {
        set_header(page, Header { id: slot, kind: Kind::Meta, count: 0, overflow: 0 });
        let fields32 = [(16, MAGIC), (20, VERSION), (24, self.page_size), (28, self.flags)];
        let fields64 =
            [(32, self.root), (40, self.root_sequence), (48, self.freelist), (56, self.high_water), (64, self.tx)];
        let mut fits = true;
        for (at, value) in fields32 {
            fits &= put(page, at, &value.to_le_bytes());
        }
        for (at, value) in fields64 {
            fits &= put(page, at, &value.to_le_bytes());
        }
        let sum = page.get(PAGE_HEADER..).and_then(|rest| rest.get(..BODY)).map_or(0, fnv1a);
        fits &= put(page, 72, &sum.to_le_bytes());
        fits &= self.extension.write(page);
        assert!(fits, "a meta page is at least a sector long");
    }

    /// The page that the meta of its transaction is written to.
    pub(crate) const fn slot(&self) -> u64 {
        self.tx & 1
    }
}

/// FNV-1a, 64 bit: Fowler, Noll and Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub(super) fn fnv1a<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    const META: Meta = Meta {
        page_size: 4096,
        flags: 0,
        root: 3,
        root_sequence: 0,
        freelist: 2,
        high_water: 4,
        tx: 1,
        extension: Extension::NONE,
    };

    fn image() -> Vec<u8> {
        let mut page = vec![0; 4096];
        META.write(1, &mut page);
        page
    }

    #[test]
    fn a_meta_survives_its_bytes() {
        assert_eq!(Meta::parse(&image()), Ok(META));
        assert_eq!(META.slot(), 1);
    }

    #[test]
    fn fnv1a_gives_the_published_values() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_flipped_bit_of_the_body_is_noticed() {
        for bit in PAGE_HEADER * 8..META_BYTES * 8 {
            let mut page = image();
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(Meta::parse(&page).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_reason_comes_in_order() {
        let mut page = image();
        page[16..20].copy_from_slice(&MAGIC.swap_bytes().to_le_bytes());
        assert_eq!(Meta::parse(&page), Err(MetaError::ByteSwapped));
        assert_eq!(Meta::parse(&[0; 4096]), Err(MetaError::NotAMeta));
        assert_eq!(Meta::parse(&image()[..META_BYTES - 1]), Err(MetaError::NotAMeta));
        let mut page = image();
        page[20] = 3;
        assert_eq!(Meta::parse(&page), Err(MetaError::Version(3)));
        let mut page = image();
        page[72] ^= 1;
        assert_eq!(Meta::parse(&page), Err(MetaError::Checksum));
        let mut page = vec![0; 4096];
        Meta { page_size: 4095, ..META }.write(0, &mut page);
        assert_eq!(Meta::parse(&page), Err(MetaError::PageSize(4095)));
    }
}
