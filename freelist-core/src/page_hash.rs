//! A fixed hash for page numbers: the same on every run and every target.

use core::hash::{BuildHasherDefault, Hasher};

/// A hash map with this hash. No map is walked, so nothing depends on the order of its entries.
pub(crate) type PageMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<PageHasher>>;

/// The hash of one number.
pub(crate) fn hash(number: u64) -> u64 {
    let mut hasher = PageHasher::default();
    hasher.write_u64(number);
    hasher.finish()
}

/// Multiplies to 128 bits and folds the halves, so that both ends of the result are well mixed.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct PageHasher(u64);

impl Hasher for PageHasher {
    fn write_u64(&mut self, number: u64) {
        // The fraction of the golden ratio, made odd.
        const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        let product = u128::from(self.0.rotate_left(29) ^ number ^ RATIO) * u128::from(RATIO);
        #[allow(clippy::cast_possible_truncation, reason = "the low half is wanted")]
        let low = product as u64;
        self.0 = low ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_byte_counts_at_its_place() {
        let hashed = |bytes: &[u8]| {
            let mut hasher = PageHasher::default();
            hasher.write(bytes);
            hasher.finish()
        };
        let distinct: BTreeSet<_> = [&b""[..], b"a", b"b", b"ab", b"ba"].map(hashed).into();
        assert_eq!(distinct.len(), 5);
    }

    /// A map takes the place of an entry from the low bits of its hash and a mark of it from the highest seven.
    /// That it finds an entry in O(1) rests on both.
    #[test]
    fn numbers_that_lie_evenly_are_spread_by_both_ends_of_the_hash() {
        const NUMBERS: u64 = 1024;
        for shift in 0..40 {
            let hashes: std::vec::Vec<_> = (0..NUMBERS).map(|number| hash(number << shift)).collect();
            let places: BTreeSet<_> = hashes.iter().map(|hash| hash % NUMBERS).collect();
            let marks: BTreeSet<_> = hashes.iter().map(|hash| hash >> 57).collect();
            // Of places thrown at random 647 would be there; a quarter is a chain of four for each.
            assert!(places.len() > 256, "{} places of numbers 2^{shift} apart", places.len());
            assert!(marks.len() > 100, "{} marks of numbers 2^{shift} apart", marks.len());
        }
    }
}
