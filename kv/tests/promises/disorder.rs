//! Pages whose keys are in disorder: a walk that meets one ends with its number, and no change is made to one.

use std::ops::Range;

use kv::surgery::RawFile;
use kv::{Db, Error, MemStore, Options, PageId, PageKind};

use crate::stores::{file, in_memory, with_bytes};

const PAGE: usize = 1024;

/// Bucket `b` with 2,000 keys: leaves that are half full below two levels of branches.
fn orderly() -> Vec<u8> {
    let bytes = file(&Options::new().page_size(PAGE as u32).strict(true), |db| {
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            bucket.set_fill_percent(0.5);
            (0..2000).try_for_each(|n| bucket.put(format!("key-{n:04}"), [b'v'; 40]))
        })
        .unwrap();
    });
    let stats = with_bytes(&bytes, &Options::new()).unwrap().begin_read().bucket("b").unwrap().stats().unwrap();
    assert_eq!(stats.depth, 3);
    bytes
}

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// Where in the file the keys of page `id` are.
fn keys(bytes: &[u8], id: PageId) -> Vec<Range<usize>> {
    let page = id.get() as usize * PAGE;
    let branch = number(bytes, page + 8, 2) == 1;
    let elements = (0..number(bytes, page + 10, 2)).map(|index| page + 16 + index * 16);
    let pos_at = if branch { 0 } else { 4 };
    elements
        .map(|at| {
            let start = at + number(bytes, at + pos_at, 4);
            start..start + number(bytes, at + pos_at + 4, 4)
        })
        .collect()
}

/// The pages of bucket `b` of this kind, by their first keys.
fn pages(bytes: &[u8], kind: PageKind) -> Vec<PageId> {
    let map = with_bytes(bytes, &Options::new().read_only(true)).unwrap().begin_read().page_map().unwrap();
    let mut pages: Vec<PageId> = map.iter().filter(|info| info.kind == kind).map(|info| info.id).collect();
    pages.retain(|&id| keys(bytes, id).first().is_some_and(|key| bytes[key.clone()].starts_with(b"key-")));
    pages.sort_by_key(|&id| bytes[keys(bytes, id)[0].clone()].to_vec());
    pages
}

/// The keys at `one` and `other` of page `id` change places.
fn swap(bytes: &mut [u8], id: PageId, one: usize, other: usize) {
    let keys = keys(bytes, id);
    for (one, other) in keys[one].clone().zip(keys[other].clone()) {
        bytes.swap(one, other);
    }
}

/// Every way to change key `key` is refused with the number of page `id`, and changes nothing.
fn refused(bytes: &[u8], key: &[u8], id: PageId) {
    let db = with_bytes(bytes, &Options::new()).unwrap();
    let named = |result: Result<(), Error>| {
        let cause = match result {
            Err(Error::NotCommitted { cause }) => *cause,
            Err(error) => error,
            Ok(()) => panic!("page {id} is changed at {}", String::from_utf8_lossy(key)),
        };
        assert!(matches!(cause, Error::Corrupt { page, .. } if page == id), "page {id}: {cause}");
    };
    named(db.update(|tx| tx.bucket_mut("b")?.put(key, "new")));
    named(db.update(|tx| tx.bucket_mut("b")?.put([key, b"-longer"].concat(), "new")));
    named(db.update(|tx| tx.bucket_mut("b")?.delete(key).map(|_| ())));
    named(db.update(|tx| tx.bucket_mut("b")?.delete_range(key..=key).map(|_| ())));
    // It meets the pages beside it too, and names the first that does not fit.
    let retained = db.update(|tx| tx.bucket_mut("b")?.retain(|found, _| found != key));
    let damaged = |error: &Error| matches!(error, Error::Corrupt { .. });
    match retained {
        Err(Error::NotCommitted { cause }) => assert!(damaged(&cause), "{cause}"),
        Err(error) => assert!(damaged(&error), "{error}"),
        Ok(_) => panic!("page {id} is read in order"),
    }
    assert_eq!(db.begin_read().bucket("b").unwrap().get(key).unwrap(), Some(&[b'v'; 40][..]));
}

#[test]
fn a_page_in_disorder_is_not_changed() {
    let bytes = orderly();
    let mut cases = pages(&bytes, PageKind::Leaf);
    cases.extend(pages(&bytes, PageKind::Branch).into_iter().filter(|&id| keys(&bytes, id).len() > 6));
    for id in cases {
        let mut bytes = bytes.clone();
        let found = bytes[keys(&bytes, id)[0].clone()].to_vec();
        swap(&mut bytes, id, 3, 4);
        refused(&bytes, &found, id);
    }
}

#[test]
fn a_page_with_a_key_twice_is_not_changed() {
    let bytes = orderly();
    for id in pages(&bytes, PageKind::Leaf) {
        let (mut bytes, keys) = (bytes.clone(), keys(&bytes, id));
        let found = bytes[keys[0].clone()].to_vec();
        bytes.copy_within(keys[3].clone(), keys[4].start);
        refused(&bytes, &found, id);
    }
}

#[test]
fn a_page_with_keys_that_belong_elsewhere_is_not_changed() {
    let bytes = orderly();
    let leaves = pages(&bytes, PageKind::Leaf);
    for (index, &id) in leaves.iter().enumerate() {
        let keys = keys(&bytes, id);
        let found = bytes[keys[1].clone()].to_vec();
        let mut low = bytes.clone();
        low[keys[0].start] = b'a';
        refused(&low, &found, id);
        if index + 1 < leaves.len() {
            let mut high = bytes.clone();
            high[keys[keys.len() - 1].start] = b'z';
            refused(&high, &found, id);
        }
    }
}

#[test]
fn a_walk_ends_where_a_leaf_begins_with_the_last_key_of_the_one_before() {
    let bytes = orderly();
    for pair in pages(&bytes, PageKind::Leaf).windows(2) {
        let mut bytes = bytes.clone();
        let (left, right) = (keys(&bytes, pair[0]), keys(&bytes, pair[1]));
        bytes.copy_within(right[0].clone(), left[left.len() - 1].start);
        let db = with_bytes(&bytes, &Options::new()).unwrap();
        let tx = db.begin_read();
        let bucket = tx.bucket("b").unwrap();
        for (end, page) in
            [(bucket.iter().find_map(Result::err), pair[1]), (bucket.iter().rev().find_map(Result::err), pair[0])]
        {
            assert!(matches!(end, Some(Error::Corrupt { page: found, .. }) if found == page), "page {page}: {end:?}");
        }
    }
}

#[test]
fn a_repair_keeps_the_order_that_it_finds() {
    let mut bytes = orderly();
    for kind in [PageKind::Leaf, PageKind::Branch] {
        let id = pages(&bytes, kind)[0];
        swap(&mut bytes, id, 3, 4);
        let expected: Vec<Vec<u8>> = keys(&bytes, id)[1..].iter().map(|key| bytes[key.clone()].to_vec()).collect();
        let raw = RawFile::new(MemStore::with_bytes(&bytes), None).unwrap();
        let cleared = raw.clear_elements(id, 0, Some(1)).unwrap();
        assert_eq!(cleared.elements, 1);
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("copy.db");
        raw.write_copy(&copy, &[cleared.edit], |_| ()).unwrap();
        let bytes = std::fs::read(copy).unwrap();
        let kept: Vec<&[u8]> = keys(&bytes, id).into_iter().map(|key| &bytes[key]).collect();
        assert_eq!(kept, expected);
    }
}

/// Deletes all keys of page `id` but one.
fn nearly_empty(db: &Db, bytes: &[u8], id: PageId) -> Result<(), Error> {
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        keys(bytes, id).into_iter().skip(1).try_for_each(|key| bucket.delete(&bytes[key]).map(|_| ()))
    })
}

#[test]
fn a_page_with_keys_that_belong_elsewhere_joins_no_other() {
    let bytes = orderly();
    let leaves = pages(&bytes, PageKind::Leaf);
    let db = with_bytes(&bytes, &Options::new().strict(true)).unwrap();
    nearly_empty(&db, &bytes, leaves[5]).unwrap();
    assert_eq!(db.stats().tx.merges, 1, "the page joins the one before it");

    let (mut bytes, last) = (bytes.clone(), keys(&bytes, leaves[4]).pop().unwrap());
    bytes[last.start] = b'z';
    let db = with_bytes(&bytes, &Options::new()).unwrap();
    let result = nearly_empty(&db, &bytes, leaves[5]);
    let Err(Error::NotCommitted { cause }) = result else { panic!("{result:?}") };
    assert!(matches!(*cause, Error::Corrupt { page, .. } if page == leaves[4]), "{cause}");
}

#[test]
fn a_walk_ends_at_a_leaf_that_goes_back() {
    let bytes = orderly();
    let leaves = pages(&bytes, PageKind::Leaf);
    let id = leaves[leaves.len() / 2];
    let mut bytes = bytes.clone();
    let last = keys(&bytes, id).len() - 1;
    // The keys of the leaf before are less than its first, and those of the leaf after greater than its last.
    swap(&mut bytes, id, 0, last - 1);
    let first = bytes[keys(&bytes, id)[0].clone()].to_vec();
    swap(&mut bytes, id, last, last - 1);
    assert!(first > bytes[keys(&bytes, id)[last].clone()].to_vec());
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    for error in [bucket.iter().find_map(Result::err), bucket.iter().rev().find_map(Result::err)] {
        assert!(matches!(error, Some(Error::Corrupt { page, .. }) if page == id), "page {id}: {error:?}");
    }
}

#[test]
fn an_empty_key_is_read_and_named_with_its_page() {
    let mut bytes = orderly();
    let id = pages(&bytes, PageKind::Leaf)[0];
    // The first pair's key becomes part of its value.
    let element = id.get() as usize * PAGE + 16;
    let (key, value) = (number(&bytes, element + 8, 4), number(&bytes, element + 12, 4));
    bytes[element + 8..element + 12].fill(0);
    bytes[element + 12..element + 16].copy_from_slice(&((key + value) as u32).to_le_bytes());

    let db = with_bytes(&bytes, &Options::new()).unwrap();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    let (first, expected) = (bucket.iter().next().unwrap().unwrap(), [&b"key-0000"[..], &[b'v'; 40]].concat());
    assert_eq!(first, (&b""[..], expected.as_slice()));
    assert_eq!(bucket.get("").unwrap(), Some(first.1));
    let problems = tx.check().unwrap();
    assert!(problems.iter().any(|problem| problem.page == id && problem.what == "key is empty"), "{problems:?}");
    let (target, _) = in_memory(&Options::new());
    let refused = kv::compact(&db, &target, 0);
    assert!(
        matches!(&refused, Err(Error::Corrupt { page, what }) if *page == id && what == "key is empty"),
        "{refused:?}"
    );
}

/// The third key of a leaf lies outside its page: a walk from either side tells of it once, and has ended.
#[test]
fn a_walk_ends_after_the_first_error() {
    let mut bytes = orderly();
    let leaf = pages(&bytes, PageKind::Leaf)[4];
    let size_at = leaf.get() as usize * PAGE + 16 + 2 * 16 + 8;
    bytes[size_at..size_at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    let mut walks: [Box<dyn Iterator<Item = _>>; 2] = [Box::new(bucket.iter()), Box::new(bucket.iter().rev())];
    for walk in &mut walks {
        let error = walk.find_map(Result::err);
        assert!(matches!(error, Some(Error::Corrupt { page, .. }) if page == leaf), "{error:?}");
        assert!(walk.next().is_none(), "a walk goes on after an error");
    }
}
