//! Bytes as text and back.

pub(crate) mod bytes;
pub(crate) mod record;

pub(crate) use bytes::{Format, Parse, quoted_or_hex, sha256, text_or_hex, to_base64};
