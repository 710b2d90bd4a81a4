//! The pairs that every benchmark works on: 24-byte keys and 150-byte values, both random and both made from the
//! pair's number, so that nothing has to be remembered and everything can be verified.

/// Bytes of a key.
pub const KEY_BYTES: usize = 24;

/// Bytes of a value.
pub const VALUE_BYTES: usize = 150;

pub use kv_testkit::Random;

/// `count` numbers from 0 to `limit` - 1.
#[must_use]
pub fn numbers(random: &mut Random, count: usize, limit: u64) -> Vec<u64> {
    (0..count).map(|_| random.below_u64(limit)).collect()
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
}
