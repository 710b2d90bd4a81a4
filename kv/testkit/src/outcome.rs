//! What a command answers, the same from the model and from the engines.

use std::fmt;

use crate::text::{hex_text, value_text};

/// The answer to a command. Its text form is what `kv/tests/peers` prints for bbolt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Whether there was something to delete.
    Deleted(bool),
    /// How many keys a sweep deleted.
    Swept(usize),
    /// What a walk met before it deleted so many of it.
    Thinned(Scan, usize),
    /// The next sequence.
    Sequence(u64),
    /// A key's value.
    Value(Option<Vec<u8>>),
    /// An item: its key, and its value unless it is a bucket.
    Item(Option<(Vec<u8>, Option<Vec<u8>>)>),
    /// All items.
    Items(Scan),
    /// It is not possible.
    Refused(Refusal),
}

/// Why a command is not possible. The transaction goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A bucket of the path is missing.
    BucketNotFound,
    /// There is a bucket of this name already.
    BucketExists,
    /// The name is empty.
    BucketNameRequired,
    /// The key is empty.
    KeyRequired,
    /// The key is too long.
    KeyTooLarge,
    /// A value for a bucket, or a bucket for a value.
    IncompatibleValue {
        /// What is there.
        is_bucket: bool,
    },
    /// A bucket is moved to where it is, or into itself.
    SameBuckets,
}

impl Outcome {
    /// Whether the command has changed something, or written the same again.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        match self {
            Self::Done | Self::Sequence(_) | Self::Deleted(true) => true,
            Self::Swept(count) | Self::Thinned(_, count) => *count > 0,
            _ => false,
        }
    }
}

/// All items of a bucket, as counts and a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scan {
    keys: u64,
    buckets: u64,
    hash: u64,
}

impl Scan {
    /// FNV-1a over each key, 1 for a bucket or 0, and the value.
    pub fn of<'a>(items: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> Self {
        let mut scan = Self { keys: 0, buckets: 0, hash: 0xcbf2_9ce4_8422_2325 };
        for (key, value) in items {
            scan.add(key, value);
        }
        scan
    }

    fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.feed(key);
        if let Some(value) = value {
            self.keys += 1;
            self.feed(&[0]);
            self.feed(value);
        } else {
            self.buckets += 1;
            self.feed(&[1]);
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys {} buckets {} hash {:016x}", self.keys, self.buckets, self.hash)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("ok"),
            Self::Deleted(found) => write!(f, "ok {found}"),
            Self::Swept(count) => write!(f, "ok {count}"),
            Self::Thinned(scan, count) => write!(f, "ok {scan} deleted {count}"),
            Self::Sequence(number) => write!(f, "ok {number}"),
            Self::Value(None) | Self::Item(None) => f.write_str("none"),
            Self::Value(Some(value)) => write!(f, "ok {}", value_text(value)),
            Self::Item(Some((key, None))) => write!(f, "ok {} bucket", hex_text(key)),
            Self::Item(Some((key, Some(value)))) => write!(f, "ok {} {}", hex_text(key), value_text(value)),
            Self::Items(scan) => write!(f, "ok {scan}"),
            Self::Refused(refusal) => f.write_str(match refusal {
                Refusal::BucketNotFound => "bucket-not-found",
                Refusal::BucketExists => "bucket-exists",
                Refusal::BucketNameRequired => "bucket-name-required",
                Refusal::KeyRequired => "key-required",
                Refusal::KeyTooLarge => "key-too-large",
                Refusal::IncompatibleValue { .. } => "incompatible-value",
                Refusal::SameBuckets => "same-buckets",
            }),
        }
    }
}
