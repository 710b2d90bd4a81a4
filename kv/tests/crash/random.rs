//! Numbers that look random and are the same everywhere.

/// Marsaglia's xorshift64 (Journal of Statistical Software 8, 2003).
pub(crate) struct Random(u64);

impl Random {
    /// Its own sequence for each number of each seed.
    pub(crate) fn of(seed: u64, number: u64) -> Random {
        let mixed = (seed ^ number.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Random((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1)
    }

    /// From 0 up to `limit`, without it.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % limit.max(1) as u64).expect("less than a usize")
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of_these<T: Clone>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())].clone()
    }
}
