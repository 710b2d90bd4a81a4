//! What `Db::subscribe` tells: replayed, it is the database.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kv::{Change, Changes, Db, Error, Event, Name, Options, Scope, TxId};
use kv_testkit::Random;
use kv_testkit::budget::number;
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::{Entry, Model};
use pagefile_std::MemStore;

use crate::stores::{Fragile, file};

const ENOUGH: usize = 100 << 20;

fn db() -> Db {
    Options::new().open_store(Box::new(MemStore::new())).unwrap()
}

fn names(path: &[Name]) -> Vec<Vec<u8>> {
    path.iter().map(|name| name.to_vec()).collect()
}

/// Does to the model what was told.
fn replay(model: &mut Model, change: &Change) {
    let split = |path: &[Name]| {
        let (name, parent) = path.split_last().expect("the root bucket stays");
        (names(parent), name.to_vec())
    };
    match change {
        Change::Put { bucket, key, value } => {
            let bucket = model.bucket_mut(&names(bucket)).expect("its bucket was told");
            bucket.entries.insert(key.to_vec(), Entry::Value(Arc::clone(value)));
        }
        Change::Deleted { bucket, key } => {
            let gone = model.bucket_mut(&names(bucket)).expect("its bucket was told").entries.remove(&key[..]);
            assert!(matches!(gone, Some(Entry::Value(_))), "{key:?} was there");
        }
        Change::RangeDeleted { bucket, start, end } => {
            let range = (start.as_ref().map(|key| &key[..]), end.as_ref().map(|key| &key[..]));
            let entries = &mut model.bucket_mut(&names(bucket)).expect("its bucket was told").entries;
            entries.retain(|key, _| !RangeBounds::<[u8]>::contains(&range, &key[..]));
        }
        Change::BucketCreated { bucket } => {
            let (parent, name) = split(bucket);
            let parent = model.bucket_mut(&parent).expect("its parent was told");
            assert!(parent.entries.insert(name, Entry::Bucket(Model::default())).is_none(), "the name was free");
        }
        Change::BucketDeleted { bucket } => {
            let (parent, name) = split(bucket);
            let gone = model.bucket_mut(&parent).expect("its parent was told").entries.remove(&name);
            assert!(matches!(gone, Some(Entry::Bucket(_))), "it was there");
        }
        Change::BucketMoved { from, to } => {
            let ((from, name), (to, _)) = (split(from), split(to));
            let moved = model.bucket_mut(&from).expect("it was told").entries.remove(&name).expect("it was there");
            model.bucket_mut(&to).expect("it was told").entries.insert(name, moved);
        }
        Change::Sequence { bucket, sequence } => {
            model.bucket_mut(&names(bucket)).expect("its bucket was told").sequence = *sequence;
        }
        other => panic!("{other:?}"),
    }
}

/// Does to the model all that was told so far.
pub(crate) fn replayed(model: &mut Model, told: &mut Changes) {
    while let Some(event) = told.try_next() {
        for change in commit(Some(event)).1 {
            replay(model, &change);
        }
    }
}

fn commit(event: Option<Event>) -> (TxId, Vec<Change>) {
    match event {
        Some(Event::Commit { tx, changes }) => (tx, changes),
        other => panic!("{other:?}"),
    }
}

/// Random programs on nested buckets, some rolled back: after each commit the replay equals the model, which the database
/// equals.
#[test]
fn a_replay_equals_the_database() {
    for seed in 0..number("KV_CHANGES_PROGRAMS", 40) {
        let (db, mut random) = (db(), Random::of(seed, 71));
        let (mut model, mut replica) = (Model::default(), Model::default());
        let mut told = db.subscribe(Scope::all(), ENOUGH);
        for _ in 0..30 {
            let (mut after, before) = (model.clone(), db.begin_read().id());
            let commands = changes(&mut random, &mut after, &Shape::SMALL);
            let mut tx = db.begin_write().unwrap();
            let mut beside = model.clone();
            execute_beside(&mut tx, &mut beside, &commands).unwrap();
            if random.one_in(4) {
                tx.rollback();
                assert_eq!(told.try_next(), None, "seed {seed}: a rollback is not told");
                continue;
            }
            tx.commit().unwrap();
            model = beside;
            if db.begin_read().id() > before
                && let Some(event) = told.try_next()
            {
                let (tx, changes) = commit(Some(event));
                assert_eq!(tx, db.begin_read().id());
                for change in &changes {
                    replay(&mut replica, change);
                }
            }
            assert_eq!(told.try_next(), None, "one event for a commit");
            assert!(replica == model, "seed {seed}: the replay differs");
        }
    }
}

/// Listeners of parts are told what is theirs, and nothing else.
#[test]
fn a_part_is_told_what_is_its_own() {
    for seed in 0..number("KV_CHANGES_PROGRAMS", 40) {
        let (db, mut random) = (db(), Random::of(seed, 72));
        let mut model = Model::default();
        let mut parts: Vec<(Vec<Vec<u8>>, Vec<u8>, Changes)> = Vec::new();
        for _ in 0..30 {
            if parts.len() < 6 && !model.paths().is_empty() {
                let path = random.pick(&model.paths()).clone();
                let prefix = if random.one_in(2) { Vec::new() } else { vec![random.bytes(1)[0]] };
                let scope = Scope::bucket(&path).prefix(&prefix);
                parts.push((path, prefix, db.subscribe(scope, ENOUGH)));
            }
            let before = model.clone();
            let commands = changes(&mut random, &mut model.clone(), &Shape::SMALL);
            let mut tx = db.begin_write().unwrap();
            execute_beside(&mut tx, &mut model, &commands).unwrap();
            tx.commit().unwrap();
            for (path, prefix, told) in &mut parts {
                let seen = told.try_next().map(|event| commit(Some(event)).1);
                let (was, is) = (part(&before, path, prefix), part(&model, path, prefix));
                let Some(seen) = seen else {
                    assert_eq!(was, is, "seed {seed}: {path:?} {prefix:?} changed, and nothing was told");
                    continue;
                };
                // What was moved in, or is inside something that was made again, is not known from this part alone.
                let around = |bucket: &[Name]| names(bucket).len() <= path.len();
                let whole = seen.iter().any(|change| match change {
                    Change::BucketMoved { .. } => true,
                    Change::BucketCreated { bucket } | Change::BucketDeleted { bucket } => around(bucket),
                    Change::RangeDeleted { bucket, .. } => names(bucket).len() < path.len(),
                    _ => false,
                });
                if let (Some(was), Some(is), false) = (was, is, whole) {
                    let mut replica = Model::default();
                    path.iter().fold(&mut replica, |bucket, name| {
                        let made =
                            bucket.entries.entry(name.clone()).or_insert_with(|| Entry::Bucket(Model::default()));
                        let Entry::Bucket(made) = made else { unreachable!() };
                        made
                    });
                    replica.bucket_mut(path).unwrap().entries = was;
                    for change in &seen {
                        replay(&mut replica, change);
                    }
                    assert_eq!(part(&replica, path, prefix), Some(is), "seed {seed}: {path:?} {prefix:?}");
                    let all = &replica.bucket(path).unwrap().entries;
                    assert!(all.keys().all(|key| key.starts_with(prefix)), "seed {seed}: what is another part's");
                }
            }
        }
    }
}

/// The entries of a part.
fn part(model: &Model, path: &[Vec<u8>], prefix: &[u8]) -> Option<BTreeMap<Vec<u8>, Entry>> {
    let entries = &model.bucket(path)?.entries;
    Some(
        entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect(),
    )
}

#[test]
fn a_range_is_told_as_one() {
    let db = db();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..10_000u32).try_for_each(|key| bucket.put(format!("{key:04}"), "value"))
    })
    .unwrap();
    let mut told = db.subscribe(Scope::all(), 4096);
    db.update(|tx| tx.bucket_mut("b")?.delete_range(.."9000")).unwrap();
    let (_, changes) = commit(told.try_next());
    assert!(matches!(&changes[..], [Change::RangeDeleted { start: Bound::Unbounded, end: Bound::Excluded(_), .. }]));
    db.update(|tx| tx.bucket_mut("b")?.clear()).unwrap();
    let (_, changes) = commit(told.try_next());
    assert!(matches!(&changes[..], [Change::RangeDeleted { start: Bound::Unbounded, end: Bound::Unbounded, .. }]));
}

/// Threads that commit alone and in groups: the transactions come in their order, and each change once.
#[test]
fn commits_are_told_in_their_order() {
    let db = db();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let told = db.subscribe(Scope::all(), ENOUGH);
    let listener = thread::spawn(move || {
        let (mut last, mut counts) = (TxId::new(0), BTreeMap::new());
        for event in told {
            let (tx, changes) = commit(Some(event));
            assert!(tx > last, "{tx} after {last}");
            last = tx;
            for change in changes {
                let Change::Put { key, value, .. } = change else { panic!("{change:?}") };
                let count: &mut u32 = counts.entry(key).or_default();
                assert_eq!(&value[..], count.to_le_bytes(), "each put once, in order");
                *count += 1;
            }
        }
        counts.values().sum::<u32>()
    });
    thread::scope(|scope| {
        for thread in 0..4u8 {
            let db = &db;
            scope.spawn(move || {
                for n in 0..2000u32 {
                    let put = move |tx: &mut kv::WriteTx<'_>| tx.bucket_mut("b")?.put([thread], n.to_le_bytes());
                    if thread % 2 == 0 { db.batch(put).unwrap() } else { db.update(put).unwrap() }
                }
            });
        }
    });
    drop(db);
    assert_eq!(listener.join().unwrap(), 8000);
}

/// A listener that takes nothing keeps nobody, and is told how much it has missed; then it is told again.
#[test]
fn a_slow_listener_is_told_that_it_missed_some() {
    let db = db();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let (mut slow, mut quick) = (db.subscribe(Scope::all(), 10_000), db.subscribe(Scope::all(), ENOUGH));
    let put = |n: u32| db.update(|tx| tx.bucket_mut("b")?.put(n.to_le_bytes(), [0; 1000])).unwrap();
    (0..100).for_each(put);
    let last = db.begin_read().id();
    let mut taken = 0;
    let missed = loop {
        match slow.try_next().expect("what was missed is told") {
            Event::Commit { .. } => taken += 1,
            Event::Missed { commits, through } => break (commits, through),
        }
    };
    assert_eq!((missed.0 + taken, missed.1), (100, last));
    assert!((5..10).contains(&taken), "{taken} of 1000 bytes and more fit into 10,000");
    put(100);
    let (tx, _) = commit(slow.try_next());
    assert!(tx > last);
    // Larger than the limit by itself.
    db.update(|tx| tx.bucket_mut("b")?.put("large", vec![0; 20_000])).unwrap();
    assert_eq!(slow.try_next(), Some(Event::Missed { commits: 1, through: db.begin_read().id() }));
    assert_eq!(quick.by_ref().take(102).filter(|event| matches!(event, Event::Commit { .. })).count(), 102);
}

#[test]
fn what_began_before_the_listener_is_told_as_missed() {
    let db = db();
    let mut tx = db.begin_write().unwrap();
    let mut told = db.subscribe(Scope::bucket(["b"]), ENOUGH);
    tx.create_bucket("b").unwrap();
    tx.commit().unwrap();
    assert_eq!(told.next(), Some(Event::Missed { commits: 1, through: db.begin_read().id() }));
}

#[test]
fn a_closure_that_panics_in_retain_leaves_no_wrong_log() {
    let db = db();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..100u8).try_for_each(|key| bucket.put([key], "value"))
    })
    .unwrap();
    let mut told = db.subscribe(Scope::all(), ENOUGH);
    let mut tx = db.begin_write().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tx.bucket_mut("b").unwrap().retain(|key, _| if key[0] < 50 { false } else { panic!("enough") })
    }));
    assert!(panicked.is_err());
    tx.bucket_mut("b").unwrap().put("key", "value").unwrap();
    tx.commit().unwrap();
    assert!(matches!(told.try_next(), Some(Event::Missed { commits: 1, .. })));
    db.update(|tx| tx.bucket_mut("b")?.retain(|key, _| key[0] != 99).map(drop)).unwrap();
    assert!(matches!(&commit(told.try_next()).1[..], [Change::Deleted { key, .. }] if **key == [99]));
}

#[test]
fn a_failed_commit_is_not_told() {
    let bytes = file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(drop)).unwrap());
    let store = Fragile::new(&bytes, 0);
    let db = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap();
    let mut told = db.subscribe(Scope::all(), ENOUGH);
    store.fail(1);
    let failed = db.update(|tx| tx.bucket_mut("b")?.put("key", "value"));
    assert!(matches!(failed, Err(Error::NotCommitted { .. } | Error::Unknown { .. })), "{failed:?}");
    assert_eq!(told.next_timeout(Duration::from_millis(5)), None);
    drop(db);
    assert_eq!(told.next(), None, "closed");
}

/// Without a runtime: a task is polled by hand, and woken by a commit, by what was missed, and by the end.
#[cfg(feature = "stream")]
#[test]
fn a_task_is_woken() {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let db = db();
    let mut told = db.subscribe(Scope::all(), 1000);
    let count = Arc::new(Count(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut poll = || futures_core::Stream::poll_next(Pin::new(&mut told), &mut Context::from_waker(&waker));
    assert_eq!(poll(), Poll::Pending);
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(matches!(poll(), Poll::Ready(Some(Event::Commit { .. }))));
    assert_eq!(poll(), Poll::Pending);
    db.update(|tx| tx.bucket_mut("b")?.put("large", [0; 2000])).unwrap();
    assert!(matches!(poll(), Poll::Ready(Some(Event::Missed { commits: 1, .. }))));
    assert_eq!(poll(), Poll::Pending);
    drop(db);
    assert_eq!((poll(), count.0.load(Ordering::Relaxed)), (Poll::Ready(None), 3));
}
