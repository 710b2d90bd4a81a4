//! The records in a meta's extension.
//!
//! ```text
//! 0 kind u8 | 1 version u8 | 2 length u16 | 4 so many bytes; the next record follows
//! ```
//! Kind 0, or fewer bytes than a record's head, ends them.

use super::bytes::{put, u16_at};
use super::{Extension, Malformed};

/// Bytes of a record's head.
pub(super) const HEAD: usize = 4;

const END: u8 = 0;

/// One record. What its bytes mean depends on kind and version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record<'e> {
    pub(super) kind: u8,
    pub(super) version: u8,
    pub(super) bytes: &'e [u8],
}

/// The records of an extension, in order. After a malformed one there are no others.
#[derive(Clone, Debug)]
pub(super) struct Records<'e>(&'e [u8]);

impl Extension {
    pub(super) fn records(&self) -> Records<'_> {
        Records(&self.0)
    }

    /// The extension with this one record.
    pub(super) fn of_record(record: &Record<'_>) -> Self {
        let mut extension = Self::NONE;
        let len = u16::try_from(record.bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
        let head = [record.kind, record.version, len[0], len[1]];
        let fits = put(&mut extension.0, 0, &head) && put(&mut extension.0, HEAD, record.bytes);
        debug_assert!(fits, "an extension has room for a record");
        extension
    }
}

impl<'e> Iterator for Records<'e> {
    type Item = Result<Record<'e>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_at_checked(HEAD)?;
        let (&[kind, version, ..], Some(len)) = (head, u16_at(head, 2)) else { return None };
        self.0 = &[];
        if kind == END {
            return None;
        }
        let Some((bytes, rest)) = rest.split_at_checked(len.into()) else {
            return Some(Err(Malformed("record is longer than the extension")));
        };
        self.0 = rest;
        Some(Ok(Record { kind, version, bytes }))
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn records_follow_each_other_to_the_end_mark() {
        let mut extension = Extension::of_record(&Record { kind: 7, version: 1, bytes: b"seven" });
        let second = Extension::of_record(&Record { kind: 8, version: 2, bytes: &[] });
        extension.0[9..13].copy_from_slice(&second.0[..4]);
        let records: Vec<_> = extension.records().map(Result::unwrap).collect();
        assert_eq!(
            records,
            [Record { kind: 7, version: 1, bytes: b"seven" }, Record { kind: 8, version: 2, bytes: b"" }]
        );
        assert_eq!(Extension::NONE.records().next(), None);
    }

    #[test]
    fn a_record_that_is_too_long_is_the_last() {
        let whole = Extension([1; super::super::extension::EXTENSION_BYTES]);
        // 0x0101 bytes, and then a head whose record leads out of the extension.
        let records: Vec<_> = whole.records().collect();
        assert_eq!(records.len(), 2);
        assert!(records[0].is_ok() && records[1].is_err());
    }
}
