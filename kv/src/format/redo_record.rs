//! The records in a unit of the redo log: what each transaction has done to which bucket, in order.
//!
//! ```text
//! record: transaction id u64 | bytes of its changes u32 | the changes
//! change: kind u8, then
//!   1 the bucket of the changes that follow: number of names u32, each as bytes;  0 names: the root bucket
//!   2 put: key, value as bytes      3 delete: key as bytes      4 delete a range: start and end, each a bound
//!   5 set the counter: u64          6 create the bucket         7 delete the bucket
//!   8 move the bucket: number of names u32, each as bytes, of its path from now on
//! bytes: length u32 | so many bytes
//! bound: 0 none, 1 included, 2 excluded u8; but for none, a key as bytes
//! ```

use std::ops::Bound;

use super::Malformed;
use super::bytes::{u32_at, u64_at};

const BUCKET: u8 = 1;
const PUT: u8 = 2;
const DELETE: u8 = 3;
const DELETE_RANGE: u8 = 4;
const SET_SEQUENCE: u8 = 5;
const CREATE_BUCKET: u8 = 6;
const DELETE_BUCKET: u8 = 7;
const MOVE_BUCKET: u8 = 8;

/// The names of a bucket from the top, or a part of them.
pub(crate) type Names<'b> = Vec<&'b [u8]>;

/// One change. Those that say nothing of a bucket are of the last [`Bucket`](Self::Bucket) before them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RedoChange<'b> {
    Bucket(Names<'b>),
    Put { key: &'b [u8], value: &'b [u8] },
    Delete { key: &'b [u8] },
    DeleteRange { start: Bound<&'b [u8]>, end: Bound<&'b [u8]> },
    SetSequence(u64),
    CreateBucket,
    DeleteBucket,
    MoveBucket { to: Names<'b> },
}

/// The changes of one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedoRecord<'b> {
    pub(crate) tx: u64,
    changes: &'b [u8],
}

impl RedoChange<'_> {
    /// Appends this change; false if a part of it is longer than a record can say.
    pub(crate) fn write(&self, into: &mut Vec<u8>) -> bool {
        match self {
            Self::Bucket(names) => put_kind(BUCKET, into) && put_names(names, into),
            Self::Put { key, value } => put_kind(PUT, into) && put_bytes(key, into) && put_bytes(value, into),
            Self::Delete { key } => put_kind(DELETE, into) && put_bytes(key, into),
            Self::DeleteRange { start, end } => {
                put_kind(DELETE_RANGE, into) && put_bound(*start, into) && put_bound(*end, into)
            }
            Self::SetSequence(sequence) => {
                into.push(SET_SEQUENCE);
                into.extend_from_slice(&sequence.to_le_bytes());
                true
            }
            Self::CreateBucket => put_kind(CREATE_BUCKET, into),
            Self::DeleteBucket => put_kind(DELETE_BUCKET, into),
            Self::MoveBucket { to } => put_kind(MOVE_BUCKET, into) && put_names(to, into),
        }
    }
}

impl<'b> RedoRecord<'b> {
    /// Appends a record with the changes that `changes` appends; false if that does, or they are longer than a record can say.
    pub(crate) fn write(tx: u64, into: &mut Vec<u8>, changes: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        into.extend_from_slice(&tx.to_le_bytes());
        let at = into.len();
        into.extend_from_slice(&[0; 4]);
        let begin = into.len();
        let written = changes(into);
        let len = u32::try_from(into.len().saturating_sub(begin));
        let Some(place) = into.get_mut(at..begin) else { return false };
        place.copy_from_slice(&len.unwrap_or(0).to_le_bytes());
        written && len.is_ok()
    }

    /// The records in the bytes of a unit behind its head.
    pub(crate) fn all(records: &'b [u8]) -> impl Iterator<Item = Result<Self, Malformed>> {
        let mut rest = Reader(records);
        std::iter::from_fn(move || {
            // What fills up the last word is zero; no transaction has the number 0.
            if rest.0.iter().take(8).all(|byte| *byte == 0) {
                return None;
            }
            let record = rest.record();
            if record.is_err() {
                rest.0 = &[];
            }
            Some(record)
        })
    }

    /// The changes in their order. Ends with the first that is malformed.
    pub(crate) fn changes(self) -> impl Iterator<Item = Result<RedoChange<'b>, Malformed>> {
        let mut rest = Reader(self.changes);
        std::iter::from_fn(move || {
            if rest.0.is_empty() {
                return None;
            }
            let change = rest.change();
            if change.is_err() {
                rest.0 = &[];
            }
            Some(change)
        })
    }
}

fn put_kind(kind: u8, into: &mut Vec<u8>) -> bool {
    into.push(kind);
    true
}

fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) -> bool {
    let Ok(len) = u32::try_from(bytes.len()) else { return false };
    into.extend_from_slice(&len.to_le_bytes());
    into.extend_from_slice(bytes);
    true
}

fn put_names(names: &[&[u8]], into: &mut Vec<u8>) -> bool {
    let Ok(count) = u32::try_from(names.len()) else { return false };
    into.extend_from_slice(&count.to_le_bytes());
    names.iter().all(|name| put_bytes(name, into))
}

fn put_bound(bound: Bound<&[u8]>, into: &mut Vec<u8>) -> bool {
    match bound {
        Bound::Unbounded => put_kind(0, into),
        Bound::Included(key) => put_kind(1, into) && put_bytes(key, into),
        Bound::Excluded(key) => put_kind(2, into) && put_bytes(key, into),
    }
}

/// What is left to be read.
struct Reader<'b>(&'b [u8]);

const SHORT: Malformed = Malformed("a record of the log ends too early");

impl<'b> Reader<'b> {
    fn take(&mut self, len: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<usize, Malformed> {
        u32_at(self.take(4)?, 0).and_then(|number| usize::try_from(number).ok()).ok_or(SHORT)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        u64_at(self.take(8)?, 0).ok_or(SHORT)
    }

    fn kind(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(SHORT)
    }

    fn bytes(&mut self) -> Result<&'b [u8], Malformed> {
        let len = self.u32()?;
        self.take(len)
    }

    fn names(&mut self) -> Result<Names<'b>, Malformed> {
        let count = self.u32()?;
        (0..count).map(|_| self.bytes()).collect()
    }

    fn bound(&mut self) -> Result<Bound<&'b [u8]>, Malformed> {
        match self.kind()? {
            0 => Ok(Bound::Unbounded),
            1 => self.bytes().map(Bound::Included),
            2 => self.bytes().map(Bound::Excluded),
            _ => Err(Malformed("a record of the log has a bound of an unknown kind")),
        }
    }

    fn record(&mut self) -> Result<RedoRecord<'b>, Malformed> {
        let tx = self.u64()?;
        let changes = self.bytes()?;
        Ok(RedoRecord { tx, changes })
    }

    fn change(&mut self) -> Result<RedoChange<'b>, Malformed> {
        Ok(match self.kind()? {
            BUCKET => RedoChange::Bucket(self.names()?),
            PUT => RedoChange::Put { key: self.bytes()?, value: self.bytes()? },
            DELETE => RedoChange::Delete { key: self.bytes()? },
            DELETE_RANGE => RedoChange::DeleteRange { start: self.bound()?, end: self.bound()? },
            SET_SEQUENCE => RedoChange::SetSequence(self.u64()?),
            CREATE_BUCKET => RedoChange::CreateBucket,
            DELETE_BUCKET => RedoChange::DeleteBucket,
            MOVE_BUCKET => RedoChange::MoveBucket { to: self.names()? },
            _ => return Err(Malformed("a record of the log has a change of an unknown kind")),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    fn changes() -> Vec<RedoChange<'static>> {
        vec![
            RedoChange::Bucket(vec![b"a", b"nested"]),
            RedoChange::CreateBucket,
            RedoChange::Put { key: b"key", value: b"" },
            RedoChange::Delete { key: b"other" },
            RedoChange::DeleteRange { start: Bound::Included(b"a"), end: Bound::Unbounded },
            RedoChange::DeleteRange { start: Bound::Unbounded, end: Bound::Excluded(b"z") },
            RedoChange::SetSequence(u64::MAX),
            RedoChange::MoveBucket { to: vec![b"b"] },
            RedoChange::Bucket(vec![]),
            RedoChange::DeleteBucket,
        ]
    }

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        for tx in [7, 8] {
            assert!(RedoRecord::write(tx, &mut bytes, |into| changes().iter().all(|change| change.write(into))));
        }
        bytes
    }

    #[test]
    fn records_survive_their_bytes() {
        let mut bytes = written();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let read: Vec<_> = RedoRecord::all(&bytes).map(Result::unwrap).collect();
        assert_eq!(read.iter().map(|record| record.tx).collect::<Vec<_>>(), [7, 8]);
        for record in read {
            assert_eq!(record.changes().map(Result::unwrap).collect::<Vec<_>>(), changes());
        }
    }

    #[test]
    fn a_record_that_ends_early_or_has_an_unknown_change_is_an_error() {
        let bytes = written();
        for len in (1..bytes.len() / 2).chain(bytes.len() / 2 + 1..bytes.len()) {
            let outcome: Result<Vec<_>, _> = RedoRecord::all(bytes.get(..len).unwrap_or_default()).collect();
            assert!(outcome.is_err(), "{len} bytes");
        }
        let mut unknown = Vec::new();
        assert!(RedoRecord::write(1, &mut unknown, |into| put_kind(99, into)));
        let record = RedoRecord::all(&unknown).next().unwrap().unwrap();
        assert!(record.changes().next().unwrap().is_err());
    }
}
