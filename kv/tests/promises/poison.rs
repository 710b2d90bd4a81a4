//! After a write, a growth or a sync has failed: the commit says what is known, reads go on, writes are refused, and
//! the file holds a whole state.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kv::{Db, Error, FreelistSync, Options, WriteTx};

use crate::stores::{Fragile, dump, dump_of, dump_of_bytes, file};

fn begin() -> Vec<u8> {
    file(&Options::new().page_size(1024), |db| {
        db.update(|tx| tx.create_bucket("b")?.put("first", vec![0; 700])).unwrap();
    })
}

/// Transaction `n`: some pages change, and now and then the file must grow.
fn change(tx: &mut WriteTx<'_>, n: usize) -> Result<(), Error> {
    let mut bucket = tx.bucket_mut("b")?;
    bucket.put(format!("key {n}"), vec![n as u8; 300 + 7000 * (n % 3)])?;
    bucket.delete(format!("key {}", n.wrapping_sub(2))).map(|_| ())
}

/// Runs transactions until the `nth` change of the store fails, and looks at everything that is promised then. False
/// if there are not so many changes.
fn fails_at(nth: u64, torn: usize, options: &Options) -> bool {
    const TRANSACTIONS: usize = 8;
    let store = Fragile::new(&begin(), torn);
    let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
    let sealed = store.changes();
    store.fail(nth);
    let old = db.begin_read_owned();
    let oldest = dump(&old);
    for n in 0..TRANSACTIONS {
        let before = dump_of(&db);
        let mut tx = db.begin_write().unwrap();
        change(&mut tx, n).unwrap();
        let metas = store.meta_writes.load(Ordering::Relaxed);
        let error = match tx.commit() {
            Ok(()) => continue,
            Err(error) => error,
        };
        let after = dump_of_bytes(&store.inner.snapshot());
        // The meta is the last write, and after it the disk may have the new state.
        let meta_reached = store.meta_writes.load(Ordering::Relaxed) > metas;
        let cause = match &error {
            Error::NotCommitted { cause } => {
                assert!(!meta_reached && matches!(**cause, Error::Store(_)), "change {nth}: {error}");
                assert_eq!(after, before, "change {nth}: what is said not to be committed is not");
                cause
            }
            Error::Unknown { cause } => {
                assert!(meta_reached && matches!(**cause, Error::Store(_)), "change {nth}: {error}");
                cause
            }
            other => panic!("change {nth}: {other}"),
        };
        let told = std::error::Error::source(cause.as_ref()).expect("what the system said").to_string();
        assert!(told.contains("planted"), "the cause is told: {told}");
        refuses_writes(&db);
        assert_eq!(dump_of(&db), before, "change {nth}: nobody sees what may not have happened");
        assert_eq!(dump(&old), oldest);
        drop((old, db));
        // Neither closing nor dropping writes anything more, and the file goes on from a whole state.
        let bytes = store.inner.snapshot();
        assert_eq!(dump_of_bytes(&bytes), after);
        let again = options.open_store(Box::new(pagefile_std::MemStore::with_bytes(&bytes))).unwrap();
        again.update(|tx| change(tx, n)).unwrap();
        assert_eq!(again.begin_read().check().unwrap(), []);
        return true;
    }
    assert!(sealed + nth > store.changes(), "the planted failure was met");
    false
}

fn refuses_writes(db: &Db) {
    assert!(matches!(db.begin_write(), Err(Error::Poisoned)));
    assert!(matches!(db.begin_write_owned(), Err(Error::Poisoned)));
    assert!(matches!(db.update(|_| Ok(())), Err(Error::Poisoned)));
    assert!(matches!(db.batch(|_| Ok(())), Err(Error::Poisoned)));
    let error = db.sync().unwrap_err();
    assert!(matches!(error, Error::Poisoned));
    let text = error.to_string();
    assert!(text.contains("earlier write") && text.contains("close the database and open it again"), "{text}");
}

#[test]
fn whichever_call_fails() {
    for sync in [FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log] {
        for torn in [0, 100, 1000] {
            let options = Options::new().freelist_sync(sync);
            let failures = (1..1000).take_while(|&nth| fails_at(nth, torn, &options)).count();
            // 8 transactions of a write, a sync, a meta and a sync at least.
            assert!((32..999).contains(&failures), "{failures}");
        }
    }
}

#[test]
fn a_failure_while_opening_is_an_error() {
    let bytes = begin();
    for nth in 1..=2 {
        let store = Fragile::new(&bytes, 0);
        store.fail(nth);
        let error = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error}");
        assert_eq!(dump_of_bytes(&store.inner.snapshot()), dump_of_bytes(&bytes));
    }
}

#[test]
fn a_failure_while_closing_loses_nothing() {
    let reference = Fragile::new(&begin(), 0);
    let run = |store: &Arc<Fragile>| {
        let options = Options::new().freelist_sync(FreelistSync::OnClose);
        let db = options.open_store(Box::new(Arc::clone(store))).unwrap();
        db.update(|tx| change(tx, 1)).unwrap();
        db
    };
    let db = run(&reference);
    let (before, state) = (reference.changes(), dump_of(&db));
    db.close().unwrap();
    let changes = reference.changes() - before;
    assert!(changes >= 4, "the freelist and the meta, each synced");
    for nth in 1..=changes {
        let store = Fragile::new(&begin(), 500);
        let db = run(&store);
        store.fail(nth);
        let error = db.close().unwrap_err();
        assert!(matches!(error, Error::NotCommitted { .. } | Error::Unknown { .. }), "{error}");
        assert_eq!(dump_of_bytes(&store.inner.snapshot()), state);
    }
}
