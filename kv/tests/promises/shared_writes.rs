//! Commits by a redo log share a durable write without asking for it: what each of them is told, what readers see meanwhile, and
//! what a crash leaves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kv::{Db, Durability, Error, Event, Options, Scope};

use crate::gate::{Gate, PAGE, Pass, keys};
use crate::stores::{dump, dump_of, with_bytes};

fn plain() -> Options {
    Options::new().page_size(PAGE)
}

fn logged() -> Options {
    plain().durability(Durability::Log).log_size(1 << 20).log_memory(4 << 20)
}

/// A database with the bucket "b", everything in a checkpoint, and its gate.
fn open() -> (Db, Arc<Gate>) {
    let gate = Gate::new(Duration::ZERO);
    let db = logged().open_store(Box::new(Arc::clone(&gate))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    db.checkpoint().unwrap();
    (db, gate)
}

fn put(db: &Db, key: &'static str, value: &'static str) -> JoinHandle<Result<(), Error>> {
    let db = db.clone();
    thread::spawn(move || db.update(|tx| tx.bucket_mut("b")?.put(key, value)))
}

/// Waits until the commit that has put this waits for the disk: the next transaction builds on it.
fn await_queued(db: &Db, key: &str, value: &str) {
    loop {
        let tx = db.begin_write().unwrap();
        if tx.bucket("b").unwrap().get(key).unwrap() == Some(value.as_bytes()) {
            return;
        }
        drop(tx);
        thread::yield_now();
    }
}

/// The first commit is at the gate, and one after the other these are behind it.
fn held(db: &Db, gate: &Gate, pairs: &[(&'static str, &'static str)]) -> Vec<JoinHandle<Result<(), Error>>> {
    gate.set(&[], Pass::Wait);
    let arrived = gate.arrived();
    let waits = |&(key, value): &(&'static str, &'static str)| {
        let waiting = put(db, key, value);
        await_queued(db, key, value);
        gate.await_arrived(arrived + 1);
        waiting
    };
    pairs.iter().map(waits).collect()
}

#[test]
fn many_threads_share_writes_and_each_finds_its_commit() {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 60;
    let gate = Gate::new(Duration::from_micros(300));
    // A log that they do not fill by half: writes of a checkpoint beside them would be counted, too.
    let db = logged().log_size(8 << 20).open_store(Box::new(Arc::clone(&gate))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let counters = || -> [AtomicU64; THREADS] { [const { AtomicU64::new(0) }; THREADS] };
    let (begun, acknowledged, over) = (counters(), counters(), AtomicBool::new(false));
    let (before, stats) = (gate.arrived(), db.stats());
    let seen_by = |db: &Db, name: usize| -> u64 {
        let tx = db.begin_read();
        let value = tx.bucket("b").unwrap().get([name as u8]).unwrap();
        value.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
    };
    thread::scope(|scope| {
        let (db, begun, acknowledged, over) = (&db, &begun, &acknowledged, &over);
        let writers: Vec<_> = (0..THREADS)
            .map(|name| {
                scope.spawn(move || {
                    for round in 1..=ROUNDS {
                        begun[name].store(round, Ordering::SeqCst);
                        db.update(|tx| tx.bucket_mut("b")?.put([name as u8], round.to_le_bytes())).unwrap();
                        assert_eq!(seen_by(db, name), round, "a commit that has returned is visible");
                        acknowledged[name].store(round, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(move || {
                let mut last = [0; THREADS];
                while !over.load(Ordering::SeqCst) {
                    for name in 0..THREADS {
                        let least = acknowledged[name].load(Ordering::SeqCst);
                        let seen = seen_by(db, name);
                        assert!(least <= seen && seen <= begun[name].load(Ordering::SeqCst), "thread {name}: {seen}");
                        assert!(last[name] <= seen, "time runs backwards");
                        last[name] = seen;
                    }
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
    });
    let (writes, commits) = (gate.arrived() - before, THREADS as u64 * ROUNDS);
    assert!(writes * 2 < commits, "{writes} writes for {commits} commits");
    assert_eq!(db.stats().since(&stats).tx.commits, commits);
    assert_eq!(db.stats().since(&stats).tx.writes, writes, "a write that is shared is counted once");
    assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
    db.close().unwrap();
}

#[test]
fn readers_see_nothing_that_a_crash_could_undo() {
    let (db, gate) = open();
    let before = gate.arrived();
    let waiting = held(&db, &gate, &[("one", "1"), ("two", "2"), ("three", "3")]);
    assert!(keys(&db).is_empty(), "nothing is durable");
    assert!(keys(&gate.after_a_crash()).is_empty());
    assert!(waiting.iter().all(|commit| !commit.is_finished()), "no commit returns before it is durable");
    gate.set(&[Pass::Through], Pass::Wait);
    gate.await_arrived(before + 2);
    assert_eq!(keys(&db), ["one"]);
    assert_eq!(keys(&gate.after_a_crash()), ["one"]);
    gate.set(&[], Pass::Through);
    for commit in waiting {
        commit.join().unwrap().unwrap();
    }
    assert_eq!(gate.arrived() - before, 2, "those that waited shared a write");
    assert_eq!(keys(&db), ["one", "three", "two"]);
    assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
}

/// What is in memory of a state that is not visible yet is not used again: it will be visible.
#[test]
fn a_state_on_its_way_keeps_its_pages() {
    let (db, gate) = open();
    let before = gate.arrived();
    // Each of these frees the pages of the one before, which the next would take.
    let waiting = held(&db, &gate, &[("key", "one"), ("key", "two"), ("key", "three"), ("key", "four")]);
    let old = db.begin_read();
    gate.set(&[Pass::Through], Pass::Wait);
    gate.await_arrived(before + 2);
    let first = db.begin_read();
    let more = [put(&db, "key", "five"), put(&db, "other", "six")];
    await_queued(&db, "other", "six");
    let value = |tx: &kv::ReadTx<'_>| tx.bucket("b").unwrap().get("key").unwrap().map(<[u8]>::to_vec);
    for _ in 0..2 {
        assert_eq!((value(&old), old.check().unwrap()), (None, vec![]));
        assert_eq!((value(&first).as_deref(), first.check().unwrap()), (Some(&b"one"[..]), vec![]));
        gate.set(&[], Pass::Through);
    }
    for commit in waiting.into_iter().chain(more) {
        commit.join().unwrap().unwrap();
    }
    assert_eq!((value(&old), value(&first).as_deref()), (None, Some(&b"one"[..])));
    assert_eq!(db.begin_read().check().unwrap(), []);
    // And once nobody sees them, they are.
    drop((old, first));
    let high = db.begin_read().size();
    for _ in 0..50 {
        put(&db, "key", "again").join().unwrap().unwrap();
    }
    assert_eq!(db.begin_read().size(), high, "pages are used again");
}

/// Readers come and go at every state while commits that wait free pages and take them.
#[test]
fn readers_beside_commits_on_their_way_keep_what_they_see() {
    let gate = Gate::new(Duration::from_micros(100));
    // As little memory as can be: checkpoints come in between.
    let db = logged().log_size(64 << 10).log_memory(0).open_store(Box::new(Arc::clone(&gate))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (db, over) = (&db, &over);
        for _ in 0..2 {
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let tx = db.begin_read();
                    let seen = dump(&tx);
                    // All keys of a commit say the same.
                    for name in 0..6u8 {
                        let mut values = (0..8u8).map(|key| tx.bucket("b").unwrap().get([name, key]).unwrap());
                        let first = values.next().unwrap();
                        assert!(values.all(|value| value == first), "half a commit");
                    }
                    thread::yield_now();
                    assert_eq!(dump(&tx), seen, "a reader's state has changed");
                    assert_eq!(tx.check().unwrap(), []);
                }
            });
        }
        let writers: Vec<_> = (0..6u8)
            .map(|name| {
                scope.spawn(move || {
                    for round in 0..60u8 {
                        let value = vec![round; usize::from(round) * 4];
                        let put = |tx: &mut kv::WriteTx<'_>| {
                            let mut bucket = tx.bucket_mut("b")?;
                            (0..8u8).try_for_each(|key| bucket.put([name, key], &value))
                        };
                        // One of them by the shared transactions.
                        if name == 0 {
                            let value = value.clone();
                            db.batch(move |tx| {
                                let mut bucket = tx.bucket_mut("b")?;
                                (0..8u8).try_for_each(|key| bucket.put([0, key], &value))
                            })
                            .unwrap();
                        } else {
                            db.update(put).unwrap();
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
    db.close().unwrap();
}

#[test]
fn a_failed_write_is_unknown_for_those_in_it_and_certain_for_those_behind() {
    for pass in [Pass::Fail, Pass::FailDone, Pass::Panic] {
        let (db, gate) = open();
        let before = gate.arrived();
        let mut shared = held(&db, &gate, &[("0", "a"), ("1", "a"), ("2", "a"), ("3", "a")]);
        gate.set(&[Pass::Through], Pass::Wait);
        gate.await_arrived(before + 2);
        shared.remove(0).join().unwrap().unwrap();
        let behind = put(&db, "4", "a");
        await_queued(&db, "4", "a");
        let mut open = db.begin_write().unwrap();
        open.bucket_mut("b").unwrap().put("5", "a").unwrap();
        gate.set(&[], pass);
        let outcomes: Vec<_> = shared.into_iter().map(JoinHandle::join).collect();
        let panicked = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(panicked, usize::from(pass == Pass::Panic));
        for outcome in outcomes.into_iter().flatten() {
            assert!(matches!(outcome, Err(Error::Unknown { .. })), "one that was being written: {outcome:?}");
        }
        let refused = behind.join().unwrap();
        assert!(matches!(refused, Err(Error::NotCommitted { .. })), "{refused:?}");
        let refused = open.commit();
        assert!(matches!(refused, Err(Error::NotCommitted { .. })), "{refused:?}");
        assert!(matches!(db.begin_write(), Err(Error::Poisoned)));
        assert!(db.checkpoint().is_err());
        assert_eq!(keys(&db), ["0"], "readers go on, and see what is durable");
        let crashed = gate.inner.snapshot();
        let found = keys(&with_bytes(&crashed, &plain()).unwrap());
        let all = if pass == Pass::FailDone { vec!["0", "1", "2", "3"] } else { vec!["0"] };
        assert_eq!(found, all, "those of the write are there together, or not");
        db.close().unwrap();
        assert_eq!(gate.inner.snapshot(), crashed, "closing writes nothing any more");
    }
}

/// A transaction sees commits that are on their way. What a caller learns from one is not lost in a power cut.
#[test]
fn what_a_transaction_without_changes_has_seen_is_durable_when_it_returns() {
    for (fails, pass) in [(false, Pass::Through), (true, Pass::Through), (false, Pass::Fail), (true, Pass::Fail)] {
        let (db, gate) = open();
        let waiting = held(&db, &gate, &[("key", "value")]);
        let (sender, receiver) = channel();
        let looker = thread::spawn({
            let db = db.clone();
            move || {
                let seen = db.update(|tx| match tx.bucket("b")?.get("key")? {
                    Some(_) if fails => Err(Error::KeyRequired),
                    value => Ok(value.map(<[u8]>::to_vec)),
                });
                sender.send(()).unwrap();
                seen
            }
        });
        assert!(receiver.recv_timeout(Duration::from_millis(30)).is_err(), "it waits");
        gate.set(&[], pass);
        let seen = looker.join().unwrap();
        match (pass, fails) {
            (Pass::Through, false) => assert_eq!(seen.unwrap().as_deref(), Some(&b"value"[..])),
            (Pass::Through, true) => assert!(matches!(seen, Err(Error::KeyRequired)), "{seen:?}"),
            _ => assert!(matches!(seen, Err(Error::Unknown { .. })), "{seen:?}"),
        }
        for commit in waiting {
            assert_eq!(commit.join().unwrap().is_ok(), pass == Pass::Through);
        }
    }
}

#[test]
fn listeners_are_told_in_order_of_what_is_durable() {
    let (db, gate) = open();
    let mut changes = db.subscribe(Scope::all(), 8 << 20);
    let waiting = held(&db, &gate, &[("one", "1"), ("two", "2"), ("three", "3")]);
    assert_eq!(changes.try_next(), None, "what is not durable is not told");
    gate.set(&[], Pass::Through);
    for commit in waiting {
        commit.join().unwrap().unwrap();
    }
    thread::scope(|scope| {
        for name in 0..6u8 {
            let db = &db;
            scope.spawn(move || {
                for round in 0..40u8 {
                    // Now and then one that is too large for the log.
                    let len = if (name, round % 10) == (0, 0) { 300_000 } else { 10 };
                    db.update(|tx| tx.bucket_mut("b")?.put([name], vec![round; len])).unwrap();
                }
            });
        }
    });
    let (mut told, mut last) = (0, 0);
    while let Some(event) = changes.try_next() {
        let Event::Commit { tx, changes } = event else { panic!("{event:?}") };
        assert!(tx.get() > last, "{tx:?} after {last}");
        assert_eq!(changes.len(), 1);
        (told, last) = (told + 1, tx.get());
    }
    assert_eq!(told, 3 + 6 * 40);
}

#[test]
fn a_hook_runs_when_its_commit_is_durable() {
    let (db, gate) = open();
    gate.set(&[], Pass::Wait);
    let (sender, receiver) = channel();
    let commit = thread::spawn({
        let db = db.clone();
        move || {
            db.update(|tx| {
                tx.on_commit(move || sender.send(()).unwrap());
                tx.bucket_mut("b")?.put("key", "value")
            })
        }
    });
    await_queued(&db, "key", "value");
    assert!(receiver.recv_timeout(Duration::from_millis(20)).is_err());
    gate.set(&[], Pass::Through);
    receiver.recv().unwrap();
    commit.join().unwrap().unwrap();
}

#[test]
fn a_checkpoint_and_a_large_commit_wait_for_what_is_on_its_way() {
    let (db, gate) = open();
    let waiting = held(&db, &gate, &[("one", "1"), ("two", "2")]);
    let checkpoint = thread::spawn({
        let db = db.clone();
        move || db.checkpoint()
    });
    let large = thread::spawn({
        let db = db.clone();
        move || db.update(|tx| tx.bucket_mut("b")?.put("large", vec![7; 600_000]))
    });
    thread::sleep(Duration::from_millis(20));
    assert!(!checkpoint.is_finished() && !large.is_finished());
    gate.set(&[], Pass::Through);
    for commit in waiting {
        commit.join().unwrap().unwrap();
    }
    checkpoint.join().unwrap().unwrap();
    large.join().unwrap().unwrap();
    assert_eq!(keys(&db), ["large", "one", "two"]);
    assert_eq!(dump_of(&gate.after_a_crash()), dump_of(&db));
}

/// A caller of `batch` whose commit waits for the disk.
fn batch(db: &Db, key: &'static str) -> JoinHandle<Result<(), Error>> {
    let call = thread::spawn({
        let db = db.clone();
        move || db.batch(move |tx| tx.bucket_mut("b")?.put(key, "value"))
    });
    await_queued(db, key, "value");
    call
}

/// The next round of a batch begins while the write of the one before is under way.
#[test]
fn rounds_of_a_batch_share_a_write() {
    let (db, gate) = open();
    let before = gate.arrived();
    gate.set(&[], Pass::Wait);
    let calls = ["one", "two", "three"].map(|key| batch(&db, key));
    gate.await_arrived(before + 1);
    assert!(keys(&db).is_empty() && calls.iter().all(|call| !call.is_finished()));
    gate.set(&[], Pass::Through);
    for call in calls {
        call.join().unwrap().unwrap();
    }
    assert_eq!(gate.arrived() - before, 2);
    assert_eq!(keys(&db), ["one", "three", "two"]);
}

#[test]
fn a_batch_whose_write_fails_is_unknown_or_not_committed() {
    let (db, gate) = open();
    let before = gate.arrived();
    gate.set(&[], Pass::Wait);
    let first = batch(&db, "one");
    gate.await_arrived(before + 1);
    let second = batch(&db, "two");
    gate.set(&[], Pass::Fail);
    let failed = first.join().unwrap();
    assert!(matches!(failed, Err(Error::Unknown { .. })), "{failed:?}");
    // It was not committed, and another try meets a handle that refuses writes.
    let failed = second.join().unwrap();
    assert!(matches!(failed, Err(Error::Poisoned | Error::NotCommitted { .. })), "{failed:?}");
}

/// Whoever panics while writing for all leaves nobody waiting.
#[test]
fn a_panic_of_the_one_who_writes_is_an_error_of_the_others() {
    let (db, gate) = open();
    let waiting = held(&db, &gate, &[("one", "1"), ("two", "2"), ("three", "3")]);
    gate.set(&[], Pass::Panic);
    let mut outcomes = waiting.into_iter().map(JoinHandle::join);
    assert!(outcomes.next().unwrap().is_err(), "the first was at the gate");
    for outcome in outcomes {
        let refused = outcome.unwrap();
        assert!(matches!(refused, Err(Error::NotCommitted { .. })), "{refused:?}");
    }
    assert!(matches!(db.begin_write(), Err(Error::Poisoned)), "although the store is not poisoned");
    assert!(keys(&db).is_empty());
    assert!(catch_unwind(AssertUnwindSafe(|| db.close())).unwrap().is_ok());
}
