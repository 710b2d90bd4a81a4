//! Blocks of 512 bits, a cache line each.

/// How many numbers a block covers, as a power of two.
pub(crate) const BLOCK_SHIFT: u32 = 9;

/// The block in which `number` lies, and its bit there.
pub(crate) const fn locate(number: u64) -> (u64, usize) {
    (number >> BLOCK_SHIFT, (number & 511) as usize)
}

/// The number of a bit in a block.
pub(crate) const fn number_at(block: u64, bit: usize) -> u64 {
    debug_assert!(block <= u64::MAX >> BLOCK_SHIFT && bit < 512, "the number fits in 64 bits");
    (block << BLOCK_SHIFT) | bit as u64
}

/// A set of numbers below 512.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bits([u64; 8]);

impl Bits {
    pub(crate) fn contains(&self, bit: usize) -> bool {
        self.0[bit / 64] & mask(bit) != 0
    }

    pub(crate) fn insert(&mut self, bit: usize) {
        self.0[bit / 64] |= mask(bit);
    }

    pub(crate) fn remove(&mut self, bit: usize) {
        debug_assert!(self.contains(bit), "a bit that is cleared was set");
        self.0[bit / 64] &= !mask(bit);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    /// The lowest member from `bit` on.
    pub(crate) fn next(&self, bit: usize) -> Option<usize> {
        let first = bit / 64;
        let here = self.0[first] & from(bit);
        if here != 0 {
            return Some(first * 64 + lowest(here));
        }
        let after = self.0.iter().enumerate().skip(first + 1);
        let (index, word) = after.into_iter().find(|(_, word)| **word != 0)?;
        Some(index * 64 + lowest(*word))
    }

    /// The highest member up to and with `bit`.
    pub(crate) fn prev(&self, bit: usize) -> Option<usize> {
        let first = bit / 64;
        let here = self.0[first] & up_to(bit);
        if here != 0 {
            return Some(first * 64 + highest(here));
        }
        let before = self.0.iter().enumerate().take(first).rev();
        let (index, word) = before.into_iter().find(|(_, word)| **word != 0)?;
        Some(index * 64 + highest(*word))
    }
}

/// The bit's position in its word.
pub(crate) const fn mask(bit: usize) -> u64 {
    1 << (bit % 64)
}

/// The bit's position in its word and all above.
pub(crate) const fn from(bit: usize) -> u64 {
    u64::MAX << (bit % 64)
}

/// The bit's position in its word and all below.
pub(crate) const fn up_to(bit: usize) -> u64 {
    u64::MAX >> (63 - bit % 64)
}

/// The lowest bit of a word that is not 0.
pub(crate) const fn lowest(word: u64) -> usize {
    debug_assert!(word != 0, "the word has a bit");
    word.trailing_zeros() as usize
}

/// The highest bit of a word that is not 0.
pub(crate) const fn highest(word: u64) -> usize {
    debug_assert!(word != 0, "the word has a bit");
    63 - word.leading_zeros() as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn next_and_prev_agree_with_an_ordered_set() {
        let members = BTreeSet::from([0, 1, 63, 64, 130, 255, 256, 300, 448, 511]);
        for skipped in members.iter().copied().map(Some).chain([None]) {
            let mut bits = Bits::default();
            for bit in &members {
                bits.insert(*bit);
            }
            let mut model = members.clone();
            if let Some(bit) = skipped {
                bits.remove(bit);
                model.remove(&bit);
            }
            for bit in 0..512 {
                assert_eq!(bits.contains(bit), model.contains(&bit));
                assert_eq!(bits.next(bit), model.range(bit..).next().copied());
                assert_eq!(bits.prev(bit), model.range(..=bit).next_back().copied());
            }
            for bit in &model {
                bits.remove(*bit);
            }
            assert!(bits.is_empty());
        }
    }
}
