//! Handles to buckets: several buckets at once, and changes under a walk.

use std::collections::BTreeMap;
use std::ops::Bound;

use kv::{Db, Error, Options, WriteTx};
use kv_testkit::Random;

use crate::stores::in_memory;

fn db() -> Db {
    in_memory(&Options::new().page_size(1024)).0
}

fn is_stale<T: std::fmt::Debug>(result: Result<T, Error>, expected: bool) {
    match result {
        Err(Error::StaleHandle { deleted }) => assert_eq!(deleted, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn buckets_are_changed_side_by_side() {
    let db = db();
    db.update(|tx| {
        let (even, odd) = (tx.create_bucket("even")?.handle(), tx.create_bucket("odd")?.handle());
        let inner = tx.at_mut(odd)?.create_bucket("inner")?.handle();
        for n in 0..300_u32 {
            let bucket = if n % 2 == 0 { even } else { odd };
            tx.put(bucket, n.to_string(), "v")?;
            tx.put(inner, n.to_string(), "v")?;
        }
        assert_eq!(tx.get(even, "4")?, Some(&b"v"[..]));
        assert_eq!(tx.get(even, "5")?, None);
        assert!(tx.delete(odd, "5")?);
        assert!(!tx.delete(odd, "5")?);
        Ok(())
    })
    .unwrap();
    let tx = db.begin_read();
    let odd = tx.bucket("odd").unwrap();
    assert_eq!((tx.bucket("even").unwrap().len().unwrap(), odd.len().unwrap()), (150, 149));
    assert_eq!(odd.bucket("inner").unwrap().len().unwrap(), 300);
    assert_eq!(tx.check().unwrap(), []);
}

#[test]
fn a_bucket_is_walked_over_while_it_and_others_change() {
    let db = db();
    db.update(|tx| {
        let (numbers, seen) = (tx.create_bucket("numbers")?.handle(), tx.create_bucket("seen")?.handle());
        (0..100_u8).try_for_each(|n| tx.put(numbers, [n, 0], [n]))?;
        tx.at_mut(numbers)?.create_bucket("a bucket is passed over")?;
        tx.scan(numbers, .., |tx, key, value| {
            tx.put(seen, key, value)?;
            // A change behind and one ahead, of what is walked over; the walk meets the one ahead.
            tx.delete(numbers, [key[0], 0])?;
            if key[0] == 7 {
                tx.put(numbers, [7, 1], "met")?;
                tx.put(numbers, [6, 1], "not met")?;
                tx.delete(numbers, [8, 0])?;
            }
            Ok(())
        })?;
        assert_eq!(tx.get(seen, [7, 1])?, Some(&b"met"[..]));
        assert_eq!(tx.get(seen, [6, 1])?, None);
        assert_eq!(tx.get(seen, [8, 0])?, None, "it was gone before the walk came to it");
        assert_eq!((tx.at(seen)?.len()?, tx.at(numbers)?.len()?), (100, 2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_of_the_visitor_ends_a_scan() {
    let db = db();
    let mut tx = db.begin_write().unwrap();
    let bucket = tx.create_bucket("b").unwrap().handle();
    (0..9_u8).try_for_each(|n| tx.put(bucket, [n], "")).unwrap();
    let mut visits = 0;
    let scanned = tx.scan(bucket, [2]..=[5], |tx, key, _| {
        visits += 1;
        if key == [4] { tx.put(bucket, "", "") } else { Ok(()) }
    });
    assert!(matches!(scanned, Err(Error::KeyRequired)));
    assert_eq!(visits, 3);
}

/// What a walk meets next is what a map has next, whatever has changed since the step before.
#[test]
fn a_walk_meets_what_is_there_when_it_comes_to_it() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let db = db();
        let mut tx = db.begin_write().unwrap();
        let bucket = tx.create_bucket("b").unwrap().handle();
        let other = tx.create_bucket("other").unwrap().handle();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let value = |random: &mut Random| vec![7; if random.one_in(20) { 20_000 } else { random.below(60) }];
        for _ in 0..random.below(400) {
            let (key, value) = (random.bytes(3), value(&mut random));
            if !key.is_empty() {
                tx.put(bucket, &key, &value).unwrap();
                model.insert(key, value);
            }
        }
        let (from, to) = (random.bytes(2), random.bytes(2));
        let (from, to) = if from <= to { (from, to) } else { (to, from) };
        let mut walk = tx.walk(bucket, &from..&to).unwrap();
        let mut after = Bound::Included(from);
        let changes = random.below(4);
        loop {
            let met = walk.next(&tx).unwrap().map(|(key, value)| (key.to_vec(), value.to_vec()));
            let ahead = (after.clone(), Bound::Excluded(to.clone()));
            let crossed = matches!(&after, Bound::Excluded(key) if *key >= to);
            let expected = if crossed { None } else { model.range(ahead).next() };
            assert_eq!(met.as_ref().map(|(key, value)| (key, value)), expected, "seed {seed}");
            let Some((key, _)) = met else { break };
            for _ in 0..changes {
                let (key, value) = (random.bytes(3), value(&mut random));
                match random.below(8) {
                    0 if !key.is_empty() => {
                        tx.put(bucket, &key, &value).unwrap();
                        model.insert(key, value);
                    }
                    1 => assert_eq!(tx.delete(bucket, &key).unwrap(), model.remove(&key).is_some()),
                    2 if !key.is_empty() => tx.put(other, &key, &value).unwrap(),
                    _ => {}
                }
            }
            after = Bound::Excluded(key);
        }
        tx.commit().unwrap();
    }
}

#[test]
fn a_handle_of_another_transaction_is_refused() {
    let (db, another) = (db(), db());
    let mut tx = db.begin_write().unwrap();
    let handle = tx.create_bucket("b").unwrap().handle();
    let mut walk = tx.walk(handle, ..).unwrap();
    let id = tx.id();
    tx.rollback();
    let refused = |tx: &mut WriteTx<'_>, walk: &mut kv::Walk| {
        tx.create_bucket_if_absent("b").unwrap();
        is_stale(tx.get(handle, "k").map(|value| value.map(<[u8]>::to_vec)), false);
        is_stale(tx.put(handle, "k", "v"), false);
        is_stale(tx.delete(handle, "k"), false);
        is_stale(tx.at(handle).map(drop), false);
        is_stale(tx.at_mut(handle).map(drop), false);
        is_stale(tx.walk(handle, ..), false);
        is_stale(tx.scan(handle, .., |_, _, _| Ok(())), false);
        is_stale(walk.next(tx).map(drop), false);
    };
    let mut next = db.begin_write().unwrap();
    assert_eq!(next.id(), id, "the next transaction has the number of the one that was rolled back");
    refused(&mut next, &mut walk);
    refused(&mut another.begin_write().unwrap(), &mut walk);
}

#[test]
fn a_handle_of_a_deleted_bucket_is_refused() {
    let deletes: [fn(&mut WriteTx<'_>) -> kv::Result<()>; 4] = [
        |tx| tx.delete_bucket("outer"),
        |tx| tx.bucket_mut("outer")?.delete_bucket("middle"),
        |tx| tx.bucket_mut("outer")?.delete_range("m".."n").map(drop),
        |tx| tx.bucket_mut("outer")?.clear(),
    ];
    for delete in deletes {
        let db = db();
        let mut tx = db.begin_write().unwrap();
        tx.create_bucket("outer").unwrap().create_bucket("middle").unwrap().create_bucket("inner").unwrap();
        tx.commit().unwrap();
        let mut tx = db.begin_write().unwrap();
        let middle = tx.bucket_mut("outer").unwrap().bucket_mut("middle").unwrap().handle();
        let inner = tx.at_mut(middle).unwrap().bucket_mut("inner").unwrap().handle();
        tx.put(inner, "k", "v").unwrap();
        delete(&mut tx).unwrap();
        for handle in [middle, inner] {
            is_stale(tx.put(handle, "k", "v"), true);
            is_stale(tx.at(handle).map(drop), true);
        }
        // A new bucket of the same name is another bucket.
        let mut outer = tx.create_bucket_if_absent("outer").unwrap();
        let new = outer.create_bucket("middle").unwrap().handle();
        tx.put(new, "k", "v").unwrap();
        is_stale(tx.put(middle, "k", "v"), true);
        tx.commit().unwrap();
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

#[test]
fn a_bucket_that_a_scan_deletes_ends_it() {
    let db = db();
    let mut tx = db.begin_write().unwrap();
    let bucket = tx.create_bucket("b").unwrap().handle();
    (0..9_u8).try_for_each(|n| tx.put(bucket, [n], "")).unwrap();
    is_stale(tx.scan(bucket, .., |tx, _, _| tx.delete_bucket("b")), true);
}

#[test]
fn a_handle_goes_with_its_bucket_when_that_moves() {
    let db = db();
    db.update(|tx| {
        tx.create_bucket("from")?.create_bucket("b")?;
        tx.create_bucket("to")?;
        let bucket = tx.bucket_mut("from")?.bucket_mut("b")?.handle();
        tx.move_bucket("b", &[b"from"], &[b"to"])?;
        tx.put(bucket, "k", "v")
    })
    .unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.bucket("to").unwrap().bucket("b").unwrap().get("k").unwrap(), Some(&b"v"[..]));
}
