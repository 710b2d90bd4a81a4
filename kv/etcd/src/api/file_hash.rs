//! The hash over everything in the file, which etcd has for its own tests.

use crate::mvcc::{self, Store};

/// Rows of the bucket `meta` that say how far a member's log is: they are not content.
const NOT_CONTENT: [&[u8]; 3] = [b"consistent_index", b"storageVersion", b"term"];

/// CRC-32C over the names of the buckets, each with its rows. O(rows).
///
/// # Errors
/// What the page store answers.
pub(crate) fn file_hash(store: &Store) -> mvcc::Result<u32> {
    let tx = store.begin_read();
    let mut hash = 0;
    for bucket in tx.buckets() {
        let (name, bucket) = bucket?;
        debug_assert!(!name.is_empty(), "a bucket has a name");
        hash = crc32c::crc32c_append(hash, name);
        for row in &bucket {
            let (key, value) = row?;
            if name != b"meta" || !NOT_CONTENT.contains(&key) {
                hash = crc32c::crc32c_append(crc32c::crc32c_append(hash, key), value);
            }
        }
    }
    Ok(hash)
}
