//! Bytes as text and back.

mod bytes;
mod record;
mod side_file;

pub(crate) use bytes::{BadNotation, Format, Parse, quoted_or_hex, sha256, text_or_hex};
pub(crate) use record::{Encoding, Record, Text};
pub(crate) use side_file::{SideFile, parse};
