//! Random programs beside the plainest model there is: a tree of `BTreeMap`s.
//!
//! Every commit runs in strict mode, which checks the whole new state before it becomes visible; snapshots held across
//! commits must stay as they were; the database is closed and opened again from its bytes, after a kill or not.
//!
//! | variable | default | what |
//! | --- | --- | --- |
//! | `KV_MODEL_PROGRAMS` | 60 | programs to run |
//! | `KV_MODEL_SEED` | 1 | the first of their seeds |
//!
//! ```sh
//! KV_MODEL_PROGRAMS=10000 cargo test --release -p kv-bbolt --test model
//! KV_MODEL_SEED=4711 KV_MODEL_PROGRAMS=1 cargo test -p kv-bbolt --test model   # one failure again
//! ```
//!
//! A failure prints its seed, and the smallest program found that fails.

#[macro_use]
extern crate kv_testkit;

use std::panic::catch_unwind;
use std::sync::Arc;

use kv::{Bucket, Db, Durability, Options, ReadTx};
use kv_testkit::Random;
use kv_testkit::budget::number;
use kv_testkit::case::{Case, Turn};
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, case, changes};
use kv_testkit::model::{Entry, Model, difference};
use kv_testkit::program::{LONG_KEY, Step, long_key};
use kv_testkit::shrink::shrink;
use pagefile_std::MemStore;

/// The same forwards, and backwards in each bucket.
fn assert_shown(bucket: &Bucket<'_>, model: &Model) {
    assert_eq!(difference(bucket, model).unwrap(), None);
    let backwards = bucket.items(..).rev().map(|item| item.unwrap().0);
    assert!(backwards.eq(model.entries.keys().rev()), "the way back");
    for (name, nested) in model.nested() {
        assert_shown(&bucket.bucket(name).unwrap(), nested);
    }
}

/// A key of the bucket, one beside it, or any other.
fn key(model: &Model, random: &mut Random) -> Vec<u8> {
    let mut key = match model.entries.len() {
        count if count > 0 && !random.one_in(4) => {
            let index = random.below(count);
            model.entries.keys().nth(index).unwrap().clone()
        }
        _ if random.one_in(8) => long_key(random.within(LONG_KEY, 900)),
        _ => random.bytes(3),
    };
    match random.below(6) {
        0 => key.push(0),
        1 => _ = key.pop(),
        _ => {}
    }
    key
}

/// The pairs of a range, without the nested buckets, from both ends.
fn look_at_pairs(bucket: &Bucket<'_>, model: &Model, (low, high): (&[u8], &[u8])) {
    let pairs = model.entries.range(low.to_vec()..high.to_vec()).filter_map(|(key, entry)| match entry {
        Entry::Value(value) => Some((&key[..], &value[..])),
        Entry::Bucket(_) => None,
    });
    let pairs: Vec<kv::Pair<'_>> = pairs.collect();
    assert_eq!(bucket.range(low..high).collect::<kv::Result<Vec<_>>>().unwrap(), pairs);
    let back: Vec<_> = bucket.range(low..high).rev().collect::<kv::Result<_>>().unwrap();
    assert!(back.iter().rev().eq(&pairs), "the way back shows other pairs");
}

/// Points, ranges and cursors of one bucket, at random places.
fn look(bucket: &Bucket<'_>, model: &Model, random: &mut Random) {
    let (a, b) = (key(model, random), key(model, random));
    let value = match model.entries.get(&a) {
        Some(Entry::Value(value)) => Some(&value[..]),
        _ => None,
    };
    assert_eq!(bucket.get(&a).unwrap(), value);
    assert_eq!(bucket.contains(&a).unwrap(), model.entries.contains_key(&a));

    let wanted: Vec<Vec<u8>> = (0..random.below(70)).map(|_| key(model, random)).collect();
    for (found, key) in bucket.get_many(&wanted).unwrap().into_iter().zip(&wanted) {
        assert_eq!(found, bucket.get(key).unwrap(), "one of many");
    }

    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let expected: Vec<&Vec<u8>> = model.entries.range(low.clone()..high.clone()).map(|(key, _)| key).collect();
    let forward: Vec<&[u8]> = bucket.items(&low..&high).map(|item| item.unwrap().0).collect();
    assert_eq!(forward, expected);
    look_at_pairs(bucket, model, (&low, &high));
    let mut both = bucket.items(&low..=&high);
    let mut inclusive = model.entries.range(low.clone()..=high.clone()).map(|(key, _)| key.as_slice());
    loop {
        let (front, back) = if random.one_in(2) {
            (both.next().map(|item| item.unwrap().0), inclusive.next())
        } else {
            (both.next_back().map(|item| item.unwrap().0), inclusive.next_back())
        };
        assert_eq!(front, back);
        if front.is_none() {
            break;
        }
    }
    // An iterator that has ended stays at its end, wherever in a leaf that is.
    let mut forward = bucket.items(&low..&high);
    let mut back = bucket.items(&low..&high).rev();
    assert_eq!((forward.by_ref().count(), back.by_ref().count()), (expected.len(), expected.len()));
    assert!(forward.next().is_none() && forward.next_back().is_none(), "past the end");
    assert!(back.next().is_none() && back.next_back().is_none(), "past the beginning");

    let mut cursor = bucket.cursor();
    let mut at = model.entries.range(low.clone()..).next().map(|(key, _)| key.clone());
    assert_eq!(cursor.seek(&low).unwrap().map(|(key, _)| key.to_vec()), at);
    for _ in 0..5 {
        let Some(here) = at.clone() else { break };
        let next = if random.one_in(2) {
            let next = model.entries.range(here.clone()..).nth(1).map(|(key, _)| key.clone());
            assert_eq!(cursor.next().unwrap().map(|(key, _)| key.to_vec()), next);
            next
        } else {
            let before = model.entries.range(..here.clone()).next_back().map(|(key, _)| key.clone());
            assert_eq!(cursor.prev().unwrap().map(|(key, _)| key.to_vec()), before);
            before
        };
        // At either end the cursor stays where it is.
        at = next.or(Some(here));
    }
}

/// A case on one store, and everything that is kept beside it.
struct Play {
    random: Random,
    store: Arc<MemStore>,
    model: Model,
    /// Readers of older states, with what they have to see for as long as they like.
    held: Vec<(ReadTx<'static>, Model)>,
}

impl Play {
    fn new(seed: u64) -> Self {
        Self { random: Random::of(seed, 1), store: Arc::default(), model: Model::default(), held: Vec::new() }
    }

    fn open(&mut self, turn: &Turn) -> Db {
        // None, one that pages fight for, and one with room for all.
        let read_cache = [0, 1 << 18, 16 << 20][self.random.below(3)];
        let options = turn.settings.options().strict(true).read_cache(read_cache);
        // Without more memory and a larger log than has to be, there are checkpoints on the way.
        let logged = || options.clone().shrink(0).durability(Durability::Log).log_size(0).log_memory(0);
        let options = if self.random.one_in(3) { logged() } else { options };
        options.open_store(Box::new(Arc::clone(&self.store))).unwrap()
    }

    fn turn(&mut self, turn: &Turn) {
        let mut db = self.open(turn);
        for step in &turn.program {
            match step {
                Step::Reopen => {
                    self.end(db);
                    db = self.open(turn);
                    assert_eq!(db.begin_read().check().unwrap(), []);
                    assert_shown(&db.begin_read().root(), &self.model);
                }
                Step::Transaction(transaction) => {
                    let (mut tx, mut next) = (db.begin_write().unwrap(), self.model.clone());
                    execute_beside(&mut tx, &mut next, &transaction.commands).unwrap();
                    assert_shown(&tx.root(), &next);
                    if transaction.commits {
                        tx.commit().unwrap();
                        self.model = next;
                    } else {
                        drop(tx);
                    }
                    self.read(&db);
                }
            }
        }
        self.end(db);
    }

    fn read(&mut self, db: &Db) {
        let tx = db.begin_read_owned();
        assert_shown(&tx.root(), &self.model);
        let mut paths = self.model.paths();
        paths.push(Vec::new());
        let path = self.random.pick(&paths);
        let bucket = path.iter().fold(tx.root(), |bucket, name| bucket.bucket(name).unwrap());
        look(&bucket, self.model.bucket(path).unwrap(), &mut self.random);
        if self.random.one_in(4) {
            self.held.push((tx, self.model.clone()));
        }
        if self.random.one_in(6) && !self.held.is_empty() {
            let (tx, model) = self.held.swap_remove(self.random.below(self.held.len()));
            assert_shown(&tx.root(), &model);
        }
    }

    /// Closes it; the bytes for what comes next are those before the close, as a kill leaves them, or those after it.
    fn end(&mut self, db: Db) {
        for (tx, model) in self.held.drain(..) {
            assert_shown(&tx.root(), &model);
        }
        let killed = self.store.snapshot();
        db.close().unwrap();
        let left = if self.random.one_in(2) { killed } else { self.store.snapshot() };
        self.store = Arc::new(MemStore::with_bytes(&left));
    }
}

/// Three cases, each going on with what the one before has left: some fifty transactions.
fn program(seed: u64) -> Case {
    let (mut random, mut model) = (Random::new(seed), Model::default());
    let mut turns = Vec::new();
    for _ in 0..3 {
        let case = case(random.next_u64(), model.clone(), false);
        for turn in &case.turns {
            model.run(&turn.program);
        }
        turns.extend(case.turns);
    }
    Case { start: Model::default(), turns }
}

/// Plays a case; the error says that it fails, after the panic has said how.
fn play(case: &Case, seed: u64) -> Option<String> {
    let played = catch_unwind(|| {
        let mut play = Play::new(seed);
        case.turns.iter().for_each(|turn| play.turn(turn));
    });
    played.err().map(|_| "a panic, see above".into())
}

#[test]
fn random_programs_do_what_the_model_does() {
    let first = number("KV_MODEL_SEED", 1);
    for seed in first..first + number("KV_MODEL_PROGRAMS", 60) {
        let whole = program(seed);
        let Some(failure) = play(&whole, seed) else { continue };
        let (small, failure) = shrink(whole, failure, |case| play(case, seed));
        panic!("seed {seed} (run it with KV_MODEL_SEED={seed} KV_MODEL_PROGRAMS=1): {failure}\n{small}");
    }
}

#[test]
fn files_keep_what_stores_keep() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.db");
    let (mut random, mut model) = (Random::new(77), Model::default());
    for _ in 0..5 {
        let db = Db::open(&path).unwrap();
        for _ in 0..50 {
            let mut next = model.clone();
            let commands = changes(&mut random, &mut next, &Shape::SMALL);
            db.update(|tx| execute_beside(tx, &mut model, &commands)).unwrap();
        }
        let tx = db.begin_read();
        assert_shown(&tx.root(), &model);
        assert_eq!(tx.check().unwrap(), []);
        drop(tx);
        db.close().unwrap();
    }
}

#[test]
fn a_transaction_tells_what_it_has_done() {
    let db = Options::new().page_size(1024).open_store(Box::new(MemStore::new())).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let mut tx = db.begin_write().unwrap();
    assert_eq!((tx.stats().nodes, tx.stats().splits, tx.stats().pages_freed), (0, 0, 0));
    for n in 0..100u8 {
        tx.bucket_mut("b").unwrap().put([n], [n; 50]).unwrap();
    }
    let stats = tx.stats();
    assert!(stats.nodes > 5 && stats.splits >= 5, "{stats:?}");
    tx.commit().unwrap();
    let total = db.stats().tx;
    assert_eq!(total.commits, 2);
    assert!(total.splits == stats.splits && total.nodes > stats.nodes);
}
