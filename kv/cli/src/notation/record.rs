//! A line of an export: a bucket, or a key and its value.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::notation::{Parse, to_base64};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The bucket, from the outermost.
    pub(crate) bucket: Vec<Text>,
    /// The bucket's counter, on a line of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Text>,
}

/// Bytes in JSON: a string if they are text, else an object that names the notation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Plain(String),
    Hex { hex: String },
    Base64 { base64: String },
}

/// How bytes are written in an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Encoding {
    /// As text where they are valid UTF-8, else in base64
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
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Plain(text) => Parse::Text.bytes(text),
            Self::Hex { hex } => Parse::Hex.bytes(hex),
            Self::Base64 { base64 } => Parse::Base64.bytes(base64),
        }
    }
}
