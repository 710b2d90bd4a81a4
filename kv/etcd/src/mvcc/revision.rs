//! Revisions, and the keys of their rows.

/// A change: the revision of its transaction, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision {
    /// The revision of the transaction. The first change of a store has 2.
    pub main: i64,
    /// The change's place among those of the transaction, from 0.
    pub sub: u32,
}

/// Length of a put's row key. A delete's has one byte more.
const PUT_LEN: usize = 17;
const TOMBSTONE_LEN: usize = PUT_LEN + 1;
/// The largest revision that a file may begin with: so many can follow that nobody has to think of an end.
pub(super) const MAIN_MAX: i64 = i64::MAX / 2;
const SEPARATOR: u8 = b'_';
const TOMBSTONE_MARK: u8 = b't';

/// The key of a row of the bucket `key`: main, `_`, sub, and `t` for a delete. Numbers are big-endian, so rows lie in the
/// order of their revisions.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowKey {
    bytes: [u8; TOMBSTONE_LEN],
    len: usize,
}

impl AsRef<[u8]> for RowKey {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Revision {
    pub(super) const fn new(main: i64, sub: u32) -> Self {
        Self { main, sub }
    }

    /// The key of this revision's row.
    pub(super) fn row_key(self, tombstone: bool) -> RowKey {
        debug_assert!(self.main >= 0, "revisions are counted from 0");
        let mut bytes = [0; TOMBSTONE_LEN];
        bytes[..8].copy_from_slice(&big_endian(self.main.cast_unsigned()));
        bytes[8] = SEPARATOR;
        bytes[9..PUT_LEN].copy_from_slice(&big_endian(self.sub.into()));
        bytes[PUT_LEN] = TOMBSTONE_MARK;
        RowKey { bytes, len: if tombstone { TOMBSTONE_LEN } else { PUT_LEN } }
    }

    /// Reads the key of a row of the bucket `key`: the row's revision, and whether it is that of a delete. O(1).
    ///
    /// ```
    /// use kv_etcd::mvcc::Revision;
    ///
    /// let row = b"\0\0\0\0\0\0\0\x06_\0\0\0\0\0\0\0\x01t";
    /// assert_eq!(Revision::parse(row), Ok((Revision { main: 6, sub: 1 }, true)));
    /// assert!(Revision::parse(b"no row").is_err());
    /// ```
    ///
    /// # Errors
    /// The broken rule.
    pub fn parse(key: &[u8]) -> Result<(Self, bool), &'static str> {
        let (numbers, tombstone) = match key {
            [numbers @ .., TOMBSTONE_MARK] if key.len() == TOMBSTONE_LEN => (numbers, true),
            numbers if key.len() == PUT_LEN => (numbers, false),
            _ if key.len() == TOMBSTONE_LEN => return Err("its last byte is not `t`"),
            _ => return Err("a revision has 17 or 18 bytes"),
        };
        let (main, rest) = numbers.split_at(8);
        if rest[0] != SEPARATOR {
            return Err("the byte between its two numbers is not `_`");
        }
        let main = i64::try_from(from_big_endian(main)).map_err(|_| "its revision is negative")?;
        let sub =
            u32::try_from(from_big_endian(&rest[1..])).map_err(|_| "its place in the transaction is too large")?;
        Ok((Self { main, sub }, tombstone))
    }
}

/// Eight bytes as etcd writes a number.
pub(super) fn big_endian(number: u64) -> [u8; 8] {
    let mut bytes = number.to_le_bytes();
    bytes.reverse();
    bytes
}

/// The number in at most eight bytes.
pub(super) fn from_big_endian(bytes: &[u8]) -> u64 {
    debug_assert!(bytes.len() <= 8, "a number has eight bytes");
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::Revision;

    #[test]
    fn row_keys_are_etcds() {
        let put = Revision::new(6, 1).row_key(false);
        assert_eq!(put.as_ref(), b"\0\0\0\0\0\0\0\x06_\0\0\0\0\0\0\0\x01");
        let delete = Revision::new(6, 2).row_key(true);
        assert_eq!(delete.as_ref(), b"\0\0\0\0\0\0\0\x06_\0\0\0\0\0\0\0\x02t");
        assert!(put.as_ref() < delete.as_ref());
        for (main, sub) in [(0, 0), (1, u32::MAX), (i64::MAX, 7), (0x0102_0304_0506_0708, 0x0908_0706)] {
            for tombstone in [false, true] {
                let revision = Revision::new(main, sub);
                assert_eq!(Revision::parse(revision.row_key(tombstone).as_ref()), Ok((revision, tombstone)));
            }
        }
    }

    #[test]
    fn wrong_row_keys_are_told() {
        let good = Revision::new(5, 0).row_key(true).as_ref().to_vec();
        for (change, what) in [((0, 0x80), "negative"), ((8, b'-'), "`_`"), ((9, 1), "too large"), ((17, b'u'), "`t`")]
        {
            let mut wrong = good.clone();
            wrong[change.0] = change.1;
            assert!(Revision::parse(&wrong).is_err_and(|text| text.contains(what)), "{change:?}");
        }
        for len in (0..17).chain(19..40) {
            assert!(Revision::parse(&vec![b'_'; len]).is_err(), "{len}");
        }
    }
}
