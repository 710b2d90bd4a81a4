//! Random programs beside the plainest model there is: a tree of `BTreeMap`s.
//!
//! Every commit runs in strict mode, which checks the whole new state before it becomes visible; snapshots held across
//! commits must stay as they were; now and then the database is closed and opened again from its bytes.
//! `KV_MODEL_PROGRAMS` sets how many programs run; a failure prints the seed of its program, and `KV_MODEL_SEED` runs
//! from there.

use std::collections::BTreeMap;
use std::sync::Arc;

use kv::{Bucket, BucketMut, Db, Error, FreelistKind, FreelistSync, Options, ReadTx, WriteTx};
use pagefile_std::{MemStore, PageStore};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Entry {
    Value(Vec<u8>),
    Bucket(Model),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Model {
    sequence: u64,
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl Model {
    fn at(&mut self, path: &[Vec<u8>]) -> &mut Model {
        path.iter().fold(self, |model, name| match model.entries.get_mut(name) {
            Some(Entry::Bucket(inner)) => inner,
            _ => panic!("the program only uses paths that exist"),
        })
    }

    /// Every bucket's path, the root's empty one first.
    fn paths(&self) -> Vec<Vec<Vec<u8>>> {
        let mut paths = vec![Vec::new()];
        for (name, entry) in &self.entries {
            if let Entry::Bucket(inner) = entry {
                paths.extend(inner.paths().into_iter().map(|rest| [vec![name.clone()], rest].concat()));
            }
        }
        paths
    }
}

/// Marsaglia's xorshift64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }

    fn key(&mut self) -> Vec<u8> {
        let n = self.below(300);
        let mut key = format!("{n:03}").into_bytes();
        if n.is_multiple_of(40) {
            key.extend(std::iter::repeat_n(b'k', self.below(3) * 200));
        }
        key
    }

    fn value(&mut self, page_size: usize) -> Vec<u8> {
        let len = match self.below(30) {
            0 => self.below(page_size * 4),
            1..=4 => self.below(page_size / 2),
            _ => self.below(60),
        };
        vec![b'a' + u8::try_from(self.below(26)).unwrap(); len]
    }
}

fn same(bucket: &Bucket<'_>, model: &Model) {
    assert_eq!(bucket.sequence(), model.sequence);
    let mut expected = model.entries.iter();
    for item in bucket {
        let (key, value) = item.unwrap();
        let (name, entry) = expected.next().expect("no more than the model has");
        assert_eq!(key, name);
        match entry {
            Entry::Value(expected) => assert_eq!(value, Some(expected.as_slice())),
            Entry::Bucket(inner) => {
                assert_eq!(value, None);
                same(&bucket.bucket(key).unwrap(), inner);
            }
        }
    }
    assert_eq!(expected.next(), None, "no less than the model has");
    let backwards: Vec<_> = bucket.iter().rev().map(|item| item.unwrap().0.to_vec()).collect();
    assert!(backwards.iter().eq(model.entries.keys().rev()));
}

/// Points, ranges and cursors of one bucket, at random places.
fn look(bucket: &Bucket<'_>, model: &Model, random: &mut Random) {
    let (a, b) = (random.key(), random.key());
    let value = match model.entries.get(&a) {
        Some(Entry::Value(value)) => Some(value.as_slice()),
        _ => None,
    };
    assert_eq!(bucket.get(&a).unwrap(), value);
    assert_eq!(bucket.contains(&a).unwrap(), model.entries.contains_key(&a));

    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let expected: Vec<&Vec<u8>> = model.entries.range(low.clone()..high.clone()).map(|(key, _)| key).collect();
    let forward: Vec<&[u8]> = bucket.range(low.as_slice()..high.as_slice()).map(|item| item.unwrap().0).collect();
    assert_eq!(forward, expected);
    let mut both = bucket.range(low.as_slice()..=high.as_slice());
    let mut inclusive = model.entries.range(low.clone()..=high.clone()).map(|(key, _)| key.as_slice());
    loop {
        let (front, back) = if random.below(2) == 0 {
            (both.next().map(|item| item.unwrap().0), inclusive.next())
        } else {
            (both.next_back().map(|item| item.unwrap().0), inclusive.next_back())
        };
        assert_eq!(front, back);
        if front.is_none() {
            break;
        }
    }

    let mut cursor = bucket.cursor();
    let mut at = model.entries.range(low.clone()..).next().map(|(key, _)| key.clone());
    assert_eq!(cursor.seek(&low).unwrap().map(|(key, _)| key.to_vec()), at);
    for _ in 0..5 {
        let Some(here) = at.clone() else { break };
        let next = if random.below(2) == 0 {
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

fn open_path<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> BucketMut<'t> {
    let (first, rest) = path.split_first().expect("not the root");
    let top = tx.bucket_mut(first).unwrap();
    rest.iter().fold(top, |bucket, name| bucket.into_bucket_mut(name).unwrap())
}

fn create(tx: &mut WriteTx<'_>, path: &[Vec<u8>], name: &[u8]) -> Result<(), Error> {
    if path.is_empty() {
        tx.create_bucket(name).map(|_| ())
    } else {
        open_path(tx, path).create_bucket(name).map(|_| ())
    }
}

fn delete_bucket(tx: &mut WriteTx<'_>, path: &[Vec<u8>], name: &[u8]) -> Result<(), Error> {
    if path.is_empty() { tx.delete_bucket(name) } else { open_path(tx, path).delete_bucket(name) }
}

/// One random change, to the transaction and to the model alike.
fn change(tx: &mut WriteTx<'_>, model: &mut Model, random: &mut Random, page_size: usize) {
    let paths = model.paths();
    let path = paths[random.below(paths.len())].clone();
    let key = random.key();
    let here = model.at(&path);
    let taken = here.entries.get(&key).map(|entry| matches!(entry, Entry::Bucket(_)));
    match random.below(100) {
        0..=6 if path.len() < 4 => {
            let made = create(tx, &path, &key);
            match taken {
                None => {
                    made.unwrap();
                    here.entries.insert(key, Entry::Bucket(Model::default()));
                }
                Some(true) => assert!(matches!(made, Err(Error::BucketExists { .. }))),
                Some(false) => assert!(matches!(made, Err(Error::IncompatibleValue { is_bucket: false, .. }))),
            }
        }
        7..=9 => {
            let deleted = delete_bucket(tx, &path, &key);
            match taken {
                None => assert!(matches!(deleted, Err(Error::BucketNotFound { .. }))),
                Some(true) => {
                    deleted.unwrap();
                    here.entries.remove(&key);
                }
                Some(false) => assert!(matches!(deleted, Err(Error::IncompatibleValue { .. }))),
            }
        }
        10..=12 => relocate(tx, model, &paths, random),
        _ if path.is_empty() => {}
        13..=16 => {
            let sequence = open_path(tx, &path).next_sequence().unwrap();
            here.sequence += 1;
            assert_eq!(sequence, here.sequence);
        }
        17..=50 => {
            let deleted = open_path(tx, &path).delete(&key);
            match taken {
                Some(true) => assert!(matches!(deleted, Err(Error::IncompatibleValue { is_bucket: true, .. }))),
                taken => assert_eq!(deleted.unwrap(), taken.is_some()),
            }
            if taken == Some(false) {
                here.entries.remove(&key);
            }
        }
        51..=53 => sweep(&mut open_path(tx, &path), here, random),
        _ => {
            let value = random.value(page_size);
            let mut bucket = open_path(tx, &path);
            let share = random.below(20);
            if share > 9 {
                bucket.set_fill_percent([1.0, 0.9, 0.5, 0.1][share % 4]);
            }
            let put = bucket.put(&key, &value);
            if taken == Some(true) {
                assert!(matches!(put, Err(Error::IncompatibleValue { is_bucket: true, .. })));
            } else {
                put.unwrap();
                here.entries.insert(key, Entry::Value(value));
            }
        }
    }
}

/// Deletes through a cursor that must skip nothing.
fn sweep(bucket: &mut BucketMut<'_>, model: &mut Model, random: &mut Random) {
    let share = 1 + random.below(3);
    let mut seen = Vec::new();
    let mut gone = Vec::new();
    let mut cursor = bucket.cursor_mut();
    while let Some((key, value)) = cursor.next().unwrap() {
        seen.push(key.to_vec());
        if value.is_some() && seen.len() % share == 0 {
            gone.push(key.to_vec());
            assert!(cursor.delete().unwrap());
        }
    }
    assert!(seen.iter().eq(model.entries.keys()), "the cursor meets every item once");
    for key in &gone {
        model.entries.remove(key);
    }
}

fn relocate(tx: &mut WriteTx<'_>, model: &mut Model, paths: &[Vec<Vec<u8>>], random: &mut Random) {
    let moved = paths[random.below(paths.len())].clone();
    let to = paths[random.below(paths.len())].clone();
    let Some((name, from)) = moved.split_last() else { return };
    let slices = |path: &[Vec<u8>]| -> Vec<Vec<u8>> { path.to_vec() };
    let (from, to) = (slices(from), slices(&to));
    let (from_refs, to_refs): (Vec<&[u8]>, Vec<&[u8]>) =
        (from.iter().map(Vec::as_slice).collect(), to.iter().map(Vec::as_slice).collect());
    let result = tx.move_bucket(name, &from_refs, &to_refs);
    if from == to || to.starts_with(&moved) {
        assert!(matches!(result, Err(Error::SameBuckets)));
        return;
    }
    match model.at(&to).entries.get(name) {
        Some(Entry::Bucket(_)) => assert!(matches!(result, Err(Error::BucketExists { .. }))),
        Some(Entry::Value(_)) => assert!(matches!(result, Err(Error::IncompatibleValue { .. }))),
        None => {
            result.unwrap();
            let entry = model.at(&from).entries.remove(name).expect("the path exists");
            model.at(&to).entries.insert(name.clone(), entry);
        }
    }
}

/// The store stays outside the database, so that its bytes can be looked at when the database is closed.
#[derive(Debug)]
struct Shared(Arc<MemStore>);

impl PageStore for Shared {
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn view(&self) -> pagefile_std::View<'_> {
        self.0.view()
    }
    fn view_owned(&self) -> pagefile_std::View<'static> {
        self.0.view_owned()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), pagefile_std::StoreError> {
        self.0.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bufs: &[std::io::IoSlice<'_>]) -> Result<(), pagefile_std::StoreError> {
        self.0.write_at(offset, bufs)
    }
    fn grow(&self, min_len: u64) -> Result<(), pagefile_std::StoreError> {
        self.0.grow(min_len)
    }
    fn sync(&self) -> Result<(), pagefile_std::StoreError> {
        self.0.sync()
    }
    fn poisoned(&self) -> bool {
        self.0.poisoned()
    }
}

fn run_program(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let page_size = [1024, 1024, 4096, 16384][random.below(4)];
    let mut options = Options::new()
        .page_size(page_size)
        .strict(true)
        .freelist([FreelistKind::SpanMaps, FreelistKind::SortedArray][random.below(2)])
        .freelist_sync([FreelistSync::Every, FreelistSync::OnClose][random.below(2)]);
    let mut store = Arc::new(MemStore::new());
    let mut db = options.open_store(Box::new(Shared(Arc::clone(&store)))).unwrap();
    let mut model = Model::default();
    let mut held: Vec<(ReadTx<'static>, Model)> = Vec::new();
    for _ in 0..40 {
        let mut tx = db.begin_write().unwrap();
        let mut next = model.clone();
        for _ in 0..random.below(80) {
            change(&mut tx, &mut next, &mut random, page_size as usize);
        }
        same(&tx.root(), &next);
        if random.below(8) == 0 {
            drop(tx);
        } else {
            tx.commit().unwrap();
            model = next;
        }
        let tx = db.begin_read_owned();
        same(&tx.root(), &model);
        let paths = model.paths();
        let path = &paths[random.below(paths.len())];
        let bucket = path.iter().fold(tx.root(), |bucket, name| bucket.bucket(name).unwrap());
        look(&bucket, model.clone().at(path), &mut random);
        if random.below(4) == 0 {
            held.push((tx, model.clone()));
        }
        if random.below(6) == 0 && !held.is_empty() {
            let (tx, model) = held.swap_remove(random.below(held.len()));
            same(&tx.root(), &model);
        }
        if random.below(12) == 0 {
            for (tx, model) in held.drain(..) {
                same(&tx.root(), &model);
            }
            // A crash in miniature: without a clean close the free pages have to be found again.
            let crashed = random.below(2) == 0;
            let before = crashed.then(|| store.snapshot());
            db.close().unwrap();
            store = Arc::new(MemStore::with_bytes(&before.unwrap_or_else(|| store.snapshot())));
            options = options.freelist([FreelistKind::SpanMaps, FreelistKind::SortedArray][random.below(2)]);
            db = options.open_store(Box::new(Shared(Arc::clone(&store)))).unwrap();
            db.view(|tx| {
                assert_eq!(tx.check()?, []);
                same(&tx.root(), &model);
                Ok::<_, Error>(())
            })
            .unwrap();
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_programs_do_what_the_model_does() {
    let first = number("KV_MODEL_SEED", 1);
    for seed in first..first + number("KV_MODEL_PROGRAMS", 60) {
        let outcome = std::panic::catch_unwind(|| run_program(seed));
        assert!(outcome.is_ok(), "seed {seed} failed: run it with KV_MODEL_SEED={seed} KV_MODEL_PROGRAMS=1");
    }
}

#[test]
fn files_keep_what_stores_keep() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.db");
    let mut random = Random(77);
    let mut model = Model::default();
    for _ in 0..5 {
        let db = Db::open(&path).unwrap();
        for _ in 0..10 {
            db.update(|tx| {
                for _ in 0..60 {
                    change(tx, &mut model, &mut random, 4096);
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        }
        let tx = db.begin_read();
        same(&tx.root(), &model);
        assert_eq!(tx.check().unwrap(), []);
        drop(tx);
        db.close().unwrap();
    }
}

#[test]
fn a_transaction_tells_what_it_has_done() {
    let db = Options::new().page_size(1024).open_store(Box::new(MemStore::new())).unwrap();
    db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap();
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
