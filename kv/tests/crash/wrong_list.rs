//! A list of free pages that is not the one that the commit wrote: a bit of it has flipped, or of its seal, or the disk
//! has lost the write and kept what was there before. Opening walks over the trees then, and the next commits write over
//! nothing.

use std::sync::Arc;

use kv::{Db, FreelistOrigin, FreelistSync, Options};
use pagefile_std::MemStore;

const PAGE: usize = 1024;
/// Of a meta page, in bytes: where the number of the freelist page lies, and the extension.
const FREELIST: usize = 48;
const EXTENSION: std::ops::Range<usize> = 80..512;

fn options() -> Options {
    Options::new().page_size(1024).create(false).freelist_sync(FreelistSync::OnClose)
}

fn put(db: &Db, keys: std::ops::Range<u8>, round: u8) {
    db.update(|tx| {
        let mut bucket = tx.create_bucket_if_absent("b")?;
        keys.clone().try_for_each(|key| bucket.put([key], vec![round; 150]))
    })
    .unwrap();
}

/// A file that was closed, of some leaves with free pages between them; `list` is where its list lies.
struct Closed {
    bytes: Vec<u8>,
    meta: usize,
    list: std::ops::Range<usize>,
}

/// What the keys hold.
fn content(db: &Db) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    bucket.iter().map(|item| item.unwrap()).map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
}

fn closed(store: &MemStore) -> Closed {
    let bytes = store.snapshot();
    let newest = |meta: &usize| word(&bytes, meta + 64);
    let meta = [0, PAGE].into_iter().max_by_key(newest).unwrap();
    let list = word(&bytes, meta + FREELIST) * PAGE;
    Closed { meta, list: list..list + PAGE, bytes }
}

/// A database and two closed files of it, one after the other.
fn two_closes() -> [Closed; 2] {
    let store = Arc::new(MemStore::new());
    let db = options().create(true).open_store(Box::new(Arc::clone(&store))).unwrap();
    put(&db, 0..60, 1);
    for key in [3, 30, 45] {
        put(&db, key..key + 1, 2);
    }
    db.close().unwrap();
    let first = closed(&store);
    let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
    for key in [50, 10, 20] {
        put(&db, key..key + 1, 3);
    }
    db.close().unwrap();
    [first, closed(&store)]
}

/// Opens the bytes, which must be found by a walk, and commits to them: every key stays as it was or as it was put.
fn nothing_is_lost(bytes: &[u8], expected: &[(Vec<u8>, Vec<u8>)], what: std::fmt::Arguments<'_>) {
    let db = options().open_store(Box::new(MemStore::with_bytes(bytes))).unwrap();
    assert_ne!(db.stats().freelist, FreelistOrigin::Sealed, "{what}");
    assert_eq!(content(&db), expected, "{what}");
    let mut expected = expected.to_vec();
    for key in [5, 55, 33] {
        put(&db, key..key + 1, 9);
        expected[usize::from(key)].1 = vec![9; 150];
        assert_eq!(content(&db), expected, "{what}, after a commit");
    }
    assert_eq!(db.begin_read().check().unwrap(), [], "{what}");
}

#[test]
fn a_flipped_bit_of_the_list_or_of_its_seal_loses_nothing() {
    let [_, file] = two_closes();
    let db = options().open_store(Box::new(MemStore::with_bytes(&file.bytes))).unwrap();
    assert_eq!(db.stats().freelist, FreelistOrigin::Sealed);
    assert!(db.stats().free_pages >= 3, "a list worth believing");
    let expected = content(&db);
    for at in file.list.clone().chain(EXTENSION.map(|at| file.meta + at)) {
        for bit in 0..8 {
            let mut bytes = file.bytes.clone();
            bytes[at] ^= 1 << bit;
            nothing_is_lost(&bytes, &expected, format_args!("byte {at}, bit {bit}"));
        }
    }
}

/// As bbolt writes it: nobody vouches for it.
#[test]
fn a_flipped_bit_of_a_list_without_a_seal_loses_nothing() {
    let [_, file] = two_closes();
    let mut unsealed = file.bytes.clone();
    unsealed[file.meta..][EXTENSION].fill(0);
    let db = options().open_store(Box::new(MemStore::with_bytes(&unsealed))).unwrap();
    assert_eq!(db.stats().freelist, FreelistOrigin::Checked);
    let expected = content(&db);
    let numbers = usize::try_from(db.stats().free_pages).unwrap();
    for at in file.list.start..file.list.start + 16 + 8 * numbers {
        for bit in 0..8 {
            let mut bytes = unsealed.clone();
            bytes[at] ^= 1 << bit;
            nothing_is_lost(&bytes, &expected, format_args!("byte {at}, bit {bit}"));
        }
    }
}

#[test]
fn a_list_that_the_disk_has_lost_loses_nothing() {
    let [before, file] = two_closes();
    let expected = content(&options().open_store(Box::new(MemStore::with_bytes(&file.bytes))).unwrap());
    // What was there before, as if the list had never been written; the list before in its place; a part of it.
    let stale = |from: usize, len: usize| {
        let mut bytes = file.bytes.clone();
        bytes[file.list.start..file.list.start + len].copy_from_slice(&before.bytes[from..from + len]);
        let number = file.list.start / PAGE;
        bytes[file.list.start..file.list.start + 8].copy_from_slice(&(number as u64).to_le_bytes());
        bytes
    };
    for from in [file.list.start, before.list.start] {
        for len in [512, PAGE] {
            let bytes = stale(from, len);
            assert_ne!(bytes, file.bytes);
            nothing_is_lost(&bytes, &expected, format_args!("{len} bytes of page {}", from / PAGE));
        }
    }
}
