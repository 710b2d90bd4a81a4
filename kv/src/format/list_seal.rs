//! The seal of a list of free pages: what a commit that writes the list says of it in its meta's extension.
//!
//! ```text
//! record of kind 1, version 1
//! 0 the list's first page u64 | 8 count of page numbers u64 | 16 checksum of the list's pages u64
//! ```
//! A list with a seal that fits is one that this library wrote with this meta, and nobody has changed since.

use super::Extension;
use super::bytes::u64_at;
use super::checksum::checksum;
use super::records::Record;

const KIND: u8 = 1;
const VERSION: u8 = 1;
const BYTES: usize = 24;

/// What a meta says of its list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ListSeal {
    page: u64,
    count: u64,
    checksum: u64,
}

impl ListSeal {
    /// The seal of the list of `count` page numbers whose pages begin with page `page` and are `list`. O(bytes).
    pub(crate) fn of(page: u64, count: u64, list: &[u8]) -> Self {
        Self { page, count, checksum: checksum(list) }
    }

    /// The seal in an extension. None if it has none, or a record that this library does not know: that may change what
    /// the list means.
    pub(crate) fn find(extension: &Extension) -> Option<Self> {
        let mut records = extension.records();
        let Record { kind, version, bytes } = records.next()?.ok()?;
        if (kind, version, bytes.len()) != (KIND, VERSION, BYTES) || records.next().is_some() {
            return None;
        }
        Some(Self { page: u64_at(bytes, 0)?, count: u64_at(bytes, 8)?, checksum: u64_at(bytes, 16)? })
    }

    /// The extension that has this seal.
    pub(crate) fn extension(&self) -> Extension {
        let mut bytes = [0; BYTES];
        let words = [self.page, self.count, self.checksum];
        for (field, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *field = word.to_le_bytes();
        }
        Extension::of_record(&Record { kind: KIND, version: VERSION, bytes: &bytes })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_seal_survives_its_extension() {
        let seal = ListSeal::of(6, 2, &[7; 1024]);
        assert_eq!(ListSeal::find(&seal.extension()), Some(seal));
        assert_eq!(ListSeal::find(&Extension::NONE), None);
    }

    #[test]
    fn a_record_of_another_kind_version_or_length_makes_it_absent() {
        let seal = ListSeal::of(6, 2, &[7; 1024]).extension();
        for at in 0..4 {
            let mut other = seal;
            other.0[at] ^= 4;
            assert_eq!(ListSeal::find(&other), None, "byte {at}");
        }
        let mut followed = seal;
        followed.0[4 + BYTES] = 2;
        assert_eq!(ListSeal::find(&followed), None, "a later record may change what the list means");
    }

    #[test]
    fn every_flipped_bit_of_a_list_and_every_two_words_swapped_break_its_seal() {
        let list: Vec<u8> = (0..=255).cycle().take(1024).collect();
        let seal = ListSeal::of(6, 126, &list);
        for bit in 0..8 * 1024 {
            let mut flipped = list.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(ListSeal::of(6, 126, &flipped), seal, "bit {bit}");
        }
        let mut swapped = list;
        let (one, two) = swapped.split_at_mut(512);
        one[..8].swap_with_slice(&mut two[8..16]);
        assert_ne!(ListSeal::of(6, 126, &swapped), seal);
    }
}
