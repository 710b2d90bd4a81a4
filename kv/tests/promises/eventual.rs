//! Commits that return at once and become durable later: what is visible, what a crash loses, and when nothing is lost.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kv::{Db, Durability, Error, Event, Options, Scope};

use crate::gate::{Gate, PAGE, Pass, keys};
use crate::stores::dump_of;

const NEVER: Duration = Duration::from_secs(3600);

fn eventual(period: Duration) -> Options {
    let options = Options::new().page_size(PAGE).durability(Durability::Eventual(period));
    options.log_size(1 << 20).log_memory(4 << 20)
}

/// A database with the bucket "b" in a checkpoint.
fn open(options: &Options) -> (Db, Arc<Gate>) {
    let gate = Gate::new(Duration::ZERO);
    let db = options.open_store(Box::new(Arc::clone(&gate))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    db.checkpoint().unwrap();
    (db, gate)
}

fn put(db: &Db, key: &str) -> Result<(), Error> {
    db.update(|tx| tx.bucket_mut("b")?.put(key, "value"))
}

#[test]
fn a_commit_returns_and_is_visible_at_once_and_durable_after_the_period() {
    let (db, gate) = open(&eventual(Duration::from_millis(20)));
    let mut changes = db.subscribe(Scope::all(), 1 << 20);
    let before = gate.arrived();
    gate.set(&[], Pass::Wait);
    for key in ["one", "two", "three"] {
        put(&db, key).unwrap();
        assert!(matches!(changes.try_next(), Some(Event::Commit { .. })), "listeners are told at once");
    }
    db.batch(|tx| tx.bucket_mut("b")?.put("batch", "value")).unwrap();
    assert_eq!(keys(&db), ["batch", "one", "three", "two"]);
    assert!(keys(&gate.after_a_crash()).is_empty());
    gate.await_arrived(before + 1);
    gate.set(&[], Pass::Through);
    while keys(&gate.after_a_crash()).len() < 4 {
        thread::yield_now();
    }
    assert!(gate.arrived() - before <= 2, "what is queued at the same time shares a write");
    // The next period begins with the next commit.
    let (began, writes) = (Instant::now(), gate.arrived());
    put(&db, "later").unwrap();
    gate.await_arrived(writes + 1);
    assert!(began.elapsed() >= Duration::from_millis(20), "not before the period is over");
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn a_sync_a_checkpoint_a_close_and_a_drop_write_what_is_queued() {
    let close = |db: Db| db.close();
    let dropped = |db: Db| {
        drop(db);
        Ok(())
    };
    for end in [close, dropped] {
        let (db, gate) = open(&eventual(NEVER));
        let before = gate.arrived();
        put(&db, "one").unwrap();
        put(&db, "two").unwrap();
        assert_eq!(gate.arrived(), before, "nothing is written before its time");
        db.sync().unwrap();
        assert_eq!(gate.arrived(), before + 1);
        assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
        put(&db, "three").unwrap();
        db.checkpoint().unwrap();
        assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
        put(&db, "four").unwrap();
        let expected = dump_of(&db);
        end(db).unwrap();
        assert_eq!(dump_of(&gate.after_a_crash()), expected);
        assert_eq!(Arc::strong_count(&gate), 1, "nobody has the file open any more");
    }
}

#[test]
fn an_owned_transaction_that_outlives_the_handle_is_written_when_it_ends() {
    let (db, gate) = open(&eventual(NEVER));
    put(&db, "before").unwrap();
    let mut tx = db.begin_write_owned().unwrap();
    tx.bucket_mut("b").unwrap().put("late", "value").unwrap();
    drop(db);
    tx.commit().unwrap();
    assert_eq!(keys(&gate.after_a_crash()), ["before", "late"]);
    assert_eq!(Arc::strong_count(&gate), 1);
}

#[test]
fn a_file_is_reopened_while_the_thread_is_there() {
    let directory = tempfile::tempdir().unwrap();
    for period in [Duration::ZERO, Duration::from_micros(50), Duration::MAX] {
        let mut db = eventual(period).open(directory.path().join("db")).unwrap();
        for round in 0..20u8 {
            db.update(|tx| tx.create_bucket_if_absent("b")?.put([round], "value")).unwrap();
            db = db.reopen().unwrap();
        }
        assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), 20);
        db.close().unwrap();
    }
}

/// Of what is queued, a crash loses the newest, and a bounded part of it.
#[test]
fn a_queue_that_is_long_is_written_by_the_commits_themselves() {
    // A quarter of the log is 16 KiB.
    let (db, gate) = open(&eventual(NEVER).log_size(64 << 10));
    for number in 0..300u32 {
        db.update(|tx| tx.bucket_mut("b")?.put(format!("{number:04}"), vec![7; 1000])).unwrap();
        if number % 7 == 0 {
            let found = keys(&gate.after_a_crash());
            let expected: Vec<String> = (0..found.len()).map(|number| format!("{number:04}")).collect();
            assert_eq!(found, expected, "a commit is there without those before it");
            assert!(found.len() + 32 > number as usize, "{} of {number} are durable", found.len());
        }
    }
    assert_eq!(keys(&db).len(), 300);
    db.close().unwrap();
}

#[test]
fn a_write_in_the_background_that_fails_is_told() {
    for pass in [Pass::Fail, Pass::FailDone, Pass::Panic] {
        let (db, gate) = open(&eventual(Duration::from_millis(1)));
        gate.set(&[], pass);
        put(&db, "one").unwrap();
        let told = loop {
            match db.begin_write() {
                Ok(tx) => drop(tx),
                Err(told) => break told,
            }
        };
        assert!(matches!(told, Error::Unknown { .. }), "{told:?}");
        assert_eq!(told.with_causes().contains("planted"), pass != Pass::Panic, "{told:?}");
        assert!(matches!(put(&db, "two"), Err(Error::Poisoned)));
        assert!(db.sync().is_err() && db.checkpoint().is_err());
        assert_eq!(keys(&db), ["one"], "readers go on");
        let crashed = gate.inner.snapshot();
        db.close().unwrap();
        assert_eq!(gate.inner.snapshot(), crashed, "closing writes nothing any more");
        assert_eq!(keys(&gate.after_a_crash()).len(), usize::from(pass == Pass::FailDone));
    }
    // To whoever comes first, and to a transaction that had begun.
    for first in [Db::sync, Db::checkpoint] {
        let (db, gate) = open(&eventual(NEVER));
        put(&db, "one").unwrap();
        gate.set(&[], Pass::Fail);
        assert!(first(&db).is_err());
        assert!(put(&db, "two").is_err());
    }
    let (db, gate) = open(&eventual(NEVER));
    put(&db, "one").unwrap();
    let mut tx = db.begin_write().unwrap();
    tx.bucket_mut("b").unwrap().put("two", "value").unwrap();
    gate.set(&[], Pass::Fail);
    assert!(matches!(db.sync(), Err(Error::Unknown { .. })));
    assert!(matches!(tx.commit(), Err(Error::NotCommitted { .. })));
    // The commit was told that it is lost, and nobody that the one before it may be.
    assert!(matches!(db.close(), Err(Error::Unknown { .. })));
}

#[test]
fn what_does_not_go_with_it_is_refused() {
    let refused = eventual(NEVER).no_sync(true).open_store(Box::new(kv::MemStore::new())).unwrap_err();
    assert!(matches!(refused, Error::InvalidOption { .. }), "{refused}");
}

#[test]
fn many_threads_are_in_order() {
    let (db, gate) = open(&eventual(Duration::from_micros(200)));
    thread::scope(|scope| {
        for name in 0..4u8 {
            let db = &db;
            scope.spawn(move || {
                for round in 0..200u8 {
                    db.update(|tx| tx.bucket_mut("b")?.put([b'a' + name], [round])).unwrap();
                    let seen = db.view(|tx| Ok(tx.bucket("b")?.get([b'a' + name])?.map(<[u8]>::to_vec))).unwrap();
                    assert_eq!(seen.as_deref(), Some(&[round][..]));
                }
            });
        }
    });
    db.sync().unwrap();
    assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
}
