//! What a meta page may carry after its 64 bytes, to the end of the 512-byte sector.
//!
//! ```text
//! 80 FNV-1a 64 of the meta's 56 bytes and of the 424 bytes that follow u64 | 88 the bytes, to 512
//! ```
//! bbolt writes zeros there and ignores what it finds. The checksum binds the bytes to one meta body: after another
//! engine has written a meta they are gone or no longer match, and count as absent.

use super::bytes::{put, u64_at};
use super::meta::{BODY, META_BYTES, fnv1a};
use super::{PAGE_HEADER, SECTOR};

const BYTES_AT: usize = META_BYTES + 8;

/// The checksum of no extension. One in 2^64 extensions has it by chance, and is then absent.
const ABSENT: u64 = 0;

/// Bytes that an extension has room for.
pub(crate) const EXTENSION_BYTES: usize = SECTOR - BYTES_AT;

/// The bytes after a meta. What the [records](super::records) in them say is not looked at here. All zeros where there is
/// no extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extension(pub(super) [u8; EXTENSION_BYTES]);

impl Extension {
    /// No extension: what bbolt writes.
    pub(crate) const NONE: Self = Self([0; EXTENSION_BYTES]);

    /// The extension of the meta in `page`; none where the sector does not end in `page`, or the checksum is wrong.
    pub(super) fn parse(page: &[u8]) -> Self {
        // Nearly every meta has none, and hashing its zeros would take longer than the rest of the meta.
        let Some(sum) = u64_at(page, META_BYTES).filter(|&sum| sum != ABSENT) else { return Self::NONE };
        let bytes = || page.get(BYTES_AT..SECTOR)?.try_into().ok();
        match bytes() {
            Some(bytes) if Self(bytes).checksum(page) == Some(sum) => Self(bytes),
            _ => Self::NONE,
        }
    }

    /// Writes it after the meta in `page`, zeros where it is none; whether it fits.
    pub(super) fn write(&self, page: &mut [u8]) -> bool {
        let sum = if *self == Self::NONE { Some(ABSENT) } else { self.checksum(page) };
        sum.is_some_and(|sum| put(page, META_BYTES, &sum.to_le_bytes())) && put(page, BYTES_AT, &self.0)
    }

    /// Of the meta's body in `page`, and of these bytes.
    fn checksum(&self, page: &[u8]) -> Option<u64> {
        let body = page.get(PAGE_HEADER..)?.get(..BODY)?;
        Some(fnv1a(body.iter().chain(&self.0)))
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests {
    use super::super::Meta;
    use super::*;

    fn meta(extension: &Extension) -> Meta {
        let extension = *extension;
        Meta { page_size: 4096, flags: 0, root: 3, root_sequence: 0, freelist: 2, high_water: 4, tx: 1, extension }
    }

    #[test]
    fn an_extension_survives_with_its_meta() {
        let mut bytes = [7; EXTENSION_BYTES];
        bytes[EXTENSION_BYTES - 1] = 9;
        for extension in [Extension::NONE, Extension(bytes)] {
            let mut page = vec![0xEE; 4096];
            meta(&extension).write(1, &mut page);
            assert_eq!(Meta::parse(&page), Ok(meta(&extension)));
            assert_eq!(page[SECTOR], 0xEE, "nothing is written after the sector");
        }
    }

    #[test]
    fn without_an_extension_the_sector_is_as_bbolt_writes_it() {
        let mut page = vec![0xEE; 4096];
        meta(&Extension::NONE).write(1, &mut page);
        assert!(page[META_BYTES..SECTOR].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn every_flipped_bit_makes_it_absent_and_the_meta_stays_valid() {
        let mut page = vec![0; 4096];
        meta(&Extension([5; EXTENSION_BYTES])).write(1, &mut page);
        for bit in META_BYTES * 8..SECTOR * 8 {
            let mut flipped = page.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Meta::parse(&flipped), Ok(meta(&Extension::NONE)), "bit {bit}");
        }
    }

    #[test]
    fn another_meta_over_it_makes_it_absent() {
        let mut page = vec![0; 4096];
        meta(&Extension([5; EXTENSION_BYTES])).write(1, &mut page);
        let after = page[META_BYTES..SECTOR].to_vec();
        Meta { tx: 3, ..meta(&Extension::NONE) }.write(1, &mut page);
        page[META_BYTES..SECTOR].copy_from_slice(&after);
        assert_eq!(Meta::parse(&page), Ok(Meta { tx: 3, ..meta(&Extension::NONE) }));
        assert_eq!(Meta::parse(&page[..SECTOR - 1]), Ok(Meta { tx: 3, ..meta(&Extension::NONE) }), "cut short");
    }
}
