//! The pairs that every benchmark works on: 24-byte keys and 150-byte values, both random and both made from the
//! pair's number, so that nothing has to be remembered and everything can be verified.

/// Bytes of a key.
pub const KEY_BYTES: usize = 24;

/// Bytes of a value.
pub const VALUE_BYTES: usize = 150;

/// `SplitMix64`: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from 0 to `limit` - 1; 0 if there is none.
    pub const fn below(&mut self, limit: u64) -> u64 {
        ((self.next() as u128 * limit as u128) >> 64) as u64
    }

    /// `count` numbers from 0 to `limit` - 1.
    #[must_use]
    pub fn numbers(&mut self, count: usize, limit: u64) -> Vec<u64> {
        (0..count).map(|_| self.below(limit)).collect()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
    }
}

/// The key of pair `number`. Ascending numbers have keys in random order.
#[must_use]
pub fn key(number: u64) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    Random::new(number.wrapping_mul(0xD6E8_FEB8_6659_FD93)).fill(&mut key);
    key
}

/// A key that is greater than that of every smaller number, and than nearly all keys of pairs.
#[must_use]
pub fn ascending_key(number: u64) -> [u8; KEY_BYTES] {
    let mut key = [0xFF; KEY_BYTES];
    key[KEY_BYTES - 8..].copy_from_slice(&number.swap_bytes().to_le_bytes());
    key
}

/// The value of pair `number`.
#[must_use]
pub fn value(number: u64) -> [u8; VALUE_BYTES] {
    let mut value = [0; VALUE_BYTES];
    Random::new(!number).fill(&mut value);
    value
}

/// What a value adds to the checksum of what was read: its first and its last eight bytes, which lie on different cache
/// lines.
#[must_use]
pub fn digest(value: &[u8]) -> u64 {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    word(value.first_chunk()).wrapping_add(word(value.last_chunk()).rotate_left(32))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pairs_are_many_and_always_the_same() {
        let keys: BTreeSet<_> = (0..10_000).map(key).collect();
        let digests: BTreeSet<_> = (0..10_000).map(|number| digest(&value(number))).collect();
        assert_eq!((keys.len(), digests.len()), (10_000, 10_000));
        assert_eq!(key(7), key(7));
        assert!((0..100).any(|number| key(number) > key(number + 1)), "ascending numbers, ascending keys");
        assert!((0..1000).all(|number| ascending_key(number) < ascending_key(number + 1)));
    }

    #[test]
    fn every_number_below_the_limit_comes() {
        let seen: BTreeSet<_> = Random::new(1).numbers(1000, 10).into_iter().collect();
        assert_eq!(seen, (0..10).collect());
    }
}
