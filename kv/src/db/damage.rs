//! What a walk over everything leaves out of a damaged file, and why.

use std::borrow::Cow;
use std::fmt;

use freelist_core::PageId;

use crate::error::{Error, Name};

/// Damage that a walk over everything has met, and what the walk leaves out because of it.
///
/// [`Contents`](crate::Contents) returns it, and [`salvage()`](crate::salvage()) passes it on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Damage {
    /// The names on the way to the bucket, the outermost first; empty for the bucket that the walk began in.
    pub bucket: Vec<Vec<u8>>,
    /// The damaged page.
    pub page: PageId,
    /// The broken rule.
    pub what: Cow<'static, str>,
    /// What is left out.
    pub lost: Lost,
}

/// What a walk leaves out because of one [`Damage`].
///
/// ```
/// let lost = kv::Lost::Items { count: 7, first: vec![b"ada".to_vec(), b"alan".to_vec()] };
/// assert_eq!(lost.to_string(), r#"7 items are left out: "ada", "alan", ..."#);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Lost {
    /// Nothing: all keys of the page are in the walk, though not where they should be.
    Nothing,
    /// Keys with their values, or nested buckets with everything in them.
    Items {
        /// How many.
        count: u64,
        /// The first few of them.
        first: Vec<Vec<u8>>,
    },
    /// Whatever is in the page and below it.
    Range {
        /// The least key that may be there; `None` for the beginning of the bucket.
        from: Option<Vec<u8>>,
        /// All keys there are less than this; `None` for the end of the bucket.
        to: Option<Vec<u8>>,
    },
}

/// Keys of a page that are named; the others are counted.
const NAMED: usize = 3;

impl Lost {
    /// One item more, which has this key.
    pub(super) fn add(&mut self, key: &[u8]) {
        match self {
            Self::Nothing => *self = Self::Items { count: 1, first: vec![key.to_vec()] },
            Self::Items { count, first } => {
                *count = count.saturating_add(1);
                if first.len() < NAMED {
                    first.push(key.to_vec());
                }
                assert!(first.len() as u64 <= *count, "every named item is counted");
            }
            Self::Range { .. } => {}
        }
    }

    pub(super) fn between((from, to): (Option<&[u8]>, Option<&[u8]>)) -> Self {
        Self::Range { from: from.map(<[u8]>::to_vec), to: to.map(<[u8]>::to_vec) }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing is left out"),
            Self::Items { count, first } => {
                assert!(first.len() <= NAMED && !first.is_empty(), "the first few of the items are named");
                write!(f, "{count} item{} left out", if *count == 1 { " is" } else { "s are" })?;
                for (at, key) in first.iter().enumerate() {
                    write!(f, "{} {}", if at == 0 { ":" } else { "," }, Name(key))?;
                }
                f.write_str(if first.len() as u64 == *count { "" } else { ", ..." })
            }
            Self::Range { from: None, to: None } => f.write_str("everything below it is left out"),
            Self::Range { from, to } => {
                f.write_str("everything below it is left out, which had the keys")?;
                from.iter().try_for_each(|from| write!(f, " from {}", Name(from)))?;
                to.iter().try_for_each(|to| write!(f, " up to {}", Name(to)))
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} is damaged: {}; ", self.page, self.what)?;
        for (at, name) in self.bucket.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "in the bucket " } else { "/" }, Name(name))?;
        }
        f.write_str(if self.bucket.is_empty() { "" } else { ", " })?;
        self.lost.fmt(f)
    }
}

impl From<Damage> for Error {
    fn from(Damage { page, what, .. }: Damage) -> Self {
        Self::Corrupt { page, what }
    }
}
