//! The text form of keys, values and paths, as in `kv/tests/fixtures/README.md`, and the values that a program spells by
//! length and seed.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Values up to this many bytes are printed whole.
const LONGEST_PLAIN_VALUE: usize = 1024;

/// Lower-case hex without a prefix.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A key or a name; "-" is the empty one.
#[must_use]
pub fn hex_text(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".into() } else { hex(bytes) }
}

/// The bytes of [`hex_text`].
///
/// # Panics
/// If the text is not hex.
#[must_use]
pub fn parse_hex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    let digits = text.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// A value; a long one by its length and SHA-256.
#[must_use]
pub fn value_text(value: &[u8]) -> String {
    if value.len() > LONGEST_PLAIN_VALUE {
        format!("#{}:{}", value.len(), hex(&Sha256::digest(value)))
    } else {
        hex_text(value)
    }
}

/// The names of the buckets from the root, joined by "/".
#[must_use]
pub fn path_text<N: AsRef<[u8]>>(path: &[N]) -> String {
    let names: Vec<String> = path.iter().map(|name| hex_text(name.as_ref())).collect();
    names.join("/")
}

/// Zero is no state of the generator in [`expand`]; this takes its place.
const SEED_FOR_ZERO: u64 = 0x9E37_79B9_7F4A_7C15;

/// The bytes of `#len:seed`: the outputs of xorshift64* (Vigna 2016) as little-endian words, cut to length. The function
/// `expand` in `kv/tests/peers/text.go` does the same.
#[must_use]
pub fn expand(len: usize, seed: u64) -> Vec<u8> {
    let mut state = if seed == 0 { SEED_FOR_ZERO } else { seed };
    let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
