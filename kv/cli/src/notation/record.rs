//! A line of an export: a bucket, or a key and its value.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::bytes::{BadNotation, Parse, to_base64};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Names of buckets, outermost first.
    pub(crate) bucket: Vec<Text>,
    /// The bucket's counter, on the line that introduces the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Text>,
}

impl Record {
    /// A key of the bucket at `path`, and its value.
    pub(crate) fn pair<'p>(
        encoding: Encoding,
        path: impl IntoIterator<Item = &'p [u8]>,
        key: &[u8],
        value: &[u8],
    ) -> Self {
        let (key, value) = (Some(encoding.text(key)), Some(encoding.text(value)));
        Self { bucket: path.into_iter().map(|name| encoding.text(name)).collect(), sequence: None, key, value }
    }

    pub(crate) fn writeln(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// Bytes in JSON: a string if they are text, otherwise an object that names the notation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a name, key or value is a string, {\"hex\":\"...\"} or {\"base64\":\"...\"}")]
pub(crate) enum Text {
    Plain(String),
    Hex { hex: String },
    Base64 { base64: String },
}

/// How bytes are written in an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Encoding {
    /// As text if they are valid UTF-8, otherwise in base64
    #[default]
    Text,
    /// In hex
    Hex,
    /// In base64
    Base64,
}

impl Encoding {
    pub(crate) fn text(self, bytes: &[u8]) -> Text {
        match (self, std::str::from_utf8(bytes)) {
            (Self::Text, Ok(text)) => Text::Plain(text.to_owned()),
            (Self::Hex, _) => Text::Hex { hex: hex::encode(bytes) },
            (Self::Base64 | Self::Text, _) => Text::Base64 { base64: to_base64(bytes) },
        }
    }
}

impl Text {
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, BadNotation> {
        match self {
            Self::Plain(text) => Parse::Text.bytes(text),
            Self::Hex { hex } => Parse::Hex.bytes(hex),
            Self::Base64 { base64 } => Parse::Base64.bytes(base64),
        }
    }
}
