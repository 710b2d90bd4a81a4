//! The unit of the redo log: what one durable write brings.
//!
//! ```text
//! 0 epoch u64 | 8 position u64 | 16 length u64, of all that counts | 24 chain u64 | 32 checksum u64 | 40 records
//! ```
//! The chain is that of all units before in this epoch; that of the next unit is made of it and of this checksum, which is of
//! the bytes before it and of those from 40 to the length. What fills the last block up is zero and counts for nothing.

use super::bytes::{put, u64_at};
use super::{LogStart, checksum};

/// Bytes before the records.
pub(crate) const UNIT_HEAD: usize = 40;

const SUM_AT: usize = 32;

/// The head of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UnitHead {
    pub(crate) epoch: u64,
    /// Bytes written to the log in this epoch before this unit.
    pub(crate) position: u64,
    /// Bytes of the head and the records, a multiple of 8.
    pub(crate) len: u64,
    /// What it is chained to.
    pub(crate) chain: u64,
    sum: u64,
}

impl UnitHead {
    /// The head in these bytes, right or wrong. None if they end too early.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            epoch: u64_at(bytes, 0)?,
            position: u64_at(bytes, 8)?,
            len: u64_at(bytes, 16)?,
            chain: u64_at(bytes, 24)?,
            sum: u64_at(bytes, SUM_AT)?,
        })
    }

    /// Whether `unit` has the bytes that were written with this head.
    pub(crate) fn is_whole(&self, unit: &[u8]) -> bool {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        unit.get(..len).is_some_and(|unit| sum_of(unit) == Some(self.sum))
    }

    /// What the next unit is chained to.
    pub(crate) const fn next_chain(&self) -> u64 {
        linked(self.chain, self.sum)
    }
}

/// Fills in the head of `unit`, whose records are in their place, to come after everything before `start`. Returns what the
/// next unit is chained to.
pub(crate) fn seal_unit(unit: &mut [u8], start: LogStart) -> u64 {
    let len = unit.len() as u64;
    assert!(len >= UNIT_HEAD as u64 && len.is_multiple_of(8), "the records end with a word");
    let mut fits = put(unit, 0, &start.epoch.to_le_bytes());
    fits &= put(unit, 8, &start.position.to_le_bytes()) && put(unit, 16, &len.to_le_bytes());
    fits &= put(unit, 24, &start.chain.to_le_bytes());
    let sum = sum_of(unit).unwrap_or(0);
    fits &= put(unit, SUM_AT, &sum.to_le_bytes());
    assert!(fits, "a unit has a head");
    debug_assert!(UnitHead::parse(unit).is_some_and(|head| head.is_whole(unit)), "a unit is read as it was written");
    linked(start.chain, sum)
}

fn sum_of(unit: &[u8]) -> Option<u64> {
    let (head, records) = (unit.get(..SUM_AT)?, unit.get(UNIT_HEAD..)?);
    Some(linked(checksum(head), checksum(records)))
}

/// Two numbers made one, in their order.
const fn linked(before: u64, next: u64) -> u64 {
    let mixed = before.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ next;
    (mixed ^ (mixed >> 32)).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests {
    use super::*;

    const START: LogStart = LogStart { first_page: 8, pages: 8, epoch: 77, position: 4096, chain: 5 };

    fn unit() -> Vec<u8> {
        let mut unit = vec![3; UNIT_HEAD + 64];
        seal_unit(&mut unit, START);
        unit
    }

    #[test]
    fn every_flipped_bit_of_a_unit_is_noticed() {
        let head = UnitHead::parse(&unit()).unwrap();
        assert!(head.is_whole(&unit()) && head.chain == START.chain);
        for bit in 0..unit().len() * 8 {
            let mut flipped = unit();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let head = UnitHead::parse(&flipped).unwrap();
            let taken = (head.epoch, head.position) == (START.epoch, START.position)
                && head.is_whole(&flipped)
                && head.chain == START.chain;
            assert!(!taken, "bit {bit}");
        }
    }

    #[test]
    fn a_unit_that_is_cut_short_is_not_whole() {
        let unit = unit();
        let head = UnitHead::parse(&unit).unwrap();
        assert!((0..unit.len()).all(|len| !head.is_whole(&unit[..len])));
        assert_eq!(UnitHead::parse(&unit[..UNIT_HEAD - 1]), None);
    }
}
