//! The 16-byte entries of a node's element table.
//!
//! ```text
//! leaf    0 flags u32 | 4 pos u32   | 8 ksize u32 | 12 vsize u32
//! branch  0 pos u32   | 4 ksize u32 | 8 child u64
//! ```
//! `pos` is the distance from the element's own first byte to its key; a leaf's value follows its key.

use super::PAGE_HEADER;

/// Bytes of one element.
pub(crate) const ELEMENT: usize = 16;

/// Where element `index` starts in its page.
#[inline]
pub(crate) const fn element_at(index: usize) -> usize {
    PAGE_HEADER.saturating_add(index.saturating_mul(ELEMENT))
}

/// The element's 16 bytes, copied out in one load.
#[inline]
pub(super) fn element(bytes: &[u8], index: usize) -> Option<[u8; ELEMENT]> {
    bytes.get(element_at(index)..)?.first_chunk().copied()
}

/// Reads one word of every cache line of an element table of `count` entries, all at once.
///
/// A binary search touches the table in an order that depends on what it has read, so each miss waits for
/// the one before; these loads do not depend on each other, so the memory system overlaps them.
#[inline]
pub(super) fn touch_table(bytes: &[u8], count: usize) {
    const LINE: usize = 64;
    let end = element_at(count).min(bytes.len());
    let Some(table) = bytes.get(..end) else { return };
    let mut seen = 0u8;
    for line in table.chunks(LINE) {
        seen ^= line.first().copied().unwrap_or(0);
    }
    std::hint::black_box(seen);
}

/// The index of `key` among the sorted keys of `range`: `Ok` where it is, `Err` where it would go.
#[inline]
pub(super) fn binary_search<'a, E>(
    range: std::ops::Range<usize>,
    key: &[u8],
    key_at: impl Fn(usize) -> Result<&'a [u8], E>,
) -> Result<Result<usize, usize>, E> {
    let (mut low, mut high, prefix) = (range.start, range.end, prefix(key));
    while low < high {
        let middle = low.midpoint(high);
        match order(key_at(middle)?, key, prefix) {
            std::cmp::Ordering::Equal => return Ok(Ok(middle)),
            std::cmp::Ordering::Less => low = middle.saturating_add(1),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(Err(low))
}

/// The first eight bytes as a number that orders as they do: the first byte counts most.
#[inline]
fn prefix(key: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*key.first_chunk()?).swap_bytes())
}

/// At least 57 bits of `key` from bit `at` on, as the highest bits of a number that orders as they do. What lies behind the
/// key's end counts as zeros: a key that goes on with zeros has the same head.
#[inline]
pub(crate) fn head(key: &[u8], at: usize) -> u64 {
    let start = at / 8;
    let word = match key.get(start..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => u64::from_le_bytes(*bytes).swap_bytes(),
        None => last_word(key, start),
    };
    word << (at % 8)
}

/// The bytes from `start` on, of which there are fewer than eight, and zeros behind them.
#[inline]
fn last_word(key: &[u8], start: usize) -> u64 {
    let rest = key.get(start..).unwrap_or(&[]);
    if rest.is_empty() {
        return 0;
    }
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(rest).for_each(|(byte, &of_key)| *byte = of_key);
    u64::from_le_bytes(bytes).swap_bytes()
}

/// How `found` compares to `key`, whose prefix is known: most keys differ within it, and that takes no call to compare
/// memory.
#[inline]
fn order(found: &[u8], key: &[u8], key_prefix: Option<u64>) -> std::cmp::Ordering {
    match (prefix(found), key_prefix) {
        (Some(found), Some(key)) if found != key => found.cmp(&key),
        _ => found.cmp(key),
    }
}
