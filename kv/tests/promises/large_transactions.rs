//! Transactions that are larger than the memory for them: `Options::write_memory`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use kv::{Db, Error, MemStore, Options};
use kv_testkit::Random;

use crate::stores::{Fragile, file};

fn options() -> Options {
    Options::new().page_size(1024).write_memory(16 * 1024).strict(true)
}

fn open() -> Db {
    options().open_store(Box::new(MemStore::new())).unwrap()
}

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

fn assert_shown(shown: impl Iterator<Item = kv::Result<(Vec<u8>, Vec<u8>)>>, pairs: &Pairs) {
    let shown: Vec<_> = shown.map(Result::unwrap).collect();
    assert!(shown.iter().map(|(key, value)| (key, value)).eq(pairs));
}

/// So many random puts and deletions, some of them with values of many pages, in a bucket and in the model of it.
fn change(tx: &mut kv::WriteTx<'_>, pairs: &mut Pairs, random: &mut Random, count: usize) {
    for _ in 0..count {
        let key = random.below(3000).to_string().into_bytes();
        let mut bucket = tx.create_bucket_if_absent("b").unwrap();
        if random.one_in(3) {
            assert_eq!(bucket.delete(&key).unwrap(), pairs.remove(&key).is_some());
        } else {
            let longest = if random.one_in(50) { 9000 } else { 200 };
            let len = random.below(longest);
            let value = random.bytes(len);
            bucket.put(&key, &value).unwrap();
            assert_eq!(bucket.get(&key).unwrap(), Some(&value[..]));
            pairs.insert(key, value);
        }
    }
}

fn owned(bucket: kv::Bucket<'_>) -> impl Iterator<Item = kv::Result<(Vec<u8>, Vec<u8>)>> + '_ {
    bucket.into_iter().map(|item| item.map(|(key, value)| (key.to_vec(), value.to_vec())))
}

#[test]
fn a_transaction_sees_what_it_has_written_before_its_commit() {
    let (db, mut pairs, mut random) = (open(), Pairs::new(), Random::new(1));
    for _ in 0..4 {
        let mut tx = db.begin_write().unwrap();
        for _ in 0..10 {
            change(&mut tx, &mut pairs, &mut random, 300);
            assert_shown(owned(tx.bucket("b").unwrap()), &pairs);
        }
        assert!(tx.stats().pages_early > 100, "{:?}", tx.stats());
        tx.commit().unwrap();
        let tx = db.begin_read();
        assert_shown(owned(tx.bucket("b").unwrap()), &pairs);
        assert_eq!(tx.check().unwrap(), []);
    }
}

#[test]
fn a_rollback_leaves_the_state_before() {
    let (db, mut pairs, mut random) = (open(), Pairs::new(), Random::new(2));
    db.update(|tx| {
        change(tx, &mut pairs, &mut random, 2000);
        Ok::<_, Error>(())
    })
    .unwrap();
    let (reader, pages) = (db.begin_read(), db.begin_read().size());
    for _ in 0..3 {
        let mut tx = db.begin_write().unwrap();
        change(&mut tx, &mut pairs.clone(), &mut random, 2000);
        assert!(tx.stats().pages_early > 100);
        tx.rollback();
        assert_shown(owned(reader.bucket("b").unwrap()), &pairs);
        assert_eq!(db.begin_read().size(), pages, "what was written behind the end is not part of the database");
    }
    db.update(|tx| tx.create_bucket("c").map(drop)).unwrap();
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn many_buckets_in_one_large_transaction() {
    let db = open();
    let name = |n: u32| format!("bucket {n}");
    db.update(|tx| {
        for n in 0..60u32 {
            let mut outer = tx.create_bucket_if_absent(name(n % 6))?;
            let mut inner = outer.create_bucket_if_absent(name(n))?;
            (0..50u32).try_for_each(|key| inner.put(key.to_le_bytes(), [7; 60]))?;
        }
        tx.delete_bucket(name(0))?;
        tx.bucket_mut(name(1))?.clear()?;
        tx.move_bucket(name(2), &[name(2).as_bytes()], &[name(3).as_bytes()])
    })
    .unwrap();
    assert!(db.stats().tx.pages_early > 0);
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    assert_eq!(tx.bucket(name(1)).unwrap().iter().count(), 0);
    assert_eq!(tx.bucket(name(3)).unwrap().bucket(name(2)).unwrap().iter().count(), 50);
    assert_eq!(tx.bucket(name(5)).unwrap().bucket(name(59)).unwrap().iter().count(), 50);
}

#[test]
fn the_size_of_the_file_has_its_limit_still() {
    let db = options().max_size(200 * 1024).open_store(Box::new(MemStore::new())).unwrap();
    let fill = |count: u32| {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            (0..count).try_for_each(|n| bucket.put(n.to_le_bytes(), [7; 200]))
        })
    };
    assert!(matches!(fill(5000), Err(Error::NotCommitted { cause }) if matches!(*cause, Error::MaxSizeReached { .. })));
    fill(300).unwrap();
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn pages_filled_in_key_order_are_written_sooner_than_others() {
    let early = |key: fn(u32) -> u32| {
        let db = Options::new().open_store(Box::new(MemStore::new())).unwrap();
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            (0..24_000u32).try_for_each(|n| bucket.put(format!("{:010}", key(n)), [7; 1000]))
        })
        .unwrap();
        assert_eq!(db.begin_read().check().unwrap(), []);
        db.stats().tx.pages_early
    };
    assert!(early(|n| n) > 3000);
    assert_eq!(early(|n| n.wrapping_mul(0x9E37_79B9)), 0);
}

#[test]
fn a_failed_write_refuses_the_commit() {
    let (db, store) = fragile();
    let mut tx = db.begin_write().unwrap();
    store.fail(1);
    let mut bucket = tx.bucket_mut("b").unwrap();
    let failed = (0..1000u32).find_map(|n| bucket.put(n.to_le_bytes(), [7; 100]).err());
    assert!(matches!(failed, Some(Error::NotCommitted { .. })), "{failed:?}");
    assert!(matches!(tx.commit(), Err(Error::NotCommitted { .. })));
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), 0);
}

/// A panic in a store poisons nothing: what is written by half must not be committed all the same.
#[test]
fn a_write_that_panics_refuses_the_commit() {
    for nth in 1..6 {
        let (db, store) = fragile();
        let mut tx = db.begin_write().unwrap();
        store.panic(nth);
        let put =
            |n: u32, tx: &mut kv::WriteTx<'_>| tx.bucket_mut("b").unwrap().put(n.to_le_bytes(), [7; 100]).unwrap();
        let panicked = (0..1000).position(|n| catch_unwind(AssertUnwindSafe(|| put(n, &mut tx))).is_err());
        assert!(panicked.is_some());
        let committed = tx.commit();
        let tx = db.begin_read();
        assert_eq!(tx.check().unwrap(), []);
        // Only a growth that fails leaves the transaction whole.
        match committed {
            Ok(()) => assert!(tx.bucket("b").unwrap().iter().count() > 0),
            Err(error) => {
                assert!(matches!(error, Error::NotCommitted { .. }), "{error}");
                assert_eq!(tx.bucket("b").unwrap().iter().count(), 0);
            }
        }
    }
}

fn fragile() -> (Db, Arc<Fragile>) {
    let bytes = file(&options(), |db| db.update(|tx| tx.create_bucket("b").map(drop)).unwrap());
    let store = Fragile::new(&bytes, 0);
    let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
    (db, store)
}
