//! Numbers that look random and are the same on every run.

/// Marsaglia's xorshift with 64 bits of state.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Random {
        // Zero would stay zero; the multiplication separates seeds that lie close together.
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        assert_ne!(self.0, 0, "xorshift would never leave zero again");
        self.0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_differ_and_each_bit_is_as_often_one_as_zero() {
        const COUNT: usize = 10_000;
        for seed in 0..3 {
            let mut random = Random::seeded(seed);
            let numbers: BTreeSet<u64> = std::iter::repeat_with(|| random.next()).take(COUNT).collect();
            assert_eq!(numbers.len(), COUNT, "seed {seed}");
            for bit in 0..64 {
                let ones = numbers.iter().filter(|number| *number >> bit & 1 == 1).count();
                assert!((4_700..5_300).contains(&ones), "seed {seed}: bit {bit} is one in {ones} of {COUNT}");
            }
        }
    }
}
