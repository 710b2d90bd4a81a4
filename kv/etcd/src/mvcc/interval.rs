//! Ranges of keys, as requests name them.

use bytes::Bytes;

/// The keys from `start` to the one before `end`; to the last if that is absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Interval {
    pub(super) start: Bytes,
    pub(super) end: Option<Bytes>,
}

impl Interval {
    /// etcd's notation: no end for one key, a zero byte for all keys from `key` on.
    pub(super) fn new(key: &Bytes, range_end: &Bytes) -> Self {
        let end = match &range_end[..] {
            // The first key after `key` is `key` with a zero byte behind it.
            [] => Some([key, &b"\0"[..]].concat().into()),
            [0] => None,
            _ => Some(range_end.clone()),
        };
        Self { start: key.clone(), end }
    }

    /// All keys.
    pub(super) const fn all() -> Self {
        Self { start: Bytes::new(), end: None }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        *key >= self.start[..] && self.is_before_end(key)
    }

    pub(super) fn is_before_end(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| *key < end[..])
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_before_end(&self.start)
    }
}
