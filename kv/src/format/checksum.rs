//! The checksum of pages that the extension of a meta answers for.

/// FNV-1a over words of eight bytes, with a fold after each step: bytes would take eight times as long, and the fold lets
/// the high bits of a word reach the low ones. Each step is a bijection of the sum and of the word, so no change within
/// one word goes unnoticed. Bytes after the last word do not count: pages have none.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(0xcbf2_9ce4_8422_2325, |sum: u64, word| {
        let sum = (sum ^ word).wrapping_mul(0x0100_0000_01b3);
        sum ^ (sum >> 32)
    })
}
