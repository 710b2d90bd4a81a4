//! Files that lie: about what is free, and about which state is theirs.

use std::os::unix::fs::FileExt as _;

use kv::{Db, FreelistSync, Options, PageKind};

use crate::tool::Bench;

/// A database of a few leaves whose list of free pages has a leaf in place of its first page.
fn wrong_list() -> Bench {
    let bench = Bench::new();
    let db = Options::new().freelist_sync(FreelistSync::Every).open(bench.path("db")).unwrap();
    for round in 0..3 {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            (0..100).step_by(1 + round * 40).try_for_each(|n| bucket.put(format!("key {n:03}"), [b'v'; 200]))
        })
        .unwrap();
    }
    let map = db.begin_read().page_map().unwrap();
    db.close().unwrap();
    let first = |kind| map.iter().find(|page| page.kind == kind).unwrap().id.get();
    let file = std::fs::OpenOptions::new().write(true).open(bench.path("db")).unwrap();
    file.write_all_at(&first(PageKind::Leaf).to_le_bytes(), first(PageKind::Freelist) * 4096 + 16).unwrap();
    bench
}

#[test]
fn a_wrong_list_is_said_and_nothing_is_lost() {
    let bench = wrong_list();
    let keys = bench.kv(&["keys", "db", "b"]).ok();
    let answer = bench.kv(&["put", "db", "b", "key 000", "new"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let said =
        ["kv: db: the list of free pages was wrong (page ", " is on it and in use)", ", 1 lost page among them\n"];
    assert!(said.iter().all(|part| answer.err.contains(part)), "{}", answer.err);
    assert_eq!(answer.err.lines().count(), 1);
    assert_eq!(bench.kv(&["keys", "db", "b"]).ok(), keys);
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
    assert_eq!(bench.kv(&["put", "db", "b", "key 000", "newer"]).err, "", "the commit has written a right one");
}

/// Both metas are of one transaction, and the one in page 1 names the state before.
fn two_states() -> Bench {
    let bench = Bench::new();
    let db = Db::open(bench.path("db")).unwrap();
    db.update(|tx| tx.create_bucket("first").map(drop)).unwrap();
    db.update(|tx| tx.create_bucket("second").map(drop)).unwrap();
    std::fs::copy(bench.path("db"), bench.path("copy")).unwrap();
    drop(db);
    let mut bytes = bench.read("copy");
    let newest = usize::from(bytes[64] < bytes[4096 + 64]) * 4096;
    let (tx, other) = (bytes[newest + 64], 4096 - newest);
    bytes[other + 64] = tx;
    let sum = bytes[other + 16..other + 72]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    bytes[other + 72..other + 80].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(bench.path("db"), bytes).unwrap();
    bench
}

#[test]
fn two_states_of_one_transaction_are_reported_and_one_is_chosen() {
    let bench = two_states();
    let before = bench.read("db");
    let refused = bench.kv(&["put", "db", "first", "key", "value"]).failed(1);
    assert!(refused.contains("they name different states") && refused.contains("kv surgery meta choose"), "{refused}");
    let info = bench.kv(&["info", "db"]);
    assert!(info.code == 1 && String::from_utf8_lossy(&info.out).contains("two states of transaction"), "{info:?}");
    let check = bench.kv(&["check", "db"]);
    assert!(check.code == 1 && String::from_utf8_lossy(&check.out).contains("names another state"), "{check:?}");
    let read = bench.kv(&["buckets", "db"]);
    assert!(read.code == 0 && read.err.contains("this is the state of page"), "{read:?}");
    assert_eq!(bench.read("db"), before);
    let mut states = Vec::new();
    for page in ["0", "1"] {
        let _ = std::fs::remove_file(bench.path("out"));
        bench.kv(&["surgery", "meta", "choose", "--meta-page", page, "--output", "out", "db"]).ok();
        bench.kv(&["info", "out"]).ok();
        states.push(bench.kv(&["buckets", "out"]).ok());
        bench.kv(&["put", "out", "first", "key", "value"]).ok();
        assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
    }
    states.sort();
    assert_eq!(states, ["first\n", "first\nsecond\n"]);
}
