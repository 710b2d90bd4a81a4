//! Files that real etcds wrote.

use std::collections::BTreeMap;
use std::path::Path;

use kv_etcd::mvcc::{CompactRequest, Options, RangeRequest, Store};
use prost::Message as _;

use crate::{open, put};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

const FILES: [&str; 3] = ["etcd34-small-array.db", "etcd34-small-array.synced.db", "etcd34-small-map.db"];

/// All rows of the file, decoded by prost: per key the last put, without what was deleted.
fn newest(store: &Store) -> BTreeMap<Vec<u8>, kv_etcd::mvcc::KeyValue> {
    let tx = store.begin_read();
    let mut newest = BTreeMap::new();
    for item in tx.bucket("key").expect("a bucket") {
        let (key, value) = item.expect("a row");
        let kv = kv_etcd::mvcc::KeyValue::decode(value).expect("a KeyValue");
        if key.ends_with(b"t") && key.len() == 18 {
            newest.remove(&kv.key[..]);
        } else {
            newest.insert(kv.key.to_vec(), kv);
        }
    }
    newest
}

#[test]
fn etcds_files_are_read() {
    for name in FILES {
        let store = Store::open(fixture(name), Options::new().read_only()).expect("it opens");
        let all = store.range(RangeRequest::prefix("")).expect("a read");
        let expected = newest(&store);
        assert_eq!(all.count as usize, expected.len(), "{name}");
        assert!(all.count > 10 && store.compact_revision() > 1, "{name} has something");
        assert_eq!(all.kvs, expected.into_values().collect::<Vec<_>>(), "{name}");
        assert_eq!(store.leases().len(), 1, "{name}");
        for revision in store.compact_revision()..=store.revision() {
            store.hash_kv(revision).expect("a hash");
        }
    }
}

#[test]
fn etcds_files_are_written_on() {
    for name in FILES {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("db");
        std::fs::copy(fixture(name), &path).expect("a copy");
        let store = open(&path, Options::new().lease_expiry(false));
        let (revision, hash) = (store.revision(), store.hash_kv(0).expect("a hash").hash);
        assert_eq!(put(&store, "new", "v"), revision + 1);
        assert_eq!(store.hash_kv(revision).expect("a hash").hash, hash);
        store.compact(CompactRequest { revision, physical: true }).expect("a compaction");
        let (last, all) = (store.hash_kv(0).expect("a hash"), newest(&store));
        drop(store);
        let store = open(&path, Options::new().lease_expiry(false));
        assert_eq!((store.hash_kv(0).expect("a hash"), newest(&store)), (last, all), "{name}");
        assert!(store.begin_read().check().expect("it is read").is_empty(), "{name}");
    }
}
