//! Which bits of its keys make a page's heads.
//!
//! The bits in which the keys of a page differ often lie apart: the keys `/pods/blue/web-17` and `/pods/blue/web-42` share
//! what surrounds the number, and each digit has four bits that say something. So the head of a key is made of *columns*: a
//! byte of the key and how many of its low bits. If whole bytes beside each other say the most, it is one run of bits.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "widths and shifts are below 64, and columns are cut out of their word"
)]

use std::sync::atomic::Ordering;

use super::frame::Shape;
use crate::format::head;
use crate::store::sync::AtomicU64;

/// Words of bytes behind the common prefix in which columns are looked for.
const SEARCHED: usize = 6;

/// A column in a word: eight bits for the byte's distance from the end of the prefix, four for the number of bits.
const COLUMN: u32 = 12;
const IN_WORD: usize = (u64::BITS / COLUMN) as usize;

/// The columns of the heads of `BITS` bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<const BITS: u32, const WORDS: usize> {
    /// Where the run begins, in bits, or what the columns count from, in bytes.
    pub(super) prefix: u16,
    pub(super) run: bool,
    pub(super) words: [u64; WORDS],
}

/// The head of `key` by the columns of a page with this shape.
#[inline]
pub(super) fn head_of<const BITS: u32>(shape: Shape, columns: &[AtomicU64], key: &[u8]) -> u64 {
    if shape.run {
        return head(key, shape.prefix.into()) >> (u64::BITS - BITS);
    }
    let words = columns.iter().map(|word| word.load(Ordering::Relaxed));
    by_columns::<BITS>(shape.prefix, words, key)
}

#[inline]
fn by_columns<const BITS: u32>(prefix: u16, words: impl Iterator<Item = u64>, key: &[u8]) -> u64 {
    let rest = key.get(usize::from(prefix)..).unwrap_or(&[]);
    let (mut head, mut bits) = (0u64, 0u32);
    for mut columns in words {
        while columns != 0 {
            let (width, at) = (columns as u32 & 0xF, (columns >> 4) as usize & 0xFF);
            columns >>= COLUMN;
            let byte = u64::from(rest.get(at).copied().unwrap_or(0));
            head = head << width | byte & ((1 << width) - 1);
            bits = bits.wrapping_add(width);
        }
    }
    head >> (bits.saturating_sub(BITS) & (u64::BITS - 1))
}

impl<const BITS: u32, const WORDS: usize> Columns<BITS, WORDS> {
    /// The columns for a page with these `keys`, which are in order. With `guess` there are other keys below the page that
    /// are like these. None if a key cannot be read, or if the prefix that all share is very long.
    pub(super) fn of<'a>(keys: impl Iterator<Item = Option<&'a [u8]>> + Clone, guess: bool) -> Option<Self> {
        let (first, last) = (keys.clone().next()??, keys.clone().last()??);
        let prefix = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let mut differing = [0; SEARCHED];
        for key in keys {
            for (word, at) in differing.iter_mut().zip((prefix.saturating_mul(8)..).step_by(64)) {
                *word |= head(first, at) ^ head(key?, at);
            }
        }
        Self::differing(prefix, differing, guess)
    }

    fn differing(prefix: usize, words: [u64; SEARCHED], guess: bool) -> Option<Self> {
        let bytes = words.iter().flat_map(|word| word.swap_bytes().to_le_bytes());
        let widths = bytes.zip(0u64..).map(|(byte, at)| (8u32.saturating_sub(byte.leading_zeros()), at));
        // Other keys differ in more bits: digits in four, letters in seven.
        let round =
            |width| if guess { [4, 7, 8].into_iter().find(|&most| width <= most).unwrap_or(width) } else { width };
        let (mut columns, mut bits, mut run, mut first) = ([0; WORDS], 0u32, true, None);
        for ((width, at), index) in widths.filter(|&(width, _)| width > 0).zip(0usize..) {
            let (width, word) = (round(width), columns.get_mut(index / IN_WORD));
            let (Some(word), true) = (word, bits < BITS) else { break };
            let (from, widest) = *first.get_or_insert((at, width));
            run &= at == from.saturating_add(index as u64) && (index == 0 || width == 8) && widest <= 8;
            *word |= (at << 4 | u64::from(width)) << (COLUMN * (index % IN_WORD) as u32);
            bits = bits.saturating_add(width);
        }
        let (from, width) = first.unwrap_or((0, 8));
        let run_at =
            prefix.saturating_add(from as usize).saturating_mul(8).saturating_add(8).saturating_sub(width as usize);
        let prefix = u16::try_from(if run { run_at } else { prefix }).ok()?;
        Some(Self { prefix, run, words: columns })
    }

    /// The head of `key`.
    pub(super) fn head(&self, key: &[u8]) -> u64 {
        if self.run {
            return head(key, self.prefix.into()) >> (u64::BITS - BITS);
        }
        by_columns::<BITS>(self.prefix, self.words.into_iter(), key)
    }

    /// The heads of these keys. None in place of one that is less than that before: a page that is out of order is searched
    /// as it is.
    pub(super) fn ascending<'a>(
        &self,
        keys: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> impl Iterator<Item = Option<u64>> {
        let mut before = 0;
        keys.map(move |key| {
            let head = self.head(key?);
            (head >= std::mem::replace(&mut before, head)).then_some(head)
        })
    }
}
