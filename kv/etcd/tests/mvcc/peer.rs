//! A real etcd and this store, the same program on both: the same rows, the same hashes; and each opens what the other left.

use std::fs;
use std::path::Path;

use kv_etcd::mvcc::{
    CompactRequest, DeleteRangeRequest, LeaseGrantRequest, Options, PutRequest, RangeRequest, Store, Tombstones,
};
use kv_etcd::snapshot;
use kv_testkit::Random;
use kv_testkit::etcd::{Etcd, database};
use kv_testkit::etcd_release::Release;

use crate::{get, open, put};

fn is_missing() -> bool {
    Release::V3_4.programs().is_none()
}

/// etcd's hash at a revision.
fn hash(etcd: &Etcd, revision: i64) -> u32 {
    let output = etcd.output(&["endpoint", "hashkv", "--rev", &revision.to_string()]);
    output.trim().rsplit(", ").next().and_then(|hash| hash.parse().ok()).unwrap_or_else(|| panic!("{output}"))
}

fn as_debian() -> Options {
    Options::new().tombstones(Tombstones::DropAtCompactRev).lease_expiry(false)
}

/// The rows of the bucket `key`.
fn rows(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tx = store.begin_read();
    let rows = tx.bucket("key").expect("a bucket").iter();
    rows.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).expect("a row")).collect()
}

fn program(etcd: &Etcd, store: &Store, random: &mut Random, steps: usize) {
    for n in 0..steps {
        let key = format!("k{}", random.below(9));
        match random.below(11) {
            0..7 => {
                let value = "value ".repeat(random.below(20)) + &n.to_string();
                etcd.put(&key, &value);
                put(store, &key, &value);
            }
            7..9 => {
                etcd.output(&["del", &key]);
                store.delete_range(DeleteRangeRequest::key(key)).expect("a delete");
            }
            9 => {
                etcd.output(&["del", "k3", "k6"]);
                store.delete_range(DeleteRangeRequest::range("k3", "k6")).expect("a delete");
            }
            _ => {
                let revision = store.revision() - random.below(6) as i64;
                if revision > store.compact_revision().max(1) {
                    etcd.output(&["compact", "--physical", &revision.to_string()]);
                    store.compact(CompactRequest { revision, physical: true }).expect("a compaction");
                }
            }
        }
    }
}

#[test]
fn the_same_program_leaves_the_same_rows_and_hashes() {
    if is_missing() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let etcd = Etcd::start(&data);
    let store = open(&directory.path().join("ours"), as_debian());
    program(&etcd, &store, &mut Random::new(1), 150);
    assert!(store.compact_revision() > 1, "the program has compactions");
    for revision in store.compact_revision() + 1..=store.revision() {
        assert_eq!(store.hash_kv(revision).expect("a hash").hash, hash(&etcd, revision), "at {revision}");
    }
    etcd.stop();
    let theirs = Store::open(database(&data), as_debian().read_only()).expect("etcd's file opens");
    assert_eq!(rows(&theirs), rows(&store));
    assert_eq!((theirs.revision(), theirs.compact_revision()), (store.revision(), store.compact_revision()));
    assert!(theirs.status().consistent_index > 0);
}

/// Overwrites, deletes, a compaction, and keys of a lease.
fn fill(store: &Store) {
    store.lease_grant(LeaseGrantRequest { id: 0x123, ttl: 1000 }).expect("a lease");
    for n in 0..60 {
        put(store, &format!("key-{}", n % 17), &"value ".repeat(n));
        if n % 10 == 3 {
            store.delete_range(DeleteRangeRequest::range("key-3", "key-5")).expect("a delete");
        }
    }
    store.put(PutRequest { lease: 0x123, ..PutRequest::new("leased", "v") }).expect("a put");
    let revision = store.revision() - 20;
    store.compact(CompactRequest { revision, physical: true }).expect("a compaction");
    put(store, "last", "before etcd");
}

/// etcd on `data` has everything that `store` has, and writes on. Then the store opens etcd's file.
fn assert_served(data: &Path, store: Store) {
    let etcd = Etcd::start(data);
    let (first, last) = (store.compact_revision() + 1, store.revision());
    for revision in first..=last {
        assert_eq!(hash(&etcd, revision), store.hash_kv(revision).expect("a hash").hash, "at {revision}");
    }
    let keys = store.range(RangeRequest::prefix("")).expect("a read");
    let listed = etcd.output(&["get", "", "--prefix", "--keys-only"]);
    assert_eq!(listed.lines().filter(|line| !line.is_empty()).count(), keys.kvs.len());
    let lease = etcd.output(&["lease", "timetolive", "--keys", "123"]);
    assert!(lease.contains("granted with TTL(1000s)") && lease.contains("leased"), "{lease}");
    drop(store);
    etcd.put("after", "v");
    let answer = etcd.output(&["get", "after", "-w", "json"]);
    assert!(answer.contains(&format!("\"mod_revision\":{}", last + 1)), "{answer}");
    let now = hash(&etcd, last + 1);
    etcd.stop();
    let store = open(&database(data), as_debian());
    assert_eq!((store.revision(), store.hash_kv(0).expect("a hash").hash), (last + 1, now));
    assert_eq!(get(&store, "after", 0).as_deref(), Some("v"));
}

#[test]
fn etcd_restores_a_snapshot() {
    if is_missing() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(&directory.path().join("ours"), as_debian());
    fill(&store);
    let (saved, data) = (directory.path().join("saved"), directory.path().join("data"));
    snapshot::save(&store.begin_read(), &saved).expect("it is saved");
    let restored = std::process::Command::new("etcdctl")
        .env("ETCDCTL_API", "3")
        .args(["snapshot", "restore", "--data-dir"])
        .args([&data, &saved])
        .output()
        .expect("etcdctl was found");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_served(&data, store);

    let etcd = Etcd::start(&data);
    let theirs = directory.path().join("theirs");
    etcd.output(&["snapshot", "save", theirs.to_str().expect("UTF-8")]);
    let status = etcd.output(&["snapshot", "status", theirs.to_str().expect("UTF-8")]);
    etcd.stop();
    assert!(snapshot::verify(&theirs).expect("etcd's hash is right").is_some());
    let store = snapshot::open(&theirs, as_debian()).expect("etcd's snapshot opens");
    let ours = snapshot::status(&store.begin_read()).expect("figures");
    let figures = format!("{:x}, {}, {}, ", ours.hash, ours.revision, ours.total_key);
    assert!(status.starts_with(&figures), "{status} is not {figures}");
}

#[test]
fn etcd_serves_its_directory_after_the_store_wrote_in_it() {
    if is_missing() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let etcd = Etcd::start(&data);
    for n in 0..20 {
        etcd.put(&format!("theirs-{}", n % 6), &n.to_string());
    }
    etcd.stop();
    let store = open(&database(&data), as_debian());
    assert_eq!(get(&store, "theirs-1", 0).as_deref(), Some("19"));
    fill(&store);
    drop(store);
    let kept = directory.path().join("kept");
    fs::copy(database(&data), &kept).expect("a copy");
    assert_served(&data, open(&kept, as_debian()));
}

/// A new member on a file without anything else of etcd's.
#[test]
fn etcd_starts_on_a_bare_file() {
    if is_missing() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    fs::create_dir_all(database(&data).parent().expect("a directory")).expect("it is made");
    let store = open(&database(&data), as_debian());
    fill(&store);
    drop(store);
    let kept = directory.path().join("kept");
    fs::copy(database(&data), &kept).expect("a copy");
    assert_served(&data, open(&kept, as_debian()));
}
