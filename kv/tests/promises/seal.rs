//! Opening makes the state that it found durable before anything is built on it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kv::{Db, Options};
use pagefile_std::MemStore;

use crate::stores::{Field, Fragile, dump_of, dump_of_bytes, file, is_valid, newest_meta, set_field, with_bytes, word};

const PAGE: usize = 1024;

fn options() -> Options {
    Options::new().page_size(PAGE as u32)
}

/// A file whose two metas have different states.
fn two_states() -> Vec<u8> {
    let bytes = file(&options(), |db| db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 900])).unwrap());
    let store = Arc::new(MemStore::with_bytes(&bytes));
    let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.bucket_mut("b")?.put("newest", "v")).unwrap();
    store.snapshot()
}

fn put(db: &Db) {
    db.update(|tx| tx.bucket_mut("b")?.put("after", "v")).unwrap();
}

#[test]
fn the_newest_state_is_written_again_and_synced_before_anything_else() {
    let bytes = two_states();
    let store = Fragile::new(&bytes, 0);
    let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
    assert_eq!(store.meta_writes.load(Ordering::Relaxed), 1);
    assert_eq!(store.changes(), 2, "a write and a sync");
    assert_eq!(store.inner.snapshot(), bytes, "of the same bytes");
    put(&db);
    assert!(store.changes() > 2);
}

#[test]
fn read_only_writes_nothing() {
    let mut bytes = two_states();
    for damage in [false, true] {
        if damage {
            let at = newest_meta(&bytes, PAGE);
            bytes[at + 72] ^= 1;
        }
        let store = Fragile::new(&bytes, 0);
        let db = options().read_only(true).open_store(Box::new(Arc::clone(&store))).unwrap();
        drop(dump_of(&db));
        db.close().unwrap();
        assert_eq!(store.changes(), 0);
        assert_eq!(store.inner.snapshot(), bytes);
    }
}

/// A copy of one meta's transaction id in the other: readers see the one that lies in the page of that id. Nobody may write
/// (`two_states`).
#[test]
fn of_two_metas_with_one_id_the_one_in_its_own_page_wins() {
    let bytes = two_states();
    let newest = newest_meta(&bytes, PAGE);
    let older = PAGE - newest;
    let states = [newest, older].map(|at| {
        let mut bytes = bytes.clone();
        bytes[PAGE - at + 72] ^= 1;
        dump_of_bytes(&bytes)
    });
    assert_ne!(states[0], states[1]);
    for (from, state) in [newest, older].into_iter().zip(states) {
        let tx = word(&bytes, from + Field::Tx as usize);
        assert_eq!(tx % 2 * PAGE as u64, from as u64, "a commit writes the page of its id");
        let mut bytes = bytes.clone();
        set_field(&mut bytes, PAGE - from, Field::Tx, tx);
        assert_eq!(dump_of(&with_bytes(&bytes, &options().read_only(true)).unwrap()), state, "id {tx}");
    }
}

#[test]
fn a_damaged_meta_falls_back_to_the_other() {
    let bytes = two_states();
    let newest = newest_meta(&bytes, PAGE);
    let (new, old) = (dump_of_bytes(&bytes), {
        let mut bytes = bytes.clone();
        bytes[newest + 72] ^= 1;
        dump_of_bytes(&bytes)
    });
    assert_ne!(new, old);
    // Every bit that counts, of either meta: the other one tells the state, and the file can be written again.
    for (damaged, state) in [(newest, &old), (PAGE - newest, &new)] {
        for bit in (16 * 8..80 * 8).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[damaged + bit / 8] ^= 1 << (bit % 8);
            let store = Arc::new(MemStore::with_bytes(&bytes));
            let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
            assert_eq!(&dump_of(&db), state, "bit {bit}");
            put(&db);
            let written = store.snapshot();
            assert!(is_valid(&written, 0) && is_valid(&written, PAGE), "both are whole after a commit");
            assert_eq!(dump_of_bytes(&written), dump_of(&db));
        }
    }
}

/// In a copy made by bbolt, page 0 has the newest meta, whatever its number.
fn swapped(bytes: &[u8]) -> Vec<u8> {
    let mut copy = Vec::new();
    let db = with_bytes(bytes, &options().read_only(true)).unwrap();
    db.begin_read().write_to(&mut copy).unwrap();
    copy
}

#[test]
fn a_copy_with_the_metas_swapped_is_safe_to_write() {
    let mut seen = [false; 2];
    let mut bytes = two_states();
    for _ in 0..4 {
        let copy = swapped(&bytes);
        assert_eq!(newest_meta(&copy, PAGE), 0);
        let tx = word(&copy, Field::Tx as usize);
        seen[(tx % 2) as usize] = true;
        let state = dump_of_bytes(&copy);

        let store = Fragile::new(&copy, 500);
        let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
        // The slot that the next commit does not write holds the state.
        let sealed = store.inner.snapshot();
        let slot = (tx % 2) as usize * PAGE;
        assert!(is_valid(&sealed, slot) && word(&sealed, slot + Field::Tx as usize) == tx);
        // So a commit that is torn in its meta leaves it.
        let before = store.changes();
        put(&db);
        let last = store.changes() - before - 1;
        let store = Fragile::new(&copy, 20);
        let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
        store.fail(last);
        db.update(|tx| tx.bucket_mut("b")?.put("after", "v")).unwrap_err();
        assert_eq!(dump_of_bytes(&store.inner.snapshot()), state);

        let again = Arc::new(MemStore::with_bytes(&bytes));
        let db = options().open_store(Box::new(Arc::clone(&again))).unwrap();
        put(&db);
        bytes = again.snapshot();
    }
    assert_eq!(seen, [true, true], "with even and with odd numbers");
}

#[test]
fn of_two_metas_with_one_number_either_will_do() {
    let bytes = two_states();
    let newest = newest_meta(&bytes, PAGE);
    let tx = word(&bytes, newest + Field::Tx as usize);
    let mut copy = bytes.clone();
    copy.copy_within(newest..newest + PAGE, PAGE - newest);
    set_field(&mut copy, PAGE - newest, Field::Tx, tx);
    let db = with_bytes(&copy, &options()).unwrap();
    assert_eq!(dump_of(&db), dump_of_bytes(&bytes));
    put(&db);
    assert_eq!(db.begin_read().id().get(), tx + 1);
}

#[test]
fn numbers_of_transactions_may_be_used_up_but_not_wrap() {
    let mut bytes = two_states();
    let newest = newest_meta(&bytes, PAGE);
    set_field(&mut bytes, newest, Field::Tx, u64::MAX - 1);
    let db = with_bytes(&bytes, &options()).unwrap();
    put(&db);
    assert_eq!(db.begin_read().id().get(), u64::MAX);
    assert!(db.begin_write().is_err());
    // The state is sound but for that.
    let problems = db.begin_read().check().unwrap();
    assert!(
        problems.len() == 1 && problems[0].to_string().contains("transaction ids are nearly used up"),
        "{problems:?}"
    );
}
