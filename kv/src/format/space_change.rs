//! The changes of the free-space log: which pages became free, which came into use, and where the bits of a region went.
//!
//! ```text
//! varint: number * 8 + code | what the code says
//! code 0  page `number` is free          code 2  as 0, for so many pages:    | varint: pages
//! code 1  page `number` is in use        code 3  as 1, for so many pages:    | varint: pages
//! code 4  the bits of region `number` lie in another page, or in none:       | varint: page or 0 | checksum u64
//! ```
//! A varint is LEB128: seven bits to a byte, the lowest first, the top bit says that more follow. A change says all by
//! itself: changes are cut from one place and appended to another byte by byte.

use super::bytes::u64_at;
use super::{Malformed, PageSum};

/// A change of the free space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SpaceChange {
    /// `pages` pages from `first` on became free.
    Free { first: u64, pages: u64 },
    /// `pages` pages from `first` on came into use.
    Used { first: u64, pages: u64 },
    /// The bits of a region lie in this page now; in none where no page of the region is free.
    Moved { region: u64, to: Option<PageSum> },
}

/// The largest number that has room beside its code.
const NUMBER_MAX: u64 = u64::MAX >> CODE_BITS;
const CODE_BITS: u32 = 3;

const FREE: u64 = 0;
const USED: u64 = 1;
/// Added to the two before where the change is of more than one page.
const SPAN: u64 = 2;
const MOVED: u64 = 4;

impl SpaceChange {
    /// Most bytes that a change takes of pages, or regions, below `end`.
    pub(crate) fn bytes_max(end: u64) -> usize {
        let number = varint_len(end.min(NUMBER_MAX) << CODE_BITS);
        number.saturating_add(varint_len(end)).saturating_add(size_of::<u64>())
    }

    /// Appends the change to `bytes`.
    pub(crate) fn append(self, bytes: &mut Vec<u8>) {
        let (number, code, rest) = match self {
            Self::Free { first, pages } => (first, FREE, pages),
            Self::Used { first, pages } => (first, USED, pages),
            Self::Moved { region, to } => (region, MOVED, to.map_or(0, |to| to.page)),
        };
        debug_assert!(number <= NUMBER_MAX, "no file has so many pages");
        let many = code != MOVED && rest != 1;
        put_varint(bytes, (number << CODE_BITS) | code | if many { SPAN } else { 0 });
        if many || code == MOVED {
            put_varint(bytes, rest);
        }
        if let Self::Moved { to, .. } = self {
            bytes.extend_from_slice(&to.map_or(0, |to| to.checksum).to_le_bytes());
        }
    }
}

/// The changes in some bytes, in order. After a malformed one there are no others.
#[derive(Clone, Debug)]
pub(crate) struct SpaceChanges<'b>(pub(crate) &'b [u8]);

impl SpaceChanges<'_> {
    fn change(&mut self) -> Option<SpaceChange> {
        let word = self.varint()?;
        let (number, code) = (word >> CODE_BITS, word & ((1 << CODE_BITS) - 1));
        Some(match code {
            FREE => SpaceChange::Free { first: number, pages: 1 },
            USED => SpaceChange::Used { first: number, pages: 1 },
            _ if code == FREE | SPAN => SpaceChange::Free { first: number, pages: self.varint()? },
            _ if code == USED | SPAN => SpaceChange::Used { first: number, pages: self.varint()? },
            MOVED => {
                let (page, checksum) = (self.varint()?, u64_at(self.0, 0)?);
                self.0 = self.0.get(size_of::<u64>()..)?;
                SpaceChange::Moved { region: number, to: (page != 0).then_some(PageSum { page, checksum }) }
            }
            _ => return None,
        })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7F);
            // The last byte has room for one bit.
            if bits > u64::MAX >> shift {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for SpaceChanges<'_> {
    type Item = Result<SpaceChange, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let change = self.change().ok_or(Malformed("change of the free space cannot be read"));
        if change.is_err() {
            self.0 = &[];
        }
        Some(change)
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7F) as u8);
}

/// Bytes of a varint.
fn varint_len(value: u64) -> usize {
    u64::BITS.saturating_sub((value | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = u64> {
        (0..64_u32, any::<u64>()).prop_map(|(bits, number)| number & (u64::MAX >> bits) & NUMBER_MAX)
    }

    fn change() -> impl Strategy<Value = SpaceChange> {
        let moved = (number(), number(), any::<u64>()).prop_map(|(region, page, checksum)| SpaceChange::Moved {
            region,
            to: (page != 0).then_some(PageSum { page, checksum }),
        });
        prop_oneof![
            (number(), number()).prop_map(|(first, pages)| SpaceChange::Free { first, pages }),
            (number(), number()).prop_map(|(first, pages)| SpaceChange::Used { first, pages }),
            moved,
        ]
    }

    proptest! {
        #[test]
        fn changes_survive_their_bytes(changes in prop::collection::vec(change(), 0..40)) {
            let mut bytes = Vec::new();
            for change in &changes {
                let before = bytes.len();
                change.append(&mut bytes);
                prop_assert!(bytes.len() - before <= SpaceChange::bytes_max(NUMBER_MAX));
            }
            let read: Vec<_> = SpaceChanges(&bytes).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read, changes);
        }

        #[test]
        fn any_bytes_are_changes_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let read: Vec<_> = SpaceChanges(&bytes).collect();
            prop_assert!(read.iter().rev().skip(1).all(Result::is_ok), "nothing follows a malformed change");
        }
    }

    #[test]
    fn one_page_takes_a_varint_and_no_more() {
        for (first, len) in [(15, 1), (16, 2), (2047, 2), (2048, 3), (33_554_431, 4), (33_554_432, 5)] {
            let mut bytes = Vec::new();
            SpaceChange::Free { first, pages: 1 }.append(&mut bytes);
            assert_eq!((bytes.len(), varint_len(first << 3)), (len, len), "{first}");
        }
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_refused() {
        let mut bytes = [0xFF; 10];
        bytes[9] = 1;
        assert_eq!(SpaceChanges(&bytes).varint(), Some(u64::MAX));
        bytes[9] = 2;
        assert_eq!(SpaceChanges(&bytes).varint(), None);
        assert_eq!(SpaceChanges(&[0x80; 11]).varint(), None);
    }
}
