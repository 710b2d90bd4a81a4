//! Deletions: of single keys, which cost a transaction nothing afterwards; of ranges; of what a closure refuses.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};

use kv::{Cursor, Db, Error, FreelistSync, Item, Options, WriteTx};

use crate::stores::{dump, in_memory};

/// Keys that take some hundreds of leaves of 1 KiB, and three levels.
const KEYS: u32 = 10_000;

/// Nodes that are in memory at most: a way or two down the tree. There are some hundreds if empty leaves stay.
const NODES: u64 = 10;

fn key(n: u32) -> String {
    format!("{n:06}")
}

/// A bucket "b" of so many pairs, in pages of 1 KiB.
fn filled(keys: u32) -> Db {
    let (db, _) = in_memory(&Options::new().page_size(1024));
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..keys).try_for_each(|n| bucket.put(key(n), [7; 40]))
    })
    .unwrap();
    db
}

/// Commits, checks, and compares the keys of "b".
fn expect(tx: WriteTx<'_>, db: &Db, keys: &BTreeSet<String>) {
    tx.commit().unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    let bucket = tx.bucket("b").unwrap();
    let left = bucket.iter().map(|item| String::from_utf8(item.unwrap().0.to_vec()).unwrap());
    assert!(left.eq(keys.iter().cloned()), "other keys are left");
}

/// Deletes all keys in one transaction, each time the one that `next` finds, and looks at the nodes in memory after each.
fn pop(next: impl for<'t> Fn(&mut Cursor<'t>) -> Result<Option<Item<'t>>, Error>) {
    let db = filled(KEYS);
    let mut tx = db.begin_write().unwrap();
    for _ in 0..KEYS {
        let mut bucket = tx.bucket_mut("b").unwrap();
        let key = next(&mut bucket.cursor()).unwrap().unwrap().0.to_vec();
        assert!(bucket.delete(key).unwrap());
        bounded(&tx);
    }
    assert_eq!(tx.bucket("b").unwrap().iter().count(), 0);
    tx.commit().unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    assert_eq!(tx.bucket("b").unwrap().stats().unwrap().inline_buckets, 1, "an empty bucket has no page");
}

fn bounded(tx: &WriteTx<'_>) {
    let nodes = tx.stats().nodes;
    assert!(nodes <= NODES, "{nodes} nodes are in memory: leaves that are empty are passed over again and again");
}

#[test]
fn from_the_front_leave_no_empty_leaves_behind() {
    pop(|cursor| cursor.first());
}

#[test]
fn from_the_back_leave_no_empty_leaves_behind() {
    pop(|cursor| cursor.last());
}

#[test]
fn from_the_middle_leave_no_empty_leaves_behind() {
    pop(|cursor| match cursor.seek(key(KEYS / 2))? {
        None => cursor.last(),
        found => Ok(found),
    });
}

#[test]
fn at_a_cursor_leave_no_empty_leaves_behind() {
    let db = filled(KEYS);
    let mut tx = db.begin_write().unwrap();
    let mut bucket = tx.bucket_mut("b").unwrap();
    let mut cursor = bucket.cursor_mut();
    while cursor.next().unwrap().is_some() {
        assert!(cursor.delete().unwrap());
    }
    bounded(&tx);
    // What is emptied can be filled again.
    tx.bucket_mut("b").unwrap().put("key", "value").unwrap();
    tx.commit().unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    assert_eq!(tx.bucket("b").unwrap().get("key").unwrap(), Some(&b"value"[..]));
}

#[test]
fn a_range_goes_whatever_its_bounds_are() {
    // Few keys, in one leaf; some leaves; three levels.
    for keys in [5, 60, 3000] {
        let db = filled(keys);
        let edges = [0, 1, keys / 3, keys / 2, keys / 2 + 1, keys - 1, keys, keys + 1];
        let bounds: Vec<Bound<String>> = edges
            .iter()
            .flat_map(|&n| [Bound::Included(key(n)), Bound::Excluded(key(n)), Bound::Excluded(key(n) + "-")])
            .chain([Bound::Unbounded])
            .collect();
        for range in bounds.iter().flat_map(|start| bounds.iter().map(move |end| (start.clone(), end.clone()))) {
            let mut tx = db.begin_write().unwrap();
            let mut bucket = tx.bucket_mut("b").unwrap();
            let all = (0..keys).map(key);
            let (gone, left): (BTreeSet<String>, BTreeSet<String>) = all.partition(|key| range.contains(key));
            assert_eq!(bucket.delete_range(range.clone()).unwrap(), gone.len() as u64, "{range:?} of {keys}");
            let found = bucket.iter().map(|item| String::from_utf8(item.unwrap().0.to_vec()).unwrap());
            assert!(found.eq(left.iter().cloned()), "{range:?} of {keys}");
            if gone.is_empty() {
                assert_eq!(tx.stats().nodes, 0, "where nothing is deleted nothing is copied");
            }
        }
    }
}

#[test]
fn a_range_is_deleted_without_copying_what_lies_inside() {
    let db = filled(KEYS);
    let mut tx = db.begin_write().unwrap();
    assert_eq!(tx.bucket_mut("b").unwrap().delete_range(key(10)..key(KEYS - 10)).unwrap(), u64::from(KEYS) - 20);
    bounded(&tx);
    assert!(tx.stats().pages_freed > 500, "the pages inside are given back");
    expect(tx, &db, &(0..10).chain(KEYS - 10..KEYS).map(key).collect());
}

#[test]
fn a_range_and_clear_delete_nested_buckets_with_all_their_pages() {
    // With the list of free pages in each commit, the check finds pages that are neither used nor free.
    let (db, _) = in_memory(&Options::new().page_size(1024).freelist_sync(FreelistSync::Every));
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let empty = (dump(&db.begin_read()), db.begin_read().bucket("b").unwrap().stats().unwrap());
    for clear in [true, false] {
        db.update(|tx| {
            let mut bucket = tx.bucket_mut("b")?;
            for n in 0..40 {
                bucket.put(key(n), [7; 100])?;
                // Every other one is inline.
                let mut nested = bucket.create_bucket(key(n) + "-")?;
                (0..if n % 2 == 0 { 2 } else { 50 }).try_for_each(|n| nested.put(key(n), [7; 40]))?;
                nested.create_bucket("inside")?.put("key", [7; 2000])?;
            }
            Ok(())
        })
        .unwrap();
        let mut tx = db.begin_write().unwrap();
        let mut bucket = tx.bucket_mut("b").unwrap();
        // Some are open, some of these are changed, and one is new.
        bucket.bucket_mut(key(7) + "-").unwrap().bucket_mut("inside").unwrap().put("more", [7; 3000]).unwrap();
        bucket.bucket_mut(key(8) + "-").unwrap();
        bucket.create_bucket("new").unwrap().put("key", [7; 3000]).unwrap();
        if clear {
            bucket.clear().unwrap();
        } else {
            // Within one leaf.
            assert_eq!(bucket.delete_range(key(20)..key(21)).unwrap(), 2);
            assert_eq!(bucket.delete_range(key(5)..).unwrap(), 69);
            assert_eq!(bucket.items(..).count(), 10);
            assert_eq!(bucket.delete_range(..).unwrap(), 10);
        }
        tx.commit().unwrap();
        let tx = db.begin_read();
        assert_eq!(tx.check().unwrap(), []);
        assert_eq!((dump(&tx), tx.bucket("b").unwrap().stats().unwrap()), empty);
    }
}

#[test]
fn retain_asks_for_each_pair_once_and_in_order() {
    for keys in [0, 5, 3000] {
        for keep in [|_| true, |_| false, |n| n % 2 == 0, |n| n % 50 != 7, |n| !(1000..=2000).contains(&n)]
            as [fn(u32) -> bool; 5]
        {
            let db = filled(keys);
            let mut tx = db.begin_write().unwrap();
            // An inline bucket is a node when it is open.
            tx.bucket_mut("b").map(drop).unwrap();
            let (nodes, mut next) = (tx.stats().nodes, 0);
            let refused = tx.bucket_mut("b").unwrap().retain(|found, value| {
                assert_eq!((found, value), (key(next).as_bytes(), &[7; 40][..]));
                next += 1;
                keep(next - 1)
            });
            assert_eq!(next, keys);
            let left: BTreeSet<String> = (0..keys).filter(|&n| keep(n)).map(key).collect();
            assert_eq!(refused.unwrap(), u64::from(keys) - left.len() as u64);
            if left.len() == keys as usize {
                assert_eq!(tx.stats().nodes, nodes, "where all stay nothing is copied");
            }
            expect(tx, &db, &left);
        }
    }
}

#[test]
fn retain_joins_leaves_that_fit_into_one_page() {
    let db = filled(KEYS);
    let pages = |db: &Db| db.begin_read().bucket("b").unwrap().stats().unwrap().leaf_pages;
    let before = pages(&db);
    db.update(|tx| tx.bucket_mut("b")?.retain(|key, _| key[5] % 4 == 0).map(drop)).unwrap();
    assert!(pages(&db) * 5 < before * 2, "{} pages of {before}", pages(&db));
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn retain_keeps_nested_buckets_unasked() {
    let db = filled(100);
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        (0..100).try_for_each(|n| bucket.create_bucket(key(n) + "-")?.put("key", "value"))?;
        // One is open and changed.
        bucket.bucket_mut(key(7) + "-")?.put("key", "another")?;
        assert_eq!(bucket.retain(|_, _| false)?, 100);
        Ok(())
    })
    .unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    let bucket = tx.bucket("b").unwrap();
    assert_eq!((bucket.items(..).count(), bucket.iter().count()), (100, 0));
    assert_eq!(bucket.bucket(key(7) + "-").unwrap().get("key").unwrap(), Some(&b"another"[..]));
}

#[test]
fn retain_whose_closure_panics_leaves_a_whole_tree() {
    for panics_at in [0, 10, 1500, 2999] {
        let db = filled(3000);
        let mut tx = db.begin_write().unwrap();
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let mut bucket = tx.bucket_mut("b").unwrap();
            bucket.retain(|found, _| if found == key(panics_at).as_bytes() { panic!("as told") } else { false })
        }));
        assert!(asked.is_err());
        let left = tx.bucket("b").unwrap().iter().count() as u32;
        assert!((3000 - panics_at..=3000).contains(&left), "only what was refused is gone");
        expect(tx, &db, &(3000 - left..3000).map(key).collect());
    }
}
