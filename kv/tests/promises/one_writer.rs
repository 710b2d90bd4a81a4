//! A thread that writes already is told so, where it would wait for itself.

use std::sync::mpsc;
use std::thread;

use kv::{Db, Error, Options};

use crate::stores::in_memory;

fn db() -> Db {
    in_memory(&Options::new()).0
}

#[test]
fn a_second_write_on_one_thread_is_an_error() {
    let db = db();
    let tx = db.begin_write().unwrap();
    assert!(matches!(db.begin_write(), Err(Error::AlreadyWriting)));
    assert!(matches!(db.begin_write_owned(), Err(Error::AlreadyWriting)));
    assert!(matches!(db.update(|_| Ok(())), Err(Error::AlreadyWriting)));
    assert!(matches!(db.batch(|_| Ok(())), Err(Error::AlreadyWriting)));
    drop(tx);
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
}

#[test]
fn inside_update_too_and_the_outer_transaction_goes_on() {
    let db = db();
    db.update(|tx| {
        tx.create_bucket("outer")?;
        let inner = db.update(|tx| tx.create_bucket("inner").map(drop));
        assert!(matches!(inner, Err(Error::AlreadyWriting)));
        Ok(())
    })
    .unwrap();
    let tx = db.begin_read();
    assert!(tx.get_bucket("outer").unwrap().is_some() && tx.get_bucket("inner").unwrap().is_none());
}

#[test]
fn after_a_panic_the_thread_can_write_again() {
    let db = db();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        db.update(|_| -> Result<(), Error> { panic!("in the middle of it") })
    }));
    assert!(panicked.is_err());
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
}

#[test]
fn a_thread_waits_for_an_owned_transaction_that_it_gave_away() {
    let db = db();
    let (given, taken) = mpsc::channel();
    given.send(db.begin_write_owned().unwrap()).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut tx = taken.recv().unwrap();
            tx.create_bucket("first").unwrap();
            tx.commit().unwrap();
        });
        db.update(|tx| {
            assert!(tx.get_bucket("first")?.is_some(), "the other transaction was waited for");
            tx.create_bucket("second").map(drop)
        })
        .unwrap();
    });
}
