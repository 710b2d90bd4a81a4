//! The text form of keys, values and paths, as in `fixtures/README.md`, and of
//! the values that a program spells by length and seed.

use std::fmt::Write as _;

use crate::sha256::sha256;

/// Values up to this many bytes are printed whole.
const LONGEST_PLAIN_VALUE: usize = 1024;

/// Lower-case hex without a prefix.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A key or a name; "-" is the empty one.
pub(crate) fn hex_text(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".into() } else { hex(bytes) }
}

/// The bytes of [`hex_text`].
pub(crate) fn parse_hex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    let digits = text.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// A value; a long one by its length and SHA-256.
pub(crate) fn value_text(value: &[u8]) -> String {
    if value.len() > LONGEST_PLAIN_VALUE {
        format!("#{}:{}", value.len(), hex(&sha256(value)))
    } else {
        hex_text(value)
    }
}

/// The names of the buckets from the root, joined by "/".
pub(crate) fn path_text<N: AsRef<[u8]>>(path: &[N]) -> String {
    let names: Vec<String> = path.iter().map(|name| hex_text(name.as_ref())).collect();
    names.join("/")
}

/// One step of xorshift64* (Vigna 2016): the state moves on, the answer is the
/// output.
pub(crate) fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}

/// Zero is no state of [`xorshift`]; this stands for it.
pub(crate) const SEED_FOR_ZERO: u64 = 0x9E37_79B9_7F4A_7C15;

/// The bytes that `#len:seed` stands for: the generator's outputs as
/// little-endian words, cut to length. `expand` in `peers/text.go` is its twin.
pub(crate) fn expand(len: usize, seed: u64) -> Vec<u8> {
    let mut state = if seed == 0 { SEED_FOR_ZERO } else { seed };
    let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
    while bytes.len() < len {
        bytes.extend_from_slice(&xorshift(&mut state).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
