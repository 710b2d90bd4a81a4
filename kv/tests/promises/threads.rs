//! What may go to other threads, and what may be held there for how long.

use std::sync::Arc;

use kv::{Bucket, BucketMut, Cursor, Db, Error, Options, ReadTx, WriteTx};

use crate::stores::{dump, in_memory};

const fn send_and_sync<T: Send + Sync>() {}
const fn send<T: Send>() {}

const _: () = {
    send_and_sync::<Db>();
    send_and_sync::<Options>();
    send_and_sync::<Error>();
    send_and_sync::<ReadTx<'static>>();
    send_and_sync::<Bucket<'static>>();
    send_and_sync::<Cursor<'static>>();
    send::<WriteTx<'static>>();
    send::<BucketMut<'static>>();
};

fn with_bucket() -> Db {
    let (db, _) = in_memory(&Options::new());
    db.update(|tx| tx.create_bucket("b")?.put("k", "v")).unwrap();
    db
}

#[test]
fn an_owned_read_outlives_its_handle_in_another_thread() {
    let db = with_bucket();
    let tx = db.begin_read_owned();
    let lines = dump(&tx);
    drop(db);
    let tx = std::thread::spawn(move || {
        assert_eq!(dump(&tx), lines);
        tx
    });
    let tx = tx.join().unwrap();
    assert_eq!(tx.bucket("b").unwrap().get("k").unwrap(), Some(&b"v"[..]));
}

#[test]
fn a_read_is_shared_by_threads() {
    let db = with_bucket();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!((dump(&tx).len(), bucket.iter().count()), (3, 1)));
        }
    });
}

#[test]
fn an_owned_write_begins_here_and_commits_there() {
    let db = Arc::new(with_bucket());
    let mut tx = db.begin_write_owned().unwrap();
    tx.bucket_mut("b").unwrap().put("here", "1").unwrap();
    let tx = std::thread::spawn(move || {
        tx.bucket_mut("b").unwrap().put("there", "2").unwrap();
        tx
    });
    std::thread::spawn(move || tx.join().unwrap().commit().unwrap()).join().unwrap();
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), 3);
}

#[test]
fn an_owned_write_outlives_its_handle() {
    let (db, store) = in_memory(&Options::new());
    let mut tx = db.begin_write_owned().unwrap();
    drop(db);
    tx.create_bucket("late").unwrap();
    tx.commit().unwrap();
    let again = crate::stores::with_bytes(&store.snapshot(), &Options::new()).unwrap();
    assert!(again.begin_read().bucket("late").is_ok());
    assert_eq!(again.begin_read().check().unwrap(), []);
}

#[test]
fn there_is_one_writer_at_a_time_and_no_update_is_lost() {
    let db = with_bucket();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    db.update(|tx| tx.bucket_mut("b")?.next_sequence().map(|_| ())).unwrap();
                }
            });
        }
    });
    assert_eq!(db.begin_read().bucket("b").unwrap().sequence(), 200);
}
