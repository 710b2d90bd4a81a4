//! A write transaction shows its own state in every way in which a read transaction then shows it.

use std::ops::Bound;

use kv::{Db, Options, Step};

use crate::stores::in_memory;

/// Buckets `a` and `b`; `b` has the keys 00 to 99, and a bucket inside it.
fn filled() -> Db {
    let (db, _) = in_memory(&Options::new().page_size(1024));
    db.update(|tx| {
        tx.create_bucket("a")?;
        let mut bucket = tx.create_bucket("b")?;
        (0..100).try_for_each(|n| bucket.put(format!("{n:02}"), [b'v'; 40]))?;
        bucket.create_bucket("nested")?.put("k", "v")
    })
    .unwrap();
    db
}

#[test]
fn its_id_size_and_buckets_are_those_that_readers_see_afterwards() {
    let db = filled();
    let before = db.begin_read();
    let mut tx = db.begin_write().unwrap();
    assert_eq!(tx.size(), before.size());
    assert_eq!(Some(tx.id()), before.id().next());
    tx.create_bucket("c").unwrap();
    let names: Vec<Vec<u8>> = tx.buckets().map(|bucket| bucket.unwrap().0.to_vec()).collect();
    assert_eq!(names, [b"a", b"b", b"c"]);
    let id = tx.id();
    tx.commit().unwrap();

    let after = db.begin_read();
    assert_eq!(after.id(), id);
    let mut cursor = after.cursor();
    for name in &names {
        assert_eq!(cursor.next().unwrap(), Some((&name[..], None)));
    }
    assert_eq!(cursor.next().unwrap(), None);
}

#[test]
fn a_bucket_that_is_open_for_changes_can_be_read() {
    let db = filled();
    db.update(|tx| {
        let bucket = tx.bucket_mut("b")?;
        assert_eq!(((&bucket).into_iter().count(), bucket.items(..).count()), (100, 101));
        assert_eq!(bucket.get_bucket("nested")?.unwrap().get("k")?, Some(&b"v"[..]));
        assert!(bucket.get_bucket("absent")?.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cursor_for_changes_goes_to_both_ends() {
    let db = filled();
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        let mut cursor = bucket.cursor_mut();
        assert!(!cursor.delete()?, "a new cursor is nowhere");
        assert_eq!(cursor.first()?.unwrap().0, b"00");
        assert!(cursor.delete()?);
        assert_eq!(cursor.next()?.unwrap().0, b"01");
        assert_eq!(cursor.last()?, Some((&b"nested"[..], None)));
        assert_eq!(cursor.prev()?.unwrap().0, b"99");
        assert!(cursor.delete()?);
        assert_eq!(cursor.prev()?.unwrap().0, b"98");

        let mut empty = tx.bucket_mut("a")?;
        let mut cursor = empty.cursor_mut();
        assert_eq!(cursor.first()?, None);
        assert_eq!(cursor.last()?, None);
        assert!(!cursor.delete()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_range_that_begins_after_a_key_leaves_it_out() {
    let tx = filled();
    let tx = tx.begin_read();
    let bucket = tx.bucket("b").unwrap();
    for (after, first) in [("41", "42"), ("41x", "42"), ("", "00")] {
        let bounds = (Bound::Excluded(after), Bound::Unbounded);
        let there: Vec<_> = bucket.items(bounds).map(|item| item.unwrap().0).collect();
        assert_eq!(there[0], first.as_bytes());
        let mut back: Vec<_> = bucket.items(bounds).rev().map(|item| item.unwrap().0).collect();
        back.reverse();
        assert_eq!(back, there);
    }
    assert!(bucket.items((Bound::Excluded("nested"), Bound::Unbounded)).next().is_none());
}

#[test]
fn its_contents_have_what_it_has_changed_in_nested_buckets() {
    let db = filled();
    let mut tx = db.begin_write().unwrap();
    tx.bucket_mut("b").unwrap().bucket_mut("nested").unwrap().put("new", "n").unwrap();
    let bucket = tx.bucket_mut("b").unwrap();
    let mut nested = bucket.as_bucket().contents().skip_while(|step| !matches!(step, Ok(Step::Enter { .. })));
    assert!(matches!(nested.next(), Some(Ok(Step::Enter { name: b"nested", .. }))));
    assert!(matches!(nested.next(), Some(Ok(Step::Pair { key: b"k", value: b"v" }))));
    assert!(matches!(nested.next(), Some(Ok(Step::Pair { key: b"new", value: b"n" }))));
    assert!(matches!(nested.next(), Some(Ok(Step::Leave))));
}
