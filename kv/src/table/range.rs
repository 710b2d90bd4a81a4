//! Ranges of typed keys.

use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use super::key::{AsKey, encoded};
use crate::tx::{KeyRange, prefix};

/// A range of keys of type `K`: `..`, `3..7`, `"a"..`, or a pair of [`Bound`]s.
///
/// ```
/// use kv::table::{KeysOf, Table};
///
/// const AGES: Table<String, u8> = Table::new("ages");
///
/// fn count(db: &kv::Db, range: impl KeysOf<String>) -> kv::Result<usize> {
///     db.view(|tx| Ok(AGES.read(tx)?.range(range).count()))
/// }
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// # db.update(|tx| {
/// #     let ages = AGES.open(tx)?;
/// #     ["ada", "alan", "grace"].iter().try_for_each(|name| ages.put(tx, *name, &36))
/// # })?;
/// assert_eq!((count(&db, ..)?, count(&db, "b"..)?, count(&db, "ada"..="alan")?), (3, 1, 2));
/// # Ok::<_, kv::Error>(())
/// ```
pub trait KeysOf<K> {
    /// Returns the byte forms of the ends. `last` says that nothing follows in the keys.
    fn ends(&self, last: bool) -> (Bound<Vec<u8>>, Bound<Vec<u8>>);
}

impl<K> KeysOf<K> for RangeFull {
    fn ends(&self, _last: bool) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        (Bound::Unbounded, Bound::Unbounded)
    }
}

impl<K, Q: AsKey<K>> KeysOf<K> for (Bound<Q>, Bound<Q>) {
    fn ends(&self, last: bool) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let form = |key| encoded::<K>(key, last);
        (self.0.as_ref().map(form), self.1.as_ref().map(form))
    }
}

macro_rules! ranges {
    ($($range:ident)*) => {$(
        impl<K, Q: AsKey<K>> KeysOf<K> for $range<Q> {
            fn ends(&self, last: bool) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
                let form = |key| encoded::<K>(key, last);
                (self.start_bound().map(form), self.end_bound().map(form))
            }
        }
    )*};
}

ranges!(Range RangeFrom RangeInclusive RangeTo RangeToInclusive);

/// The keys that begin with the keys of a range, whatever follows there.
pub(super) fn beginnings<K>(range: &impl KeysOf<K>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let after = |beginning: &Vec<u8>| match prefix(beginning).end() {
        Bound::Excluded(end) => Some(end.to_vec()),
        _ => None,
    };
    let nothing = (Bound::Unbounded, Bound::Excluded(Vec::new()));
    let (start, end) = range.ends(false);
    let start = match &start {
        // Where no key comes after those with this beginning, nothing is in the range.
        Bound::Excluded(key) => match after(key) {
            Some(after) => Bound::Included(after),
            None => return nothing,
        },
        _ => start,
    };
    let end = match &end {
        Bound::Included(key) => after(key).map_or(Bound::Unbounded, Bound::Excluded),
        _ => end,
    };
    (start, end)
}
