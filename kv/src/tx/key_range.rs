//! The keys between two bounds.

use std::ops::{Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// A range of keys, in byte order: `..`, `"a".."m"`, `b"ab"..`, `..=key`, or a pair of [`Bound`]s such as
/// `(Excluded(last), Unbounded)`. The ends are anything that is bytes: `&str`, `String`, arrays, `Vec<u8>`, slices.
///
/// Both ends have one type, as everywhere in Rust: two literals of different lengths need to be strings or slices
/// (`"ab".."abc"`, not `b"ab"..b"abc"`). A range whose end lies before its start is empty.
///
/// It is a trait of its own, and not [`RangeBounds`](std::ops::RangeBounds), so that the compiler can tell the type of the
/// keys in `..`, and in a pair of bounds of which one is [`Unbounded`](Bound::Unbounded).
///
/// ```
/// use std::ops::Bound::{Excluded, Unbounded};
///
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut letters = tx.create_bucket("letters")?;
///     ["a", "b", "c", "d"].iter().try_for_each(|key| letters.put(key, ""))
/// })?;
/// let tx = db.begin_read();
/// let letters = tx.bucket("letters")?;
/// assert_eq!(letters.range(..).count(), 4);
/// assert_eq!(letters.range("b"..).count(), 3);
/// assert_eq!(letters.range(..=b"b").count(), 2);
/// assert_eq!(letters.range(vec![b'b']..vec![b'd']).count(), 2);
/// assert_eq!(letters.range((Excluded("b"), Unbounded)).count(), 2);
/// # Ok::<_, kv::Error>(())
/// ```
pub trait KeyRange {
    /// Returns where the range begins.
    fn start(&self) -> Bound<&[u8]>;
    /// Returns where the range ends.
    fn end(&self) -> Bound<&[u8]>;
}

impl KeyRange for RangeFull {
    fn start(&self) -> Bound<&[u8]> {
        Bound::Unbounded
    }

    fn end(&self) -> Bound<&[u8]> {
        Bound::Unbounded
    }
}

impl<K: AsRef<[u8]>> KeyRange for (Bound<K>, Bound<K>) {
    fn start(&self) -> Bound<&[u8]> {
        self.0.as_ref().map(AsRef::as_ref)
    }

    fn end(&self) -> Bound<&[u8]> {
        self.1.as_ref().map(AsRef::as_ref)
    }
}

/// The ranges of the language, with the names of their ends.
macro_rules! ranges {
    ($($range:ident)*) => {$(
        impl<K: AsRef<[u8]>> KeyRange for $range<K> {
            fn start(&self) -> Bound<&[u8]> {
                std::ops::RangeBounds::start_bound(self).map(AsRef::as_ref)
            }

            fn end(&self) -> Bound<&[u8]> {
                std::ops::RangeBounds::end_bound(self).map(AsRef::as_ref)
            }
        }
    )*};
}

ranges!(Range RangeFrom RangeInclusive RangeTo RangeToInclusive);

/// The bounds of a range, owned.
pub(super) fn owned(range: &impl KeyRange) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    (range.start().map(<[u8]>::to_vec), range.end().map(<[u8]>::to_vec))
}

/// The keys that begin with some bytes, for every method that takes a [`KeyRange`]. [`prefix`] returns it.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// # db.update(|tx| {
/// #     let mut files = tx.create_bucket("files")?;
/// #     ["tmp/a", "tmp/b", "usr"].iter().try_for_each(|key| files.put(key, ""))
/// # })?;
/// db.update(|tx| {
///     let temporary: kv::Prefix = kv::prefix("tmp/");
///     assert_eq!(tx.bucket_mut("files")?.delete_range(temporary)?, 2);
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Prefix {
    start: Vec<u8>,
    end: Bound<Vec<u8>>,
}

/// Returns the keys that begin with `bytes`. An empty prefix is all keys. O(bytes). See [`Prefix`].
#[must_use]
pub fn prefix(bytes: impl AsRef<[u8]>) -> Prefix {
    let start = bytes.as_ref().to_vec();
    let mut end = start.clone();
    // The least key after all that begin with it: the last byte that can grow does.
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            debug_assert!(start < end, "the end of a prefix comes after its start");
            return Prefix { start, end: Bound::Excluded(end) };
        }
    }
    Prefix { start, end: Bound::Unbounded }
}

impl KeyRange for Prefix {
    fn start(&self) -> Bound<&[u8]> {
        Bound::Included(&self.start)
    }

    fn end(&self) -> Bound<&[u8]> {
        self.end.as_ref().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition, with all prefixes and keys of up to three bytes out of a few.
    #[test]
    fn the_keys_of_a_prefix_are_those_that_begin_with_it() {
        let bytes = [0, 1, 0x7F, 0xFE, 0xFF];
        let mut words: Vec<Vec<u8>> = vec![Vec::new()];
        for len in 0..3 {
            let longer = words.iter().filter(|word| word.len() == len);
            let longer: Vec<_> = longer.flat_map(|word| bytes.map(|byte| [&word[..], &[byte]].concat())).collect();
            words.extend(longer);
        }
        for beginning in &words {
            let range = prefix(beginning);
            for key in &words {
                let inside = std::ops::RangeBounds::<[u8]>::contains(&(range.start(), range.end()), &key[..]);
                assert_eq!(inside, key.starts_with(beginning), "{key:?} in {beginning:?}");
            }
        }
    }
}
