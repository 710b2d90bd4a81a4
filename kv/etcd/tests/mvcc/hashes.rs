//! Hashes that real etcds gave for the same history.

use kv_etcd::mvcc::{CompactRequest, Error, Options, Store, Tombstones};

use crate::{Bench, delete, put};

fn history(store: &Store) {
    for (key, value) in [("k1", "a"), ("k1", "b"), ("k2", "a"), ("k2", "b"), ("k3", "a"), ("k3", "b")] {
        put(store, key, value);
    }
    delete(store, "k2");
    put(store, "k2", "again");
    delete(store, "k3");
    put(store, "k4", "z");
    delete(store, "k4");
    for value in ["t1", "t2", "t3"] {
        put(store, "k1", value);
    }
    assert_eq!(store.revision(), 15);
}

fn compact(store: &Store, revision: i64) {
    store.compact(CompactRequest { revision, physical: true }).expect("a compaction");
}

#[track_caller]
fn assert_hashes(store: &Store, expected: &[(i64, u32)]) {
    for &(revision, hash) in expected {
        let answer = store.hash_kv(revision).expect("a hash");
        assert_eq!((answer.hash, answer.hash_revision), (hash, revision));
        assert_eq!(answer.compact_revision, store.compact_revision());
    }
}

#[test]
fn hashes_are_etcds() {
    for tombstones in [Tombstones::KeepAtCompactRev, Tombstones::DropAtCompactRev] {
        let bench = Bench::with(Options::new().tombstones(tombstones).compaction_rows(2));
        let mut store = bench.open();
        history(&store);
        assert_hashes(
            &store,
            &[
                (-2, 1_084_519_789),
                (1, 1_084_519_789),
                (2, 1_141_488_549),
                (3, 413_438_956),
                (4, 81_946_059),
                (5, 130_708_997),
                (6, 1_831_212_768),
                (7, 2_565_607_258),
                (8, 1_615_634_635),
                (9, 263_808_419),
                (10, 2_902_831_868),
                (11, 2_525_739_823),
                (12, 3_238_654_589),
                (13, 2_357_050_794),
                (14, 3_700_780_820),
                (15, 2_331_336_325),
            ],
        );
        compact(&store, 10);
        let at_10 =
            [(11, 914_553_929), (12, 4_010_754_006), (13, 2_931_370_982), (14, 2_364_691_956), (15, 1_610_872_777)];
        assert_hashes(&store, &at_10);
        match tombstones {
            Tombstones::KeepAtCompactRev => assert_hashes(&store, &[(10, 507_096_954)]),
            Tombstones::DropAtCompactRev => assert!(matches!(store.hash_kv(10), Err(Error::Compacted))),
        }
        drop(store);
        store = bench.open();
        assert_hashes(&store, &at_10);
        compact(&store, 12);
        assert_hashes(&store, &[(13, 974_389_449), (14, 3_420_402_978), (15, 2_305_859_280)]);
        delete(&store, "k1");
        delete(&store, "k2");
        compact(&store, 16);
        assert_hashes(&store, &[(17, 2_044_638_560)]);
        compact(&store, 17);
        put(&store, "x", "1");
        assert_hashes(&store, &[(18, 226_055_327)]);
        assert!(matches!(store.hash_kv(19), Err(Error::FutureRevision)));
        assert!(matches!(store.hash_kv(16), Err(Error::Compacted)));
        let rows = store.begin_read().bucket("key").expect("a bucket").iter().count();
        let expected = if tombstones == Tombstones::KeepAtCompactRev { 2 } else { 1 };
        assert_eq!(rows, expected, "18_0, and 17_0t where it is kept");
    }
}

/// With either rule: only who names the compacted revision may be refused.
#[test]
fn the_hash_of_now_is_answered_when_now_is_the_compacted_revision() {
    for tombstones in [Tombstones::KeepAtCompactRev, Tombstones::DropAtCompactRev] {
        let bench = Bench::with(Options::new().tombstones(tombstones));
        let store = bench.open();
        history(&store);
        compact(&store, 15);
        let now = store.hash_kv(0).expect("a hash");
        assert_eq!((now.hash_revision, now.compact_revision), (15, 15));
        let named = store.hash_kv(15).map(|named| named.hash).ok();
        assert_eq!(named, (tombstones == Tombstones::KeepAtCompactRev).then_some(now.hash));
    }
}
