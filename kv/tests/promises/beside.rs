//! Checkpoints of a redo log beside commits: what goes on meanwhile, what readers see, and what becomes of one that fails.

use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kv::{Db, Durability, Error, MemStore, Options, ReadTx};
use kv_testkit::Random;
use pagefile_std::PageStore;

use crate::gate::{Gate, PAGE, Pass, keys};
use crate::stores::{dump, dump_of, file, with_bytes};

/// A log of sixteen blocks: a checkpoint begins when eight commits are in it, and commits wait for it behind four more.
fn logged() -> Options {
    Options::new().page_size(PAGE).durability(Durability::Log).log_size(64 << 10).log_memory(1 << 20)
}

/// A database with the bucket "b", and nothing in its log; syncs wait from now on.
fn open(options: &Options) -> (Db, Arc<Gate>) {
    let gate = Gate::new(Duration::ZERO);
    let db = options.open_store(Box::new(Arc::clone(&gate))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    db.checkpoint().unwrap();
    gate.syncs.set(&[], Pass::Wait);
    (db, gate)
}

fn put(db: &Db, number: u32) -> Result<(), Error> {
    db.update(|tx| tx.bucket_mut("b")?.put(format!("{number:02}"), [7; 300]))
}

fn numbers(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{number:02}")).collect()
}

/// Nine commits; the last of them finds enough in the log for a checkpoint, which is at its sync when this returns.
fn up_to_a_sync(options: &Options) -> (Db, Arc<Gate>) {
    let (db, gate) = open(options);
    let before = gate.syncs.arrived();
    (0..9).for_each(|number| put(&db, number).unwrap());
    db.sync_log();
    gate.syncs.await_arrived(before + 1);
    (db, gate)
}

/// What makes queued commits durable, and is no sync of the file.
trait SyncLog {
    fn sync_log(&self);
}

impl SyncLog for Db {
    fn sync_log(&self) {
        // A commit without changes waits for all before it.
        self.update(|_| Ok::<_, Error>(())).unwrap();
    }
}

#[test]
fn commits_go_on_while_a_checkpoint_waits_for_the_disk() {
    let (db, gate) = up_to_a_sync(&logged());
    let before = db.begin_read();
    (9..12).for_each(|number| put(&db, number).unwrap());
    assert_eq!(keys(&db), numbers(12));
    assert_eq!(keys(&gate.after_a_crash()), numbers(12), "before the checkpoint the log has all of them");
    // The next one has to wait, and goes on when there is room.
    let waiting = thread::spawn({
        let db = db.clone();
        move || put(&db, 12)
    });
    gate.syncs.set(&[], Pass::Through);
    waiting.join().unwrap().unwrap();
    assert_eq!(keys(&gate.after_a_crash()), numbers(13), "after it the log has the others");
    assert_eq!(before.bucket("b").unwrap().iter().count(), 9);
    (13..60).for_each(|number| put(&db, number).unwrap());
    assert_eq!(keys(&gate.after_a_crash()), numbers(60));
    assert_eq!(before.bucket("b").unwrap().iter().count(), 9, "its pages are in memory still");
    drop(before);
    db.close().unwrap();
    assert_eq!(keys(&with_bytes(&gate.inner.snapshot(), &Options::new().read_only(true)).unwrap()), numbers(60));
}

/// A commit that makes the file longer waits for all that a checkpoint beside it has written.
#[test]
fn a_checkpoint_makes_the_file_longer_for_the_commits_beside_it() {
    let (db, gate) = open(&logged().log_size(256 << 10).log_memory(16 << 20).checkpoint_thread(false));
    gate.syncs.set(&[], Pass::Through);
    let (mut by_checkpoints, mut by_commits) = (0, Vec::new());
    for number in 0..600 {
        let before = gate.inner.len();
        // Which does a part of the checkpoint that is in the making.
        let mut tx = db.begin_write().unwrap();
        let begun = gate.inner.len();
        tx.bucket_mut("b").unwrap().put(format!("{number:04}"), [7; 3500]).unwrap();
        tx.commit().unwrap();
        by_checkpoints += u32::from(begun > before);
        if gate.inner.len() > begun {
            by_commits.push(number);
        }
    }
    assert!(by_checkpoints >= 2, "{by_checkpoints}");
    // The first checkpoint begins with the 33rd.
    assert!(by_commits.iter().all(|&number| number < 40), "{by_commits:?}");
}

#[test]
fn a_checkpoint_that_fails_is_told_once_and_loses_nothing() {
    for pass in [Pass::Fail, Pass::Panic] {
        let (db, gate) = up_to_a_sync(&logged());
        put(&db, 9).unwrap();
        gate.syncs.set(&[], pass);
        let mut told = Vec::new();
        // Until the thread has noticed, commits go by the log. One that is queued then is refused by the log.
        while told.len() < 2 && !matches!(told.last(), Some(Error::Poisoned)) {
            match put(&db, 10) {
                Ok(()) => thread::yield_now(),
                Err(error) => told.push(error),
            }
        }
        let first = told.first().unwrap();
        assert!(matches!(first, Error::NotCommitted { .. } | Error::Unknown { .. }), "{pass:?}: {told:?}");
        assert!(pass == Pass::Panic || format!("{told:?}").contains("planted"), "{pass:?}: {told:?}");
        assert!(matches!(put(&db, 11), Err(Error::Poisoned)));
        assert!(matches!(db.checkpoint(), Err(Error::Poisoned)));
        let left = keys(&gate.after_a_crash());
        assert!(left.starts_with(&numbers(10)), "{left:?}");
        db.close().unwrap();
    }
}

/// Without a thread, the panic of a store comes in whoever begins a transaction; and the next one may begin.
#[test]
fn a_panic_in_a_part_of_a_checkpoint_leaves_the_writer_to_the_next() {
    let (db, gate) = open(&logged().checkpoint_thread(false));
    gate.syncs.set(&[], Pass::Panic);
    let mut puts = (0..).map(|number| catch_unwind(AssertUnwindSafe(|| put(&db, number))));
    let panicked = puts.by_ref().take(20).position(|put| put.is_err()).expect("a part of the checkpoint is its sync");
    drop(puts);
    let by_threads = [0, 1].map(|_| {
        let db = db.clone();
        thread::spawn(move || db.batch(|tx| tx.create_bucket("late").map(drop)))
    });
    let told = by_threads.map(|thread| thread.join().unwrap().unwrap_err());
    assert!(told.iter().any(|error| matches!(error, Error::NotCommitted { .. })), "{told:?}");
    assert!(matches!(put(&db, 99), Err(Error::Poisoned)));
    let count = u32::try_from(panicked).unwrap();
    assert_eq!(keys(&gate.after_a_crash()), numbers(count));
}

/// What a commit took into memory and gave up again is nothing for a checkpoint.
#[test]
fn a_commit_that_did_not_come_to_be_begins_no_checkpoint() {
    let closed = file(&small().strict(false), |db| {
        db.update(|tx| {
            let mut damaged = tx.create_bucket("damaged")?;
            (0..200).try_for_each(|key| damaged.put(format!("{key:03}"), [1; 100]))?;
            tx.create_bucket("b").map(drop)
        })
        .unwrap();
    });
    let store = Arc::new(MemStore::with_bytes(&closed));
    let db = small().open_store(Box::new(Arc::clone(&store))).unwrap();
    // A key of the damaged bucket is less than the one before it.
    let at = closed.windows(3).position(|window| window == b"150").unwrap();
    store.write_at(at as u64, &[IoSlice::new(b"000")]).unwrap();
    for _ in 0..3 {
        let many = db.update(|tx| {
            let mut bucket = tx.bucket_mut("b")?;
            (0..60).try_for_each(|key| bucket.put(format!("{key:03}"), [1; 600]))
        });
        assert!(matches!(many, Err(Error::NotCommitted { .. })), "{many:?}");
    }
    assert_eq!(keys(&db), Vec::<String>::new());
}

/// The system tells one of those who wait that a page could not be written: a write to the log may be told, and not the sync of
/// the checkpoint. So a checkpoint is not there before the writes that were on their way beside its sync are.
#[test]
fn a_checkpoint_waits_for_the_write_to_the_log_beside_its_sync() {
    let (db, gate) = up_to_a_sync(&logged());
    let metas = || gate.inner.snapshot()[..2 * PAGE as usize].to_vec();
    let before = metas();
    gate.set(&[], Pass::Wait);
    let arrived = gate.arrived();
    let waiting = thread::spawn({
        let db = db.clone();
        move || put(&db, 9)
    });
    gate.await_arrived(arrived + 1);
    gate.syncs.set(&[], Pass::Through);
    thread::sleep(Duration::from_millis(30));
    assert!(metas() == before, "the write beside it is not over");
    gate.set(&[], Pass::Fail);
    assert!(matches!(waiting.join().unwrap(), Err(Error::Unknown { .. })));
    assert!(matches!(put(&db, 10), Err(Error::Poisoned)));
    db.close().unwrap();
    assert!(metas() == before, "nobody knows what the write was told of");
    assert_eq!(keys(&gate.after_a_crash()), numbers(9));
}

#[test]
fn with_eventual_durability_a_checkpoint_that_fails_leaves_what_was_durable() {
    let options = logged().durability(Durability::Eventual(Duration::from_secs(3600)));
    let (db, gate) = open(&options);
    let before = gate.syncs.arrived();
    (0..9).for_each(|number| put(&db, number).unwrap());
    let queued = gate.arrived();
    // Nothing but the checkpoint makes them durable.
    while gate.syncs.arrived() == before && keys(&db).len() < 90 {
        put(&db, keys(&db).len().try_into().unwrap()).unwrap();
    }
    assert!(gate.arrived() > queued, "what the checkpoint has was written to the log first");
    gate.syncs.set(&[], Pass::Fail);
    let told = loop {
        match put(&db, 99) {
            Ok(()) => thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert!(matches!(told, Error::Unknown { .. }), "{told:?}");
    assert!(matches!(put(&db, 99), Err(Error::Poisoned)));
    assert!(keys(&gate.after_a_crash()).starts_with(&numbers(9)));
}

/// A reader, and what it saw at first.
type Held = (ReadTx<'static>, Vec<String>);

/// Random commits; after some of them what readers see that were there before, and what a power cut would leave.
fn random_commits(seed: u64, commits: usize, options: &Options) {
    let store = Arc::new(MemStore::new());
    let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let mut random = Random::new(seed);
    let mut held: Vec<Held> = Vec::new();
    for commit in 0..commits {
        db.update(|tx| {
            let mut bucket = tx.bucket_mut("b")?;
            for _ in 0..=random.below(6) {
                let key = format!("{:03}", random.below(200));
                if random.one_in(3) {
                    bucket.delete(key)?;
                } else {
                    bucket.put(key, vec![b'a' + u8::try_from(commit % 26).unwrap(); random.below(900)])?;
                }
            }
            Ok::<_, Error>(())
        })
        .unwrap();
        if random.one_in(8) {
            db.begin_write().unwrap().rollback();
        }
        match random.below(8) {
            0 => {
                let tx = db.begin_read_owned();
                let shown = dump(&tx);
                held.push((tx, shown));
            }
            1 if !held.is_empty() => {
                let (tx, shown) = held.swap_remove(random.below(held.len()));
                assert_eq!(dump(&tx), shown, "seed {seed}, commit {commit}");
            }
            2 => held.clear(),
            3 => {
                let left = with_bytes(&store.snapshot(), &Options::new()).unwrap();
                assert_eq!(dump_of(&left), dump_of(&db), "seed {seed}, commit {commit}: after a power cut");
                assert_eq!(left.begin_read().check().unwrap(), [], "seed {seed}, commit {commit}");
            }
            4 if random.one_in(8) => db.checkpoint().unwrap(),
            _ => {}
        }
    }
    assert_eq!(db.begin_read().check().unwrap(), []);
    for (tx, shown) in held {
        assert_eq!(dump(&tx), shown, "seed {seed}");
    }
    let newest = dump_of(&db);
    db.close().unwrap();
    assert_eq!(dump_of(&with_bytes(&store.snapshot(), &Options::new().read_only(true)).unwrap()), newest);
}

/// Memory for few pages, so that checkpoints begin for its sake too, and a log that goes round.
fn small() -> Options {
    logged().log_size(0).log_memory(0).strict(true)
}

#[test]
fn readers_and_power_cuts_see_whole_states_beside_checkpoints_by_parts() {
    for seed in 0..60 {
        random_commits(seed, 120, &small().checkpoint_thread(false).log_memory((64 << 10) << (seed % 3)));
    }
}

#[test]
fn readers_and_power_cuts_see_whole_states_beside_checkpoints_by_a_thread() {
    for seed in 0..20 {
        random_commits(seed, 120, &small().log_memory((64 << 10) << (seed % 3)));
    }
}
