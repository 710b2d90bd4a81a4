//! The pairs that a call works on. A pair has a number; its key and its value are made from that, by every engine.

use std::ops::Range;

use benches::workload::{KEY_BYTES, Random, VALUE_BYTES, ascending_key, digest, key};

use crate::Result;

/// How keys are made from numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// In random order.
    Random,
    /// In the order of the numbers, and behind nearly all random ones.
    Ascending,
}

/// What pairs look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Their keys.
    pub keys: Keys,
    /// Bytes of a value.
    pub value_bytes: usize,
}

impl Shape {
    /// Random keys and the usual values.
    pub const USUAL: Self = Self { keys: Keys::Random, value_bytes: VALUE_BYTES };

    /// The key of a pair.
    #[must_use]
    pub fn key(self, number: u64) -> [u8; KEY_BYTES] {
        match self.keys {
            Keys::Random => key(number),
            Keys::Ascending => ascending_key(number),
        }
    }

    /// The digest of a pair's value.
    #[must_use]
    pub fn digest(self, number: u64) -> u64 {
        let mut value = vec![0; self.value_bytes];
        fill(number, &mut value);
        digest(&value)
    }
}

/// Writes the value of pair `number`. All of a usual value is random, so that no engine compresses it; of a longer one
/// that are eight bytes at each end, so that making it takes no time.
fn fill(number: u64, value: &mut [u8]) {
    let mut random = Random::new(!number);
    match value.len().checked_sub(8) {
        Some(last) if last > VALUE_BYTES => {
            random.fill(&mut value[..8]);
            random.fill(&mut value[last..]);
        }
        _ => random.fill(value),
    }
}

/// Some pairs.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'n> {
    /// Their numbers.
    pub numbers: &'n [u64],
    /// What they look like.
    pub shape: Shape,
}

impl<'n> Pairs<'n> {
    /// Their keys.
    pub fn keys(self) -> impl Iterator<Item = [u8; KEY_BYTES]> + 'n {
        self.numbers.iter().map(move |&number| self.shape.key(number))
    }

    /// Calls `put` with the key and the value of each.
    ///
    /// # Errors
    /// The first of `put`.
    pub fn each(self, mut put: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let mut value = vec![0; self.shape.value_bytes];
        self.numbers.iter().try_for_each(|&number| {
            fill(number, &mut value);
            put(&self.shape.key(number), &value)
        })
    }

    /// The sum of what `read` answers for the key of each.
    ///
    /// # Errors
    /// The first of `read`.
    pub fn sum(self, mut read: impl FnMut(&[u8]) -> Result<u64>) -> Result<u64> {
        self.keys().try_fold(0u64, |sum, key| Ok(sum.wrapping_add(read(&key)?)))
    }

    /// The sum of the digests of the values that `get` finds for the key of each.
    ///
    /// # Errors
    /// The first of `get`, and if it finds none.
    pub fn get<V: AsRef<[u8]>>(self, mut get: impl FnMut(&[u8]) -> Result<Option<V>>) -> Result<u64> {
        self.sum(|key| match get(key)? {
            Some(value) => Ok(digest(value.as_ref())),
            None => Err(format!("key {key:02x?} was put and is not there").into()),
        })
    }
}

/// The keys that `delete_range` deletes: half of the random ones.
#[must_use]
pub const fn range() -> Range<&'static [u8]> {
    &[0x40]..&[0xC0]
}

/// Whether `retain` keeps a key: half of them, all over the store.
#[must_use]
pub fn kept(key: &[u8]) -> bool {
    key.last().is_some_and(|&last| last < 0x80)
}

#[cfg(test)]
mod tests {
    use benches::workload::value;

    use super::*;

    #[test]
    fn values_differ_whatever_their_length() {
        for value_bytes in [8, 24, VALUE_BYTES, 3072, 4 * 65_536] {
            let shape = Shape { value_bytes, ..Shape::USUAL };
            assert_ne!(shape.digest(1), shape.digest(2), "{value_bytes} bytes");
        }
        assert_eq!(Shape::USUAL.digest(7), digest(&value(7)));
    }

    #[test]
    fn half_of_the_keys_are_deleted() {
        let keys: Vec<_> = (0..10_000).map(key).collect();
        for deleted in [
            keys.iter().filter(|key| range().contains(&&key[..])).count(),
            keys.iter().filter(|key| !kept(&key[..])).count(),
        ] {
            assert!(deleted.abs_diff(5000) < 300, "{deleted} of 10,000");
        }
    }
}
