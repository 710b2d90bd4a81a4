//! The list of free pages: where and when it is written, how it is found again when it is missing, the same in each form.

use std::sync::Arc;

use kv::{Db, FreelistKind, FreelistSync, Options, PageKind};
use kv_testkit::Random;
use pagefile_std::MemStore;

use crate::stores::{Field, NO_FREELIST, dump_of, file, in_memory, newest_meta, with_bytes, word};

const KINDS: [FreelistKind; 2] = [FreelistKind::SpanMaps, FreelistKind::SortedArray];

fn listed_at(store: &MemStore) -> u64 {
    let bytes = store.snapshot();
    word(&bytes, newest_meta(&bytes, 1024) + Field::Freelist as usize)
}

/// A transaction that frees pages and takes others, singly and in runs.
fn churn(db: &Db, random: &mut Random) {
    db.update(|tx| {
        let mut bucket = tx.create_bucket_if_absent("b")?;
        for _ in 0..8 {
            let key = format!("key {}", random.below(60));
            match random.below(3) {
                0 => _ = bucket.delete(key)?,
                1 => bucket.put(key, vec![1; random.below(300)])?,
                _ => bucket.put(key, vec![2; random.below(6000)])?,
            }
        }
        Ok(())
    })
    .unwrap();
}

/// The free pages that the database knows of are those that nothing uses.
fn is_sound(db: &Db) {
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    let free = tx.page_map().unwrap().iter().filter(|info| info.kind == PageKind::Free).count() as u64;
    let stats = db.stats();
    assert_eq!(stats.free_pages + stats.pending_pages, free);
    assert_eq!(stats.free_bytes, free * u64::from(db.page_size()));
}

fn on_close() -> Options {
    Options::new().page_size(1024).freelist_sync(FreelistSync::OnClose)
}

#[test]
fn on_close_no_list_is_in_the_file_while_it_is_open() {
    for kind in KINDS {
        let (db, store) = in_memory(&on_close().freelist(kind));
        let mut random = Random::new(6);
        for _ in 0..30 {
            churn(&db, &mut random);
            assert_eq!(listed_at(&store), NO_FREELIST);
            is_sound(&db);
        }
        let state = dump_of(&db);
        let crashed = store.snapshot();
        let free = db.stats().free_pages + db.stats().pending_pages;
        db.close().unwrap();
        assert_ne!(listed_at(&store), NO_FREELIST, "a clean close writes the list");

        // Found in the list after the close, and by looking after a crash.
        for bytes in [store.snapshot(), crashed] {
            let again = with_bytes(&bytes, &on_close().freelist(kind)).unwrap();
            let found = again.stats().free_pages;
            assert!(found == free || found + 1 == free, "{found} of {free}: the list itself may take one");
            is_sound(&again);
            assert_eq!(dump_of(&again), state);
        }
    }
}

#[test]
fn dropping_a_database_writes_the_list_too() {
    let (db, store) = in_memory(&on_close());
    churn(&db, &mut Random::new(7));
    assert_eq!(listed_at(&store), NO_FREELIST);
    drop(db);
    assert_ne!(listed_at(&store), NO_FREELIST);
}

#[test]
fn every_has_the_list_in_the_file_after_each_commit() {
    for kind in KINDS {
        let (db, store) = in_memory(&Options::new().page_size(1024).freelist(kind).freelist_sync(FreelistSync::Every));
        let mut random = Random::new(8);
        for _ in 0..30 {
            churn(&db, &mut random);
            assert_ne!(listed_at(&store), NO_FREELIST);
            is_sound(&db);
            // The list in memory is that of the file: opening these bytes gives the same.
            let again = with_bytes(&store.snapshot(), &Options::new()).unwrap();
            assert_eq!(again.stats().free_pages, db.stats().free_pages + db.stats().pending_pages);
        }
    }
}

#[test]
fn a_file_may_change_its_mode_and_its_kind_each_time() {
    let mut random = Random::new(9);
    let mut bytes = file(&Options::new().page_size(1024), |db| churn(db, &mut Random::new(10)));
    let mut state = dump_of(&with_bytes(&bytes, &Options::new()).unwrap());
    for round in 0..40 {
        let options = Options::new()
            .freelist(KINDS[random.below(2)])
            .freelist_sync([FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log][random.below(3)])
            .strict(true);
        let store = Arc::new(MemStore::with_bytes(&bytes));
        let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
        assert_eq!(dump_of(&db), state, "round {round}");
        is_sound(&db);
        (0..random.below(4)).for_each(|_| churn(&db, &mut random));
        is_sound(&db);
        state = dump_of(&db);
        bytes = if random.below(2) == 0 {
            db.close().unwrap();
            store.snapshot()
        } else {
            store.snapshot()
        };
    }
}

#[test]
fn more_free_pages_than_a_short_list_counts() {
    // 65,535 ids and more have their count elsewhere in the page.
    for sync in [FreelistSync::Every, FreelistSync::OnClose] {
        let bytes = file(&Options::new().page_size(1024).freelist_sync(sync), |db| {
            db.update(|tx| tx.create_bucket("b")?.put("huge", vec![0; 70_000 * 1024])).unwrap();
            db.update(|tx| tx.bucket_mut("b")?.delete("huge")).unwrap();
        });
        let db = with_bytes(&bytes, &Options::new()).unwrap();
        assert!(db.stats().free_pages > 69_000, "{}", db.stats().free_pages);
        is_sound(&db);
        churn(&db, &mut Random::new(11));
        is_sound(&db);
    }
}

#[test]
fn read_only_knows_the_free_pages_when_asked_to() {
    let bytes = file(&Options::new().page_size(1024), |db| {
        let mut random = Random::new(12);
        (0..10).for_each(|_| churn(db, &mut random));
    });
    let options = Options::new().read_only(true);
    assert!(with_bytes(&bytes, &options.clone().preload_freelist(true)).unwrap().stats().free_pages > 0);
    assert_eq!(with_bytes(&bytes, &options).unwrap().stats().free_pages, 0, "not without");
}
