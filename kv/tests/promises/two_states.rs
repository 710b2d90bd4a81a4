//! Two valid metas of one transaction that name different states: nothing says which is right, so nothing is written.

use std::sync::Arc;

use kv::surgery::RawFile;
use kv::{Error, Options, PageId};
use pagefile_std::MemStore;

use crate::stores::{Field, Fragile, dump_of, dump_of_bytes, file, newest_meta, set_field, with_bytes, word};

const PAGE: usize = 1024;

fn options() -> Options {
    Options::new().page_size(PAGE as u32)
}

/// A file whose metas have both the larger of their transaction ids, and what it holds by each of them.
fn contested() -> (Vec<u8>, [Vec<String>; 2]) {
    let bytes = file(&options(), |db| db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 900])).unwrap());
    let store = Arc::new(MemStore::with_bytes(&bytes));
    let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.bucket_mut("b")?.put("newest", "v")).unwrap();
    let mut bytes = store.snapshot();
    let states = [PAGE, 0].map(|other| {
        let mut alone = bytes.clone();
        alone[other + 72] ^= 1;
        dump_of_bytes(&alone)
    });
    let newest = newest_meta(&bytes, PAGE);
    let tx = word(&bytes, newest + Field::Tx as usize);
    set_field(&mut bytes, PAGE - newest, Field::Tx, tx);
    (bytes, states)
}

#[test]
fn writing_is_refused_before_anything_is_written_and_reading_says_which_state_it_shows() {
    let (bytes, states) = contested();
    let store = Fragile::new(&bytes, 0);
    let Error::TwoStates { tx, shown } = options().open_store(Box::new(Arc::clone(&store))).unwrap_err() else {
        panic!("an error of its own");
    };
    assert_eq!(store.changes(), 0);
    let db = with_bytes(&bytes, &options().read_only(true)).unwrap();
    assert_eq!((db.contested_meta(), db.begin_read().id()), (Some(shown), tx));
    assert_eq!(dump_of(&db), states[shown.get() as usize]);
    let problems = db.begin_read().check().unwrap();
    assert!(problems.iter().any(|problem| problem.page == shown && problem.what.contains("names another state")));
}

#[test]
fn surgery_keeps_either_state() {
    let (bytes, states) = contested();
    let raw = RawFile::new(MemStore::with_bytes(&bytes), None).unwrap();
    assert!(raw.metas_disagree());
    let dir = tempfile::tempdir().unwrap();
    for (slot, state) in states.iter().enumerate() {
        let copy = dir.path().join(format!("{slot}.db"));
        raw.write_copy(&copy, &[raw.choose_meta(slot).unwrap()], |_| ()).unwrap();
        let db = options().open(&copy).unwrap();
        assert_eq!(&dump_of(&db), state);
        db.update(|tx| tx.bucket_mut("b")?.put("after", "v")).unwrap();
        assert_eq!((db.contested_meta(), db.begin_read().check().unwrap()), (None, vec![]));
    }
    assert!(matches!(raw.choose_meta(2), Err(Error::InvalidOption { value: 2, .. })));
}

#[test]
fn metas_that_differ_in_what_is_no_state_do_no_harm() {
    let (bytes, _) = contested();
    let raw = RawFile::new(MemStore::with_bytes(&bytes), None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.db");
    let shown = raw.newest_slot().unwrap();
    raw.write_copy(&copy, &[raw.choose_meta(shown).unwrap()], |_| ()).unwrap();
    let mut same = std::fs::read(copy).unwrap();
    // One of the metas says that there is no list.
    set_field(&mut same, 0, Field::Freelist, u64::MAX);
    let db = with_bytes(&same, &options()).unwrap();
    db.update(|tx| tx.bucket_mut("b")?.put("after", "v")).unwrap();
    // Any other field is the state's.
    for (field, value) in [(Field::Root, 4), (Field::HighWater, word(&same, Field::HighWater as usize) - 1)] {
        let mut other = same.clone();
        set_field(&mut other, PAGE, field, value);
        assert!(
            matches!(with_bytes(&other, &options()), Err(Error::TwoStates { shown, .. }) if shown < PageId::new(2))
        );
    }
}
