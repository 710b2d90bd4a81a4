//! What bbolt gets wrong, and this engine must not: FORMAT.md names each.

use std::fs;
use std::sync::Arc;

use kv::{Db, Error, FreelistSync, Options, PageId};

use crate::stores::{Field, Fragile, dump_of, dump_of_bytes, file, in_memory, newest_meta, with_bytes, word};

/// bbolt frees only every second nested bucket when the deleted bucket was written in the same transaction.
#[test]
fn deleting_a_bucket_frees_all_its_pages() {
    for same_transaction in [true, false] {
        let options = Options::new().strict(true).freelist_sync(FreelistSync::Every);
        let (db, store) = in_memory(&options);
        db.update(|tx| tx.create_bucket("stays")?.put("k", "v")).unwrap();
        let empty = dump_of(&db);
        let fill = |n: u32, tx: &mut kv::WriteTx<'_>| {
            let mut top = tx.create_bucket_if_absent("top")?;
            top.create_bucket(format!("sub {n:03}"))?.put("large", vec![n as u8; 2000 + 100 * n as usize])
        };
        db.update(|tx| {
            (0..100).try_for_each(|n| fill(n, tx))?;
            if same_transaction { tx.delete_bucket("top") } else { Ok(()) }
        })
        .unwrap();
        if !same_transaction {
            db.update(|tx| {
                (100..110).try_for_each(|n| fill(n, tx))?;
                tx.delete_bucket("top")
            })
            .unwrap();
        }
        assert_eq!(dump_of(&db), empty);
        assert_eq!(db.begin_read().check().unwrap(), []);
        drop(db);
        assert_eq!(dump_of_bytes(&store.snapshot()), empty);
    }
}

/// bbolt drops what the transaction has written to the moved bucket before.
#[test]
fn moving_a_bucket_keeps_what_was_written_to_it() {
    let (db, _) = in_memory(&Options::new().strict(true));
    db.update(|tx| {
        tx.create_bucket("old")?.put("before", "1")?;
        tx.create_bucket("target").map(|_| ())
    })
    .unwrap();
    db.update(|tx| {
        tx.bucket_mut("old")?.put("now", vec![2; 3000])?;
        tx.bucket_mut("old")?.set_sequence(9)?;
        tx.bucket_mut("old")?.create_bucket("inner")?.put("k", "v")?;
        tx.create_bucket("new")?.put("now", "3")?;
        tx.move_bucket("old", &[], &[b"target"])?;
        tx.move_bucket("new", &[], &[b"target", b"old"])?;
        tx.bucket_mut("target")?.bucket_mut("old")?.put("after", "4")
    })
    .unwrap();
    let tx = db.begin_read();
    let old = tx.bucket("target").unwrap().bucket("old").unwrap();
    assert_eq!(old.sequence(), 9);
    let keys: Vec<&[u8]> = old.items(..).map(|item| item.unwrap().0).collect();
    assert_eq!(keys, [&b"after"[..], b"before", b"inner", b"new", b"now"]);
    assert_eq!(old.get("now").unwrap().map(<[u8]>::len), Some(3000));
    assert_eq!(old.bucket("inner").unwrap().get("k").unwrap(), Some(&b"v"[..]));
    assert_eq!(old.bucket("new").unwrap().get("now").unwrap(), Some(&b"3"[..]));
    assert!(tx.get_bucket("old").unwrap().is_none() && tx.get_bucket("new").unwrap().is_none());
    assert_eq!(tx.check().unwrap(), []);
}

/// bbolt's cursor passes over the item after a deleted one.
#[test]
fn a_cursor_skips_nothing_after_a_delete() {
    const KEYS: u32 = 3000;
    for backwards in [false, true] {
        for every in [1, 2, 7] {
            let (db, _) = in_memory(&Options::new().page_size(1024).strict(true));
            db.update(|tx| {
                let mut bucket = tx.create_bucket("b")?;
                (0..KEYS).try_for_each(|n| bucket.put(format!("{n:05}"), "value"))
            })
            .unwrap();
            let seen = db
                .update(|tx| {
                    let mut bucket = tx.bucket_mut("b")?;
                    let mut cursor = bucket.cursor_mut();
                    let mut seen: Vec<u32> = Vec::new();
                    while let Some((key, _)) = if backwards { cursor.prev()? } else { cursor.next()? } {
                        seen.push(str::from_utf8(key).unwrap().parse().unwrap());
                        if seen.len().is_multiple_of(every) {
                            assert!(cursor.delete()?);
                        }
                    }
                    Ok(seen)
                })
                .unwrap();
            let all: Vec<u32> = if backwards { (0..KEYS).rev().collect() } else { (0..KEYS).collect() };
            assert_eq!(seen, all);
            let left = db.begin_read().bucket("b").unwrap().iter().count();
            assert_eq!(left, KEYS as usize - KEYS as usize / every);
        }
    }
}

/// bbolt writes a new file in place: a power cut leaves one that does not open.
#[test]
fn a_new_file_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.db");
    Db::open(&path).unwrap().close().unwrap();
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["new.db"], "nothing else is left");
    assert!(fs::metadata(&path).unwrap().len() >= 4 * 4096);

    // What a power cut may leave of it by our hand: an empty file, which is a new one still.
    let empty = dir.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    Db::open(&empty).unwrap().update(|tx| tx.create_bucket("b").map(|_| ())).unwrap();

    // What bbolt may leave: opening refuses the file and does not change it, so that it can be examined.
    let whole = fs::read(&path).unwrap();
    for cut in [1, 80, 4095, 4096, 8192, 12288, 16383] {
        let half = dir.path().join("half.db");
        fs::write(&half, &whole[..cut]).unwrap();
        let refused = Db::open(&half).unwrap_err();
        assert!(matches!(refused, Error::NotADatabase | Error::Truncated { .. }), "{cut}: {refused}");
        assert_eq!(fs::read(&half).unwrap(), whole[..cut]);
    }
    fs::write(&empty, vec![0; 16384]).unwrap();
    assert!(matches!(Db::open(&empty), Err(Error::NotADatabase)));
}

/// bbolt syncs twice for a transaction that changed nothing.
#[test]
fn an_empty_commit_costs_nothing() {
    let store =
        Fragile::new(&file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap()), 0);
    let db = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap();
    let before = store.changes();
    db.update(|tx| tx.bucket("b").map(|_| ())).unwrap();
    db.update(|tx| tx.bucket_mut("b")?.delete("never there").map(|_| ())).unwrap();
    assert_eq!(store.changes(), before);
    assert_eq!(db.stats().tx.commits, 0);
}

/// Two buckets with pages of their own, a value over several pages, and a stored freelist.
fn checked_file() -> Vec<u8> {
    file(&Options::new().page_size(1024).freelist_sync(FreelistSync::Every), |db| {
        db.update(|tx| {
            tx.create_bucket("many")?.put("k", vec![1; 900])?;
            (0..100u32).try_for_each(|n| tx.bucket_mut("many")?.put(format!("{n:03}"), "value"))?;
            tx.create_bucket("large")?.put("k", vec![2; 5000])
        })
        .unwrap();
    })
}

/// bbolt's check takes a page number equal to the high-water mark for a page.
#[test]
fn check_notices_a_page_at_the_high_water_mark() {
    let clean = checked_file();
    let root =
        with_bytes(&clean, &Options::new().read_only(true)).unwrap().begin_read().bucket("many").unwrap().root_page();
    let high_water = word(&clean, newest_meta(&clean, 1024) + Field::HighWater as usize);
    let mut bytes = clean.clone();
    // The last child of the branch that the bucket starts at.
    let branch = root.get() as usize * 1024;
    assert_eq!(bytes[branch + 8], 1, "the bucket's root is a branch");
    let last = branch + 16 * usize::from(bytes[branch + 10]) + 8;
    bytes[last..last + 8].copy_from_slice(&high_water.to_le_bytes());
    // There are bytes there: the file is longer than it is used.
    bytes.resize(bytes.len() + 4096, 0);
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let problems = db.begin_read().check().unwrap();
    assert!(problems.iter().any(|problem| problem.page == PageId::new(high_water)), "{problems:?}");
}

/// bbolt's check looks for the first page of a run in the freelist, and not for the others.
#[test]
fn check_notices_a_free_page_within_a_run() {
    let clean = checked_file();
    let root =
        with_bytes(&clean, &Options::new().read_only(true)).unwrap().begin_read().bucket("large").unwrap().root_page();
    let list = word(&clean, newest_meta(&clean, 1024) + Field::Freelist as usize) as usize * 1024;
    for page in root.get()..root.get() + 5 {
        let mut bytes = clean.clone();
        let count = u16::from_le_bytes([bytes[list + 10], bytes[list + 11]]);
        bytes[list + 10..list + 12].copy_from_slice(&(count + 1).to_le_bytes());
        let at = list + 16 + usize::from(count) * 8;
        bytes[at..at + 8].copy_from_slice(&page.to_le_bytes());
        let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
        let problems = db.begin_read().check().unwrap();
        assert!(problems.iter().any(|problem| problem.page.get() == page), "{page}: {problems:?}");
    }
}
