//! Bytes as text and back.

mod bytes;
mod etcd_row;
mod record;
mod side_file;

pub(crate) use bytes::{BadNotation, Format, Parse, named, quoted_or_hex, sha256};
pub(crate) use etcd_row::{ETCD_ROWS, EtcdRow, Pair};
pub(crate) use record::{Encoding, Record, Text};
pub(crate) use side_file::{SideFile, parse};
