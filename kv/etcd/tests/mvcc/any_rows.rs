//! Any rows in the bucket `key`: a clear error, or a store that works. The body of a fuzz target, too.

use kv_etcd::mvcc::{
    CompactRequest, DeleteRangeRequest, Error, Options, PutRequest, RangeRequest, Store, Tombstones, WatchRequest,
};

/// Rows from bytes: lengths of key and value, the key, the value, and again. The first byte chooses options.
fn rows(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut rest, mut rows) = (bytes, Vec::new());
    while let [key_len, value_len, more @ ..] = rest {
        let Some((key, more)) = more.split_at_checked(usize::from(*key_len)) else { break };
        let Some((value, more)) = more.split_at_checked(usize::from(*value_len)) else { break };
        rows.push((key, value));
        rest = more;
    }
    rows
}

/// Opens a store on these rows and does a little of everything.
///
/// # Panics
/// If the store does not do what it promises.
#[allow(unreachable_pub, reason = "a fuzz target calls it")]
pub fn run(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let tombstones = if choice & 1 == 0 { Tombstones::KeepAtCompactRev } else { Tombstones::DropAtCompactRev };
    let db = kv::Options::new().no_sync(true).open_store(Box::new(kv::MemStore::new())).expect("a database");
    db.update(|tx| {
        let mut bucket = tx.create_bucket("key")?;
        for (key, value) in rows(bytes).into_iter().filter(|(key, _)| !key.is_empty()) {
            bucket.put(key, value)?;
        }
        Ok::<_, kv::Error>(())
    })
    .expect("rows of any kind");
    match Store::from_db(db, Options::new().tombstones(tombstones).lease_expiry(false)) {
        Ok(store) => works(&store, tombstones),
        Err(Error::DamagedRow { bucket: "key", .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

fn works(store: &Store, tombstones: Tombstones) {
    let all = RangeRequest::prefix("");
    let before = store.range(all.clone()).expect("a read");
    assert_eq!(before.kvs.len() as i64, before.count);
    store.hash_kv(0).expect("a hash");
    let mut log = store
        .watch(WatchRequest { start_revision: 1, prev_kv: true, ..WatchRequest::prefix("") }, || ())
        .expect("a watch");
    while log.try_next().expect("history").is_some() {}
    for kv in before.kvs.iter().take(4) {
        store.put(PutRequest::new(kv.key.clone(), "v")).expect("a put");
        store.delete_range(DeleteRangeRequest::key(kv.key.clone())).expect("a delete");
    }
    let revision = store.revision();
    if revision > 1 {
        store.compact(CompactRequest { revision, physical: true }).expect("a compaction");
        let hash = store.hash_kv(revision);
        assert_eq!(hash.is_ok(), tombstones == Tombstones::KeepAtCompactRev);
    }
    let after = store.range(all).expect("a read");
    assert_eq!(after.kvs, before.kvs.get(4..).unwrap_or_default(), "the others stay");
}

#[cfg(test)]
mod tests {
    use kv_testkit::Random;

    /// Rows that are mostly right.
    fn likely(random: &mut Random) -> Vec<u8> {
        let mut bytes = random.bytes(1);
        let mut main = 1;
        for _ in 0..random.below(30) {
            main += random.below(3) as u8;
            let mut key = vec![0, 0, 0, 0, 0, 0, 0, main, b'_', 0, 0, 0, 0, 0, 0, 0, random.below(3) as u8];
            if random.one_in(4) {
                key.push(b't');
            }
            let mut value = vec![0x0a, 1, *random.pick(b"abcdef"), 0x10, main, 0x18, main, 0x20, random.below(4) as u8];
            value.extend([0x2a, 1, b'v']);
            if random.one_in(12) {
                let at = random.below(key.len());
                key[at] = random.bytes(1)[0];
            }
            if random.one_in(12) {
                let at = random.below(value.len());
                value[at] = random.bytes(1)[0];
            }
            bytes.extend([key.len() as u8, value.len() as u8]);
            bytes.extend(key);
            bytes.extend(value);
        }
        bytes
    }

    #[test]
    fn likely_rows() {
        let mut random = Random::new(3);
        for _ in 0..400 {
            super::run(&likely(&mut random));
        }
    }

    #[test]
    fn the_largest_revisions() {
        for main in [i64::MAX, i64::MAX - 1, i64::MAX / 2, i64::MAX / 2 + 1] {
            let mut key = main.to_le_bytes();
            key.reverse();
            let key = [&key[..], b"_\0\0\0\0\0\0\0\0"].concat();
            let value = b"\x0a\x01a\x10\x02\x18\x02\x20\x01";
            super::run(&[&[0, key.len() as u8, value.len() as u8], &key[..], &value[..]].concat());
        }
    }
}
