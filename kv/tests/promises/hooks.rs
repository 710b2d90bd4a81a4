//! `on_commit` runs after success, and only then.

use std::sync::{Arc, Mutex};

use kv::{Db, Error, Options};

use crate::stores::{Fragile, file, in_memory};

type Log = Arc<Mutex<Vec<&'static str>>>;

fn note(log: &Log, what: &'static str) -> impl FnOnce() + Send + 'static {
    let log = Arc::clone(log);
    move || log.lock().unwrap().push(what)
}

#[test]
fn after_the_commit_in_the_order_given() {
    let (db, _) = in_memory(&Options::new());
    let db: Arc<Db> = Arc::new(db);
    let log = Log::default();
    let (inside, seen) = (Arc::clone(&db), Arc::clone(&log));
    let mut tx = db.begin_write().unwrap();
    tx.create_bucket("b").unwrap();
    tx.on_commit(note(&log, "first"));
    tx.on_commit(move || {
        // The new state is there for all, and the next writer may begin.
        assert!(inside.begin_read().bucket("b").is_ok());
        inside.update(|tx| tx.create_bucket("from the hook").map(|_| ())).unwrap();
        seen.lock().unwrap().push("second");
    });
    assert_eq!(log.lock().unwrap().len(), 0, "not before");
    tx.commit().unwrap();
    assert_eq!(*log.lock().unwrap(), ["first", "second"]);
    assert!(db.begin_read().bucket("from the hook").is_ok());
}

#[test]
fn never_after_a_rollback() {
    let (db, _) = in_memory(&Options::new());
    let log = Log::default();
    let mut tx = db.begin_write().unwrap();
    tx.on_commit(note(&log, "rolled back"));
    tx.rollback();
    let mut tx = db.begin_write().unwrap();
    tx.on_commit(note(&log, "dropped"));
    drop(tx);
    let failed: Result<(), Error> = db.update(|tx| {
        tx.on_commit(note(&log, "failed"));
        Err(Error::KeyRequired)
    });
    assert!(failed.is_err());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = db.update(|tx| -> Result<(), Error> {
            tx.on_commit(note(&log, "panicked"));
            std::panic::resume_unwind(Box::new("planted"))
        });
    }));
    assert!(panicked.is_err());
    // After all that the writer lock is free, and nothing has run.
    db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap();
    assert_eq!(*log.lock().unwrap(), [""; 0]);
}

#[test]
fn never_after_a_commit_that_failed() {
    let bytes = file(&Options::new(), |_| {});
    for nth in 1..=4 {
        let store = Fragile::new(&bytes, 0);
        let db = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap();
        let log = Log::default();
        let mut tx = db.begin_write().unwrap();
        tx.create_bucket("b").unwrap();
        tx.on_commit(note(&log, "failed"));
        store.fail(nth);
        tx.commit().unwrap_err();
        assert_eq!(*log.lock().unwrap(), [""; 0]);
    }
}

#[test]
fn also_after_a_commit_that_changed_nothing() {
    let (db, _) = in_memory(&Options::new());
    let log = Log::default();
    db.update(|tx| {
        tx.on_commit(note(&log, "empty"));
        Ok(())
    })
    .unwrap();
    assert_eq!(*log.lock().unwrap(), ["empty"]);
}
