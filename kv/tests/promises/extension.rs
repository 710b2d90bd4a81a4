//! The bytes after a meta: what keeps them, and what drops them.

use std::sync::Arc;

use kv::surgery::RawFile;
use kv::{FreelistSync, Options};
use pagefile_std::MemStore;

use crate::stores::{Field, file, newest_meta, set_field, with_bytes, word};

const PAGE: usize = 1024;
/// Offsets of the extension's checksum and bytes, and of its end (FORMAT.md).
const SUM: usize = 80;
const BYTES: usize = 88;
const END: usize = 512;

fn options() -> Options {
    Options::new().page_size(PAGE as u32).freelist_sync(FreelistSync::OnClose)
}

/// A file whose newest meta, at the offset that comes with it, has an extension.
fn extended() -> (Vec<u8>, usize) {
    let mut bytes = file(&options(), |db| db.update(|tx| tx.create_bucket("b")?.put("k", "v")).unwrap());
    let at = newest_meta(&bytes, PAGE);
    bytes[at + BYTES..at + END].fill(0xA5);
    let covered = [&bytes[at + 16..at + 72], &bytes[at + BYTES..at + END]].concat();
    let sum = covered
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    bytes[at + SUM..at + BYTES].copy_from_slice(&sum.to_le_bytes());
    (bytes, at)
}

/// The bytes of the file after it was opened for writing, and `change`d.
fn opened(bytes: &[u8], change: impl FnOnce(&kv::Db)) -> Vec<u8> {
    let store = Arc::new(MemStore::with_bytes(bytes));
    let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
    change(&db);
    store.snapshot()
}

#[test]
fn opening_keeps_the_extension_of_the_meta_that_it_makes_durable() {
    let (bytes, at) = extended();
    assert_eq!(opened(&bytes, |_| ())[at..at + END], bytes[at..at + END]);
}

#[test]
fn an_extension_of_another_meta_is_dropped() {
    let (mut bytes, at) = extended();
    let tx = word(&bytes, at + Field::Tx as usize);
    set_field(&mut bytes, at, Field::Tx, tx + 2);
    assert!(opened(&bytes, |_| ())[at + SUM..at + END].iter().all(|byte| *byte == 0));
}

#[test]
fn a_commit_writes_a_meta_without_one_and_leaves_the_other_meta_alone() {
    let (bytes, at) = extended();
    let after = opened(&bytes, |db| db.update(|tx| tx.bucket_mut("b")?.put("k", "w")).unwrap());
    let newest = newest_meta(&after, PAGE);
    assert_ne!(newest, at);
    assert!(after[newest + SUM..newest + END].iter().all(|byte| *byte == 0));
    assert_eq!(after[at..at + END], bytes[at..at + END], "a power cut that tears the new meta leaves this one");
}

#[test]
fn copies_and_repairs_are_without_one() {
    let (bytes, at) = extended();
    let mut copy = Vec::new();
    with_bytes(&bytes, &Options::new().read_only(true)).unwrap().begin_read().write_to(&mut copy).unwrap();
    for meta in [0, PAGE] {
        assert!(copy[meta + SUM..meta + END].iter().all(|byte| *byte == 0), "meta at {meta} of the backup");
    }
    let file = RawFile::new(MemStore::with_bytes(&bytes), None).unwrap();
    let edit = file.edit_meta(at / PAGE, &file.newest().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let repaired = dir.path().join("repaired.db");
    file.write_copy(&repaired, &[edit], |_| ()).unwrap();
    let repaired = std::fs::read(repaired).unwrap();
    assert!(repaired[at + SUM..at + END].iter().all(|byte| *byte == 0), "of the edited meta");
}
