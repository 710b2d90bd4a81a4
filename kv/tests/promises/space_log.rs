//! The log of the free space: what opening, closing and the other modes make of it.

use std::sync::Arc;

use kv::{Db, FreelistOrigin, FreelistSync, Options, PageKind};
use pagefile_std::MemStore;

use crate::stores::{newest_meta, word};

const PAGE: usize = 1024;

fn options(sync: FreelistSync) -> Options {
    Options::new().page_size(PAGE as u32).freelist_sync(sync).strict(true)
}

fn open(store: &Arc<MemStore>, sync: FreelistSync) -> Db {
    options(sync).open_store(Box::new(Arc::clone(store))).unwrap()
}

/// Leaves many pages free.
fn fragment(db: &Db) {
    db.update(|tx| {
        let mut bucket = tx.create_bucket_if_absent("b")?;
        (0..400_u32).try_for_each(|key| bucket.put(key.to_le_bytes(), [1; 700]))
    })
    .unwrap();
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        (0..400_u32).step_by(2).try_for_each(|key| bucket.delete(key.to_le_bytes()).map(drop))
    })
    .unwrap();
}

fn put(db: &Db, key: u32, len: usize) {
    db.update(|tx| tx.bucket_mut("b")?.put(key.to_le_bytes(), vec![2; len])).unwrap();
}

/// Free pages as the handle has them, and as the trees leave them.
fn agree(db: &Db) {
    let stats = db.stats();
    let tx = db.begin_read();
    let map = tx.page_map().unwrap();
    let count = |kind| map.iter().filter(|page| page.kind == kind).map(|page| 1 + page.overflow).sum::<u64>();
    assert_eq!(count(PageKind::Free), stats.free_pages + stats.pending_pages);
    assert_eq!(count(PageKind::SpaceLog) * PAGE as u64, stats.space_log_bytes);
    assert_eq!(tx.check().unwrap(), []);
}

#[test]
fn nothing_is_searched_for_after_a_close_or_a_crash() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, FreelistSync::Log);
    fragment(&db);
    for key in 0..300_u32 {
        put(&db, key * 7 % 400, 700);
        if key % 30 == 0 {
            let crashed = Arc::new(MemStore::with_bytes(&store.snapshot()));
            let again = open(&crashed, FreelistSync::Log);
            assert_eq!(again.stats().freelist, FreelistOrigin::Logged);
            let (was, is) = (db.stats(), again.stats());
            assert_eq!(was.free_pages + was.pending_pages, is.free_pages, "pending pages are free by now");
            agree(&again);
            put(&again, 1, 3000);
            agree(&again);
        }
    }
    agree(&db);
    let before = store.snapshot();
    db.close().unwrap();
    assert!(store.snapshot() == before, "closing writes nothing");
    assert_eq!(open(&store, FreelistSync::Log).stats().freelist, FreelistOrigin::Logged);
}

#[test]
fn the_modes_take_over_from_each_other() {
    let store = Arc::new(MemStore::new());
    let modes = [FreelistSync::Log, FreelistSync::Every, FreelistSync::OnClose];
    fragment(&open(&store, FreelistSync::Log));
    let mut last = FreelistSync::Log;
    let pairs = modes.iter().flat_map(|one| modes.map(|next| [*one, next]));
    for (round, mode) in (0_u32..).zip(pairs.flatten()) {
        let db = open(&store, mode);
        let found = if last == FreelistSync::Log { FreelistOrigin::Logged } else { FreelistOrigin::Sealed };
        assert_eq!(db.stats().freelist, found, "{last:?}, then {mode:?}");
        for key in 0..20 {
            put(&db, round * 31 % 380 + key, 500 + round as usize);
        }
        agree(&db);
        db.close().unwrap();
        last = mode;
    }
}

#[test]
fn a_commit_without_a_log_gives_its_pages_back() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, FreelistSync::Log);
    fragment(&db);
    (0..100).for_each(|key| put(&db, key, 700));
    assert!(db.stats().space_log_bytes > PAGE as u64);
    drop(db);
    let db = open(&store, FreelistSync::OnClose);
    put(&db, 5, 10);
    assert_eq!(db.stats().space_log_bytes, 0);
    agree(&db);
    let bytes = store.snapshot();
    let meta = newest_meta(&bytes, PAGE);
    assert_eq!(word(&bytes, meta + 80), 0, "the meta has no extension");
}

/// Where the file may not grow and the log finds no page, commits go on without it, and it comes back.
#[test]
fn a_full_file_does_without_a_log() {
    let store = Arc::new(MemStore::new());
    let full = options(FreelistSync::Log).max_size(40 * PAGE as u64);
    let db = full.open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let mut put = 0_u32;
    while db.update(|tx| tx.bucket_mut("b")?.put(put.to_le_bytes(), [7; 500])).is_ok() {
        put += 1;
    }
    agree(&db);
    assert!(put > 20, "{put}");
    // Deleting has to go on.
    let mut deleted = 0;
    for key in 0..put {
        deleted += u32::from(db.update(|tx| tx.bucket_mut("b")?.delete(key.to_le_bytes())).is_ok());
        agree(&db);
    }
    assert_eq!(deleted, put);
    assert!(db.stats().space_log_bytes > 0, "there is room again");
    drop(db);
    let db = full.open_store(Box::new(store)).unwrap();
    assert_eq!(db.stats().freelist, FreelistOrigin::Logged);
}
