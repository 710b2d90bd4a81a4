//! Deletions: what a transaction deletes costs it nothing afterwards.

use kv::{Cursor, Error, Item, Options, WriteTx};

use crate::stores::in_memory;

/// Keys that take some hundreds of leaves of 1 KiB, and three levels.
const KEYS: u32 = 10_000;

/// Nodes that are in memory at most: a way or two down the tree. There are some hundreds if empty leaves stay.
const NODES: u64 = 10;

fn key(n: u32) -> String {
    format!("{n:06}")
}

/// Deletes all keys in one transaction, each time the one that `next` finds, and looks at the nodes in memory after each.
fn pop(next: impl for<'t> Fn(&mut Cursor<'t>) -> Result<Option<Item<'t>>, Error>) {
    let (db, _) = in_memory(&Options::new().page_size(1024));
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..KEYS).try_for_each(|n| bucket.put(key(n), [7; 40]))
    })
    .unwrap();
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
    let (db, _) = in_memory(&Options::new().page_size(1024));
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..KEYS).try_for_each(|n| bucket.put(key(n), [7; 40]))
    })
    .unwrap();
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
