//! The random generator of all tests and benchmarks.

/// Random numbers from a seed, the same on every target: `SplitMix64` (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", OOPSLA 2014).
///
/// ```
/// use kv_testkit::Random;
///
/// let mut random = Random::new(7);
/// assert!(random.below(10) < 10);
/// assert_eq!(Random::new(7).next_u64(), Random::new(7).next_u64());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Sequence `number` of those that belong to `seed`.
    #[must_use]
    pub const fn of(seed: u64, number: u64) -> Self {
        let mut numbers = Self(number);
        Self(seed ^ numbers.next_u64())
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from 0 to `limit` - 1; 0 if there is none.
    pub const fn below_u64(&mut self, limit: u64) -> u64 {
        ((self.next_u64() as u128 * limit as u128) >> 64) as u64
    }

    /// A number from 0 to `limit` - 1; 0 if there is none.
    #[allow(clippy::cast_possible_truncation, reason = "it is less than a usize")]
    pub const fn below(&mut self, limit: usize) -> usize {
        self.below_u64(limit as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub const fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True once in `times`.
    pub const fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, these: &'a [T]) -> &'a T {
        &these[self.below(these.len())]
    }

    /// `len` bytes.
    #[must_use]
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes);
        bytes
    }

    /// Replaces every byte.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.next_u64().to_le_bytes()[..piece.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        let mut random = Random::new(1_234_567);
        let numbers = [(); 3].map(|()| random.next_u64());
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_number_below_the_limit_comes() {
        let mut random = Random::new(1);
        let seen: BTreeSet<_> = (0..1000).map(|_| random.below(10)).collect();
        assert_eq!(seen, (0..10).collect());
        let seen: BTreeSet<_> = (0..1000).map(|_| random.within(3, 5)).collect();
        assert_eq!(seen, (3..=5).collect());
        assert_eq!((random.below(0), random.below(1)), (0, 0));
    }

    #[test]
    fn neighbouring_sequences_have_nothing_in_common() {
        let first: BTreeSet<_> = (0..100).map(|number| Random::of(1, number).next_u64()).collect();
        let second: BTreeSet<_> = (0..100).map(|number| Random::of(2, number).next_u64()).collect();
        assert_eq!(first.union(&second).count(), 200);
    }
}
