//! Bytes as text and back: how keys, names and values are written on the command line and shown.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use sha2::{Digest, Sha256};

/// How bytes are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// As text if all of it can be printed, otherwise as `hex:` and hex digits, which arguments take back
    #[default]
    Auto,
    /// In quotes, with escapes for bytes that cannot be printed
    AsciiEncoded,
    /// In hex
    Hex,
    /// In base64
    Base64,
    /// The bytes, unchanged
    Bytes,
    /// Only their length and SHA-256
    Redacted,
}

impl Format {
    /// Writes the bytes, without a newline.
    pub(crate) fn write(self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Auto => out.write_all(named(bytes).as_bytes()),
            Self::AsciiEncoded => out.write_all(quoted(bytes).as_bytes()),
            Self::Hex => out.write_all(hex::encode(bytes).as_bytes()),
            Self::Base64 => out.write_all(STANDARD.encode(bytes).as_bytes()),
            Self::Bytes => out.write_all(bytes),
            Self::Redacted => write!(out, "<redacted len:{} sha256:{}>", bytes.len(), sha256(bytes)),
        }
    }

    pub(crate) fn writeln(self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        self.write(out, bytes)?;
        out.write_all(b"\n")
    }
}

/// How an argument spells bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Parse {
    /// Its own bytes, or those that follow `hex:` in hex: what `auto` shows
    #[default]
    Auto,
    /// Its own bytes
    #[value(alias = "ascii-encoded")]
    Text,
    /// Two hex digits for each byte
    Hex,
    /// Base64, with padding
    Base64,
}

impl Parse {
    /// The bytes that `text` spells.
    pub(crate) fn bytes(self, text: &str) -> Result<Vec<u8>, BadNotation> {
        match self {
            Self::Auto => match text.strip_prefix(HEX) {
                Some(digits) => Self::Hex.bytes(digits).map_err(|BadNotation(what)| {
                    BadNotation(format!("{what}; for text that begins with `{HEX}`, take the format `text`"))
                }),
                None => Self::Text.bytes(text),
            },
            Self::Text => Ok(text.as_bytes().to_vec()),
            Self::Hex => hex::decode(text).map_err(|error| BadNotation(format!("{text:?} is not hex: {error}"))),
            Self::Base64 => {
                STANDARD.decode(text).map_err(|error| BadNotation(format!("{text:?} is not base64: {error}")))
            }
        }
    }
}

/// Why a text does not spell bytes.
#[derive(Debug)]
pub(crate) struct BadNotation(String);

impl BadNotation {
    pub(crate) const fn new(what: String) -> Self {
        Self(what)
    }
}

impl fmt::Display for BadNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Begins bytes in hex where text may stand too.
const HEX: &str = "hex:";

/// As text if it can be printed, otherwise in hex behind `hex:`. [`Parse::Auto`] reads it back: text that begins with
/// `hex:` itself is shown in hex.
pub(crate) fn named(bytes: &[u8]) -> String {
    let text = printable(bytes).filter(|text| !text.starts_with(HEX));
    text.map_or_else(|| in_hex(bytes), str::to_owned)
}

/// In quotes if it can be printed, otherwise in hex behind `hex:`, without quotes.
pub(crate) fn quoted_or_hex(bytes: &[u8]) -> String {
    printable(bytes).map_or_else(|| in_hex(bytes), |text| quoted(text.as_bytes()))
}

fn in_hex(bytes: &[u8]) -> String {
    format!("{HEX}{}", hex::encode(bytes))
}

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn printable(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(is_printable))
}

/// Whether it is a letter, mark, number, punctuation, symbol or space. std escapes all other characters, and quotes.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// In quotes, as Go writes strings: characters that cannot be printed as escapes, bytes that are not UTF-8 as `\xNN`.
fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            quote(&mut out, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

fn quote(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a string does not fail.
    let _ = match c {
        '"' | '\\' => write!(out, "\\{c}"),
        '\x07' => write!(out, "\\a"),
        '\x08' => write!(out, "\\b"),
        '\x0c' => write!(out, "\\f"),
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        '\x0b' => write!(out, "\\v"),
        _ if is_printable(c) => write!(out, "{c}"),
        _ if code < 0x80 => write!(out, "\\x{code:02x}"),
        _ if code < 0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Format, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        format.write(&mut out, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_format_shows_text_and_bytes() {
        assert_eq!(shown(Format::Auto, b"tea pot"), "tea pot");
        assert_eq!(shown(Format::Auto, "t\u{e9}".as_bytes()), "t\u{e9}");
        assert_eq!(shown(Format::Auto, b"a\nb"), "hex:610a62");
        assert_eq!(shown(Format::Auto, b"\xff"), "hex:ff");
        assert_eq!(shown(Format::Auto, b"hex:ff"), "hex:6865783a6666");
        assert_eq!(shown(Format::AsciiEncoded, b"a\n\"\\\x00\xff\xc3\xa9"), "\"a\\n\\\"\\\\\\x00\\xff\u{e9}\"");
        assert_eq!(shown(Format::AsciiEncoded, "\u{2028}\u{1f}".as_bytes()), "\"\\u2028\\x1f\"");
        assert_eq!(shown(Format::Hex, b"\x00A"), "0041");
        assert_eq!(shown(Format::Base64, b"\xff\xfe"), "//4=");
        assert_eq!(
            shown(Format::Redacted, b""),
            "<redacted len:0 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855>"
        );
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes in
            [&b""[..], b"text", b"\x00\xff\x10", b"ff", b"hex:", b"hex:ff", b"hex:zz", b"Hex:ff", b"a\tb", b" "]
        {
            assert_eq!(Parse::Auto.bytes(&shown(Format::Auto, bytes)).unwrap(), bytes);
            assert_eq!(Parse::Hex.bytes(&shown(Format::Hex, bytes)).unwrap(), bytes);
            assert_eq!(Parse::Base64.bytes(&shown(Format::Base64, bytes)).unwrap(), bytes);
        }
        assert_eq!(Parse::Text.bytes("hex:ff").unwrap(), b"hex:ff");
        assert!(Parse::Auto.bytes("hex:f").unwrap_err().to_string().contains("take the format `text`"));
        assert!(Parse::Hex.bytes("0").is_err());
        assert!(Parse::Base64.bytes("***").is_err());
    }
}
