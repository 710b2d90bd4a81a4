//! Small numbers, several in a word, compared all at once.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "the number of a lane and its bits are below 64, and a lane is cut out of its word"
)]

use std::sync::atomic::Ordering;

use super::super::sync::AtomicU64;

/// Words of numbers that take `BITS` bits each, of which the highest stays 0.
///
/// Comparing all of some sorted numbers takes fewer steps than a binary search among them. No step waits for the one before,
/// and none is guessed by the processor.
pub(super) struct Lanes<const BITS: u32>;

impl<const BITS: u32> Lanes<BITS> {
    /// The lowest bit of each lane.
    const ONES: u64 = u64::MAX / ((1 << BITS) - 1);
    /// The highest bit of each lane.
    const TOPS: u64 = Self::ONES << (BITS - 1);

    pub(super) const IN_WORD: usize = (u64::BITS / BITS) as usize;

    /// The greatest number. It fills the lanes behind the last number.
    const MAX: u64 = (1 << (BITS - 1)) - 1;

    /// How many of all lanes of `words` have less than `number`.
    #[inline]
    pub(super) fn less<const WORDS: usize>(words: &[AtomicU64; WORDS], number: u64) -> usize {
        let number = Self::in_each(number);
        let mut not_less = 0u64;
        for word in words {
            // With its highest bit set a lane borrows nothing from its neighbour, and keeps the bit if it is not less.
            let compared = (word.load(Ordering::Relaxed) | Self::TOPS).wrapping_sub(number);
            not_less = not_less.wrapping_add((compared & Self::TOPS) >> (BITS - 1));
        }
        WORDS.wrapping_mul(Self::IN_WORD).wrapping_sub(Self::sum(not_less))
    }

    /// The end of the lanes from `less` on that have `number`, none of them from `end` on.
    #[inline]
    pub(super) fn end_of_equals(words: &[AtomicU64], less: usize, end: usize, number: u64) -> usize {
        let mut next = less;
        while next < end && Self::get(words, next) == number {
            next = next.wrapping_add(1);
        }
        next
    }

    /// Lane `index`, or 0 behind the last word.
    #[inline]
    pub(super) fn get(words: &[AtomicU64], index: usize) -> u64 {
        let word = words.get(index / Self::IN_WORD).map_or(0, |word| word.load(Ordering::Relaxed));
        word >> Self::shift(index) & (u64::MAX >> (u64::BITS - BITS))
    }

    /// Puts `numbers` into the lanes of `words`, and the greatest number into the others; none if there is no room.
    pub(super) fn pack(words: &mut [u64], numbers: impl Iterator<Item = Option<u64>>) -> Option<()> {
        words.fill(Self::in_each(Self::MAX));
        for (index, number) in numbers.enumerate() {
            let word = words.get_mut(index / Self::IN_WORD)?;
            let mask = (u64::MAX >> (u64::BITS - BITS)) << Self::shift(index);
            *word = *word & !mask | number? << Self::shift(index) & mask;
        }
        Some(())
    }

    #[inline]
    const fn in_each(number: u64) -> u64 {
        number.wrapping_mul(Self::ONES)
    }

    #[inline]
    const fn sum(lanes: u64) -> usize {
        (lanes.wrapping_mul(Self::ONES) >> (u64::BITS - BITS)) as usize
    }

    #[inline]
    const fn shift(index: usize) -> u32 {
        (index % Self::IN_WORD) as u32 * BITS
    }
}
