//! What `etcdctl snapshot status` tells of a file.

use kv::ReadTx;

use crate::mvcc::{Result, newest_row};

/// Figures of a file, without its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// CRC-32C over the names and items of all buckets.
    pub hash: u32,
    /// The revision of the last row; 0 if there is none.
    pub revision: i64,
    /// Items of all buckets.
    pub total_key: u64,
    /// Bytes of the database.
    pub total_size: u64,
}

/// Reads everything that `tx` sees. O(size).
///
/// # Errors
/// A damaged row, or what the page store answers.
pub fn status(tx: &ReadTx<'_>) -> Result<Status> {
    let mut status = Status { total_size: tx.size(), revision: newest_row(tx)?, ..Status::default() };
    debug_assert!(status.total_size > 0, "a database has pages");
    for bucket in tx.buckets() {
        let (name, bucket) = bucket?;
        status.hash = crc32c::crc32c_append(status.hash, name);
        for item in bucket.items(..) {
            // A bucket in it counts as an item without a value, as etcd counts it.
            let (key, value) = item?;
            status.hash = crc32c::crc32c_append(status.hash, key);
            status.hash = crc32c::crc32c_append(status.hash, value.unwrap_or_default());
            status.total_key += 1;
        }
    }
    debug_assert!(status.revision == 0 || status.total_key > 0, "a revision has a row");
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes that etcdctl gave for these buckets.
    #[test]
    fn hashes_are_etcdctls() {
        let first: (&[u8], &[u8]) =
            (b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0", b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x03bar");
        let second: (&[u8], &[u8]) =
            (b"\0\0\0\0\0\0\0\x03_\0\0\0\0\0\0\0\0", b"\x0a\x02l1\x10\x03\x18\x03\x20\x01\x2a\x01x\x30\xa3\x02");
        let lease: (&[u8], &[u8]) = (b"\0\0\0\0\0\0\x01\x23", b"\x08\xa3\x02\x10\x3c");
        let db = kv::Options::new().open_store(Box::new(kv::MemStore::new())).expect("a database");
        let expect = |hash, revision, total_key| {
            let found = status(&db.begin_read()).expect("it is read");
            assert_eq!((found.hash, found.revision, found.total_key), (hash, revision, total_key));
        };
        let put = |bucket: &str, rows: &[(&[u8], &[u8])]| {
            db.update(|tx| {
                let mut bucket = tx.create_bucket_if_absent(bucket)?;
                rows.iter().try_for_each(|(key, value)| bucket.put(key, value))
            })
            .expect("a commit");
        };
        expect(0, 0, 0);
        put("key", &[first]);
        expect(3_305_255_506, 2, 1);
        put("key", &[second]);
        put("meta", &[]);
        expect(678_090_471, 3, 2);
        put("lease", &[lease]);
        expect(59_921_234, 3, 3);
    }
}
