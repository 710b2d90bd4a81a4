//! The values of etcd's rows: protobuf, as etcd writes it.

use bytes::Bytes;

/// A key with its value at some revision: `mvccpb.KeyValue`, the value of a row of the bucket `key`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct KeyValue {
    /// The key. Empty only in the one row that `snapshot restore --bump-revision` adds.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The revision that created the key, since it was last deleted.
    #[prost(int64, tag = "2")]
    pub create_revision: i64,
    /// The revision of this value. In a delete event, of the delete.
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    /// How often the key was put since its creation, from 1.
    #[prost(int64, tag = "4")]
    pub version: i64,
    /// The value.
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
    /// The lease that the put attached the key to; 0 for none.
    #[prost(int64, tag = "6")]
    pub lease: i64,
}

impl KeyValue {
    /// Reads the value of a row of the bucket `key`. The value of a row that is a delete has only the key. O(bytes).
    ///
    /// ```
    /// let row = kv_etcd::mvcc::KeyValue::parse(b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x03bar")?;
    /// assert_eq!((&row.key[..], &row.value[..], row.mod_revision), (&b"foo"[..], &b"bar"[..], 2));
    /// # Ok::<_, &str>(())
    /// ```
    ///
    /// # Errors
    /// The broken rule.
    pub fn parse(row: &[u8]) -> Result<Self, &'static str> {
        Ok(Row::parse(row)?.to_key_value(false))
    }

    pub(super) fn clear_value(&mut self) {
        self.value = Bytes::new();
    }
}

/// A lease: `leasepb.Lease`, the value of a row of the bucket `lease`. Which keys are attached to it is in the rows of the keys
/// alone, and when it ends is nowhere: it begins anew with each start of a server.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct LeaseRow {
    /// Its id, which is the key of the row too, big-endian.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// Seconds that it was granted.
    #[prost(int64, tag = "2")]
    pub ttl: i64,
    /// Seconds that were left at the last checkpoint; 0 if there was none since the last renewal.
    #[prost(int64, tag = "3")]
    pub remaining_ttl: i64,
}

impl LeaseRow {
    /// Reads the value of a row of the bucket `lease`. O(bytes).
    ///
    /// ```
    /// let row = kv_etcd::mvcc::LeaseRow::parse(b"\x08\x07\x10\x64")?;
    /// assert_eq!((row.id, row.ttl, row.remaining_ttl), (7, 100, 0));
    /// # Ok::<_, &str>(())
    /// ```
    ///
    /// # Errors
    /// The broken rule.
    pub fn parse(row: &[u8]) -> Result<Self, &'static str> {
        <Self as prost::Message>::decode(row).map_err(|_| "its value is not a lease")
    }
}

/// `etcdserverpb.AlarmMember`, the key of a row of the bucket `alarm`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct AlarmRow {
    #[prost(uint64, tag = "1")]
    pub(super) member: u64,
    #[prost(int32, tag = "2")]
    pub(super) alarm: i32,
}

/// A [`KeyValue`] that lies in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) key: &'a [u8],
    pub(super) create_revision: i64,
    pub(super) mod_revision: i64,
    pub(super) version: i64,
    pub(super) value: &'a [u8],
    pub(super) lease: i64,
}

impl<'a> Row<'a> {
    /// Reads a row without copying it. Fields that this program does not know are passed over, as protobuf has it; of a
    /// field that stands there twice, the last counts.
    ///
    /// # Errors
    /// The broken rule.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (mut row, mut rest) = (Self::default(), bytes);
        while !rest.is_empty() {
            let tag = varint(&mut rest)?;
            let field = tag >> 3;
            if field == 0 || field > MAX_FIELD {
                return Err("a field has a number that protobuf does not allow");
            }
            match (field, tag & 7) {
                (1, LENGTH) => row.key = length_delimited(&mut rest)?,
                (2, VARINT) => row.create_revision = varint(&mut rest)?.cast_signed(),
                (3, VARINT) => row.mod_revision = varint(&mut rest)?.cast_signed(),
                (4, VARINT) => row.version = varint(&mut rest)?.cast_signed(),
                (5, LENGTH) => row.value = length_delimited(&mut rest)?,
                (6, VARINT) => row.lease = varint(&mut rest)?.cast_signed(),
                (1..=6, _) => return Err("a field is of another kind than etcd's"),
                (_, VARINT) => drop(varint(&mut rest)?),
                (_, FIXED64) => drop(take(&mut rest, 8)?),
                (_, LENGTH) => drop(length_delimited(&mut rest)?),
                (_, FIXED32) => drop(take(&mut rest, 4)?),
                _ => return Err("a field is of a kind that protobuf does not have"),
            }
        }
        Ok(row)
    }

    /// A copy of its own.
    pub(super) fn to_key_value(self, keys_only: bool) -> KeyValue {
        KeyValue {
            key: Bytes::copy_from_slice(self.key),
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value: if keys_only { Bytes::new() } else { Bytes::copy_from_slice(self.value) },
            lease: self.lease,
        }
    }
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;
/// The largest number of a field in protobuf.
const MAX_FIELD: u64 = (1 << 29) - 1;

fn varint(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0_u64;
    for at in 0..10 {
        let byte = take(rest, 1)?[0];
        if at == 9 && byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err("a number has more than 64 bits")
}

fn length_delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let len = varint(rest)?;
    take(rest, usize::try_from(len).map_err(|_| TRUNCATED)?)
}

const TRUNCATED: &str = "it ends in the middle of a field";

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], &'static str> {
    let (taken, left) = rest.split_at_checked(len).ok_or(TRUNCATED)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use kv_testkit::Random;
    use prost::Message as _;

    use super::*;

    fn key_value(random: &mut Random) -> KeyValue {
        let bytes = |random: &mut Random, max| {
            let len = random.below(max);
            Bytes::from(random.bytes(len))
        };
        let number = |random: &mut Random| {
            if random.below(3) == 0 { 0 } else { random.next_u64().cast_signed() >> random.below(64) }
        };
        KeyValue {
            key: bytes(random, 40),
            create_revision: number(random),
            mod_revision: number(random),
            version: number(random),
            value: bytes(random, 300),
            lease: number(random),
        }
    }

    #[test]
    fn rows_are_etcds() {
        let foo = KeyValue {
            key: "foo".into(),
            create_revision: 2,
            mod_revision: 2,
            version: 1,
            value: "bar".into(),
            lease: 0,
        };
        assert_eq!(foo.encode_to_vec(), b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x03bar");
        let lease = LeaseRow { id: 0x6b93_a20e_1a37_2409, ttl: 100, remaining_ttl: 0 };
        assert_eq!(lease.encode_to_vec(), b"\x08\x89\xc8\xdc\xd1\xe1\xc1\xe8\xc9\x6b\x10\x64");
    }

    #[test]
    fn what_prost_writes_is_read() {
        let mut random = Random::new(1);
        for _ in 0..2000 {
            let written = key_value(&mut random);
            let bytes = written.encode_to_vec();
            assert_eq!(Row::parse(&bytes).map(|row| row.to_key_value(false)), Ok(written));
        }
    }

    #[test]
    fn damaged_rows_are_read_as_prost_reads_them() {
        let mut random = Random::new(2);
        for _ in 0..20_000 {
            let mut bytes = key_value(&mut random).encode_to_vec();
            for _ in 0..random.below(3) {
                if !bytes.is_empty() {
                    let at = random.below(bytes.len());
                    bytes[at] = random.bytes(1)[0];
                }
            }
            bytes.truncate(random.below(bytes.len() + 1));
            // Groups are the one thing that prost passes over and this does not: etcd never had one.
            match (Row::parse(&bytes), KeyValue::decode(&bytes[..])) {
                (Ok(row), decoded) => assert_eq!(Ok(row.to_key_value(false)), decoded, "{bytes:?}"),
                (Err(what), Ok(_)) => assert!(what.contains("kind"), "{what}: {bytes:?}"),
                (Err(_), Err(_)) => {}
            }
        }
    }
}
