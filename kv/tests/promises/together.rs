//! Large transactions, a file that becomes shorter, readers with their guesses and rollbacks, all on one database.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use kv::{Db, Error, MemStore, Options, WriteTx};
use kv_testkit::Random;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Buckets by name.
type Model = BTreeMap<&'static str, Pairs>;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Close to each other, so that guesses are often wrong.
fn key(random: &mut Random) -> Vec<u8> {
    format!("/registry/{}/{:04}", ["pods", "pods", "secrets"][random.below(3)], random.below(1500)).into_bytes()
}

/// Runs of puts and deletions by handle, two buckets in turn, and now and then a whole bucket or a range of one.
fn change(tx: &mut WriteTx<'_>, model: &mut Model, random: &mut Random, count: usize) -> kv::Result<()> {
    for _ in 0..count {
        let name = NAMES[random.below(NAMES.len())];
        let handle = tx.create_bucket_if_absent(name)?.handle();
        let other = NAMES[random.below(NAMES.len())];
        let beside = tx.create_bucket_if_absent(other)?.handle();
        match random.below(60) {
            0 => {
                tx.delete_bucket(name)?;
                model.remove(name);
                assert!(matches!(tx.put(handle, "key", ""), Err(Error::StaleHandle { deleted: true })));
            }
            1 | 2 => {
                let (one, two) = (key(random), key(random));
                let (from, to) = if one < two { (one, two) } else { (two, one) };
                let pairs = model.entry(name).or_default();
                let before = pairs.len();
                pairs.retain(|key, _| *key < from || *key >= to);
                let deleted = tx.at_mut(handle)?.delete_range(from.as_slice()..to.as_slice())?;
                assert_eq!(deleted, (before - pairs.len()) as u64);
            }
            3 => {
                let last = b'0' + u8::try_from(random.below(10)).unwrap();
                tx.at_mut(handle)?.retain(|key, _| key.last() != Some(&last))?;
                model.entry(name).or_default().retain(|key, _| key.last() != Some(&last));
            }
            4 => {
                let last = b'0' + u8::try_from(random.below(10)).unwrap();
                let mut bucket = tx.at_mut(handle)?;
                let taken = bucket.extract_if(.., |key, _| key.last() == Some(&last)).take(20);
                for pair in taken {
                    let (key, value) = pair?;
                    assert_eq!(model.entry(name).or_default().remove(&key), Some(value));
                }
            }
            _ => {
                let long = if random.one_in(40) { 5000 } else { 150 };
                let mut at = key(random);
                for _ in 0..random.below(8) {
                    let len = random.below(long);
                    let value = random.bytes(len);
                    tx.put(handle, &at, &value)?;
                    model.entry(name).or_default().insert(at.clone(), value);
                    let gone = key(random);
                    let was = model.entry(other).or_default().remove(&gone).is_some();
                    assert_eq!(tx.delete(beside, &gone)?, was);
                    at.push(b'+');
                }
            }
        }
    }
    Ok(())
}

/// Searches are asked for twice: the second time by what is remembered.
fn assert_shows(tx: &kv::ReadTx<'_>, model: &Model, random: &mut Random) {
    for (name, pairs) in model {
        let Some(bucket) = tx.get_bucket(name).unwrap() else {
            assert!(pairs.is_empty(), "bucket {name} is gone");
            continue;
        };
        let shown: Vec<_> = bucket.iter().map(Result::unwrap).collect();
        assert!(shown.iter().copied().eq(pairs.iter().map(|(key, value)| (&key[..], &value[..]))), "bucket {name}");
        let sought: Vec<_> = pairs.keys().cloned().chain((0..200).map(|_| key(random))).collect();
        for _ in 0..2 {
            let many = bucket.get_many(&sought).unwrap();
            for (key, of_many) in sought.iter().zip(many) {
                let value = pairs.get(key).map(Vec::as_slice);
                assert_eq!(bucket.get(key).unwrap(), value);
                assert_eq!(of_many, value);
            }
        }
    }
}

fn open(store: &Arc<MemStore>, along: u32) -> Db {
    let options = Options::new().page_size(1024).write_memory(16 * 1024).strict(true).shrink(along);
    options.open_store(Box::new(Arc::clone(store))).unwrap()
}

#[test]
fn what_was_built_apart_works_together() {
    let (mut early, mut shorter) = (0, 0);
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let store = Arc::new(MemStore::new());
        let along = if seed % 2 == 0 { 0 } else { 16 };
        let mut db = open(&store, along);
        let mut model = Model::new();
        for _ in 0..30 {
            let (reader, before) = (db.begin_read_owned(), model.clone());
            let count = if random.one_in(3) { 400 } else { random.within(1, 20) };
            let mut tx = db.begin_write().unwrap();
            change(&mut tx, &mut model, &mut random, count).unwrap();
            early += tx.stats().pages_early;
            if random.one_in(3) {
                tx.rollback();
                model.clone_from(&before);
            } else {
                tx.commit().unwrap();
            }
            assert_shows(&db.begin_read(), &model, &mut random);
            let len = db.begin_read().size();
            if random.one_in(3) {
                db.shrink(|_| ControlFlow::Continue(())).unwrap();
            }
            assert_shows(&reader, &before, &mut random);
            drop(reader);
            if random.one_in(4) {
                db.shrink(|_| ControlFlow::Continue(())).unwrap();
            }
            shorter += u64::from(db.begin_read().size() < len);
            assert_shows(&db.begin_read(), &model, &mut random);
            assert_eq!(db.begin_read().check().unwrap(), []);
            if random.one_in(6) {
                db.close().unwrap();
                db = open(&store, along);
            }
        }
    }
    assert!(
        early > 1000 && shorter > 5,
        "{early} pages were written early, and {shorter} times the file became shorter"
    );
}
