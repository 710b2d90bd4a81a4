//! A bucket as a sorted map: every operation beside the standard library's, in a bucket that has nested buckets too.

use std::collections::BTreeMap;
use std::ops::Bound;

use kv::{BucketMut, Error, Options};
use kv_testkit::Random;

use crate::stores::in_memory;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A key of one to three bytes out of few, so that many are met again. None begins with the byte of a nested bucket's name.
fn key(random: &mut Random) -> Vec<u8> {
    let len = random.within(1, 3);
    (0..len).map(|_| [0, 1, b'k', 0xFE, 0xFF][random.below(5)]).collect()
}

fn change(bucket: &mut BucketMut<'_>, map: &mut Map, random: &mut Random) {
    let (key, value) = (key(random), vec![b'v'; random.below(90)]);
    match random.below(11) {
        0..=2 => assert_eq!(bucket.insert(&key, &value).unwrap(), map.insert(key, value)),
        3 => assert_eq!(bucket.remove(&key).unwrap(), map.remove(&key)),
        4 => assert_eq!(bucket.pop_first().unwrap(), map.pop_first()),
        5 => assert_eq!(bucket.pop_last().unwrap(), map.pop_last()),
        6 => {
            let longer = |old: Option<&[u8]>| match old {
                Some(old) if old.len() > 120 => None,
                old => Some([old.unwrap_or_default(), b"+"].concat()),
            };
            bucket.update(&key, longer).unwrap();
            match longer(map.get(&key).map(Vec::as_slice)) {
                Some(new) => map.insert(key, new),
                None => map.remove(&key),
            };
        }
        7 => {
            let found = bucket.get_or_insert_with(&key, || &value).unwrap().to_vec();
            assert_eq!(found, *map.entry(key).or_insert(value));
        }
        8 => {
            let pairs: Vec<_> =
                (0..random.below(12)).map(|n| (self::key(random), vec![n as u8; random.below(90)])).collect();
            bucket.put_many(&pairs).unwrap();
            map.extend(pairs);
        }
        9 => {
            let limit = random.below(20);
            let odd = |value: &[u8]| value.len() % 2 == 1;
            let taken = bucket.extract_if(&key[..].., |_, value| odd(value)).take(limit);
            let taken = taken.collect::<kv::Result<Vec<_>>>().unwrap();
            let expected = map.range(key..).filter(|(_, value)| odd(value)).take(limit);
            let expected: Vec<_> = expected.map(|(key, value)| (key.clone(), value.clone())).collect();
            for (key, _) in &expected {
                map.remove(key);
            }
            assert_eq!(taken, expected);
        }
        _ => {
            let mut cursor = bucket.cursor_mut();
            let here = map.range(key.clone()..).next().map(|(key, _)| key.clone());
            let found = cursor.seek(&key).unwrap();
            match found.map(|(key, value)| (key.to_vec(), value.is_some())) {
                Some((found, true)) => {
                    assert_eq!(Some(&found), here.as_ref());
                    assert!(cursor.put(&value).unwrap());
                    assert!(cursor.next().unwrap().is_none_or(|(key, _)| key > &found[..]), "it goes on from there");
                    map.insert(found, value);
                }
                Some((_, false)) => assert!(matches!(cursor.put(&value), Err(Error::IncompatibleValue { .. }))),
                None => assert!(!cursor.put(&value).unwrap()),
            }
        }
    }
}

fn compare(bucket: &BucketMut<'_>, map: &Map, random: &mut Random) {
    let borrowed = |(key, value): (&_, &_)| -> (Vec<u8>, Vec<u8>) { (Vec::clone(key), Vec::clone(value)) };
    let owned = |pair: Option<kv::Pair<'_>>| pair.map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert_eq!(bucket.len().unwrap(), map.len() as u64);
    assert_eq!(bucket.is_empty().unwrap(), map.is_empty());
    assert_eq!(owned(bucket.first().unwrap()), map.first_key_value().map(borrowed));
    assert_eq!(owned(bucket.last().unwrap()), map.last_key_value().map(borrowed));
    let key = key(random);
    let after = bucket.after(&key).map(|pair| owned(Some(pair.unwrap())).unwrap());
    assert!(after.eq(map.range((Bound::Excluded(key.clone()), Bound::Unbounded)).map(borrowed)));
    let mut prefixed: Vec<_> = bucket.prefix(&key).rev().map(|pair| owned(Some(pair.unwrap())).unwrap()).collect();
    prefixed.reverse();
    assert!(prefixed.into_iter().eq(map.iter().filter(|(found, _)| found.starts_with(&key)).map(borrowed)));
}

#[test]
fn every_operation_does_what_that_of_a_map_does() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let (db, _) = in_memory(&Options::new().page_size(1024));
        let mut map = Map::new();
        for _ in 0..6 {
            let mut tx = db.begin_write().unwrap();
            let mut bucket = tx.create_bucket_if_absent("b").unwrap();
            for name in ["\u{1}nested", "m", "zz"] {
                bucket.create_bucket_if_absent(name).unwrap().put("inside", "v").unwrap();
            }
            for _ in 0..random.below(150) {
                change(&mut bucket, &mut map, &mut random);
                if random.one_in(8) {
                    compare(&bucket, &map, &mut random);
                }
            }
            compare(&bucket, &map, &mut random);
            assert_eq!(bucket.as_bucket().buckets().count(), 3, "nested buckets stay");
            if random.one_in(4) {
                tx.rollback();
                let read = db.begin_read();
                let old = read.get_bucket("b").unwrap();
                let pairs =
                    old.into_iter().flatten().map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())));
                map = pairs.collect::<kv::Result<_>>().unwrap();
            } else {
                tx.commit().unwrap();
            }
        }
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

#[test]
fn what_names_a_nested_bucket_is_refused_and_stays() {
    let (db, _) = in_memory(&Options::new());
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        bucket.create_bucket("nested")?.put("k", "v")?;
        let refused = |result: kv::Result<()>| assert!(matches!(result, Err(Error::IncompatibleValue { .. })));
        refused(bucket.insert("nested", "v").map(drop));
        refused(bucket.remove("nested").map(drop));
        refused(bucket.update("nested", |old| old.map(<[u8]>::to_vec)));
        refused(bucket.update("nested", |_| Some("v")));
        refused(bucket.get_or_insert_with("nested", || "v").map(drop));
        assert_eq!((bucket.pop_first()?, bucket.pop_last()?, bucket.first()?, bucket.len()?), (None, None, None, 0));
        assert_eq!(bucket.extract_if(.., |_, _| true).count(), 0);
        assert_eq!(bucket.bucket("nested")?.get("k")?, Some(&b"v"[..]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_many_puts_a_pair_that_cannot_be_is_refused_before_the_first() {
    let (db, _) = in_memory(&Options::new());
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        bucket.create_bucket("nested")?.put("k", "v")?;
        let long = "k".repeat(kv::MAX_KEY_SIZE + 1);
        assert!(matches!(bucket.put_many(&[("a", ""), ("", "")]), Err(Error::KeyRequired)));
        assert!(matches!(bucket.put_many(&[("a", ""), (&long, "")]), Err(Error::KeyTooLarge { .. })));
        assert_eq!(bucket.first()?, None);
        let refused = bucket.put_many(&[("z", "1"), ("nested", "2"), ("a", "3")]);
        assert!(matches!(refused, Err(Error::IncompatibleValue { .. })));
        assert_eq!((bucket.first()?, bucket.len()?), (Some((&b"a"[..], &b"3"[..])), 1), "what is less was put");
        bucket.put_many::<&str, &str>(&[])?;
        let handle = bucket.handle();
        tx.put_many(handle, &[(b"b", [0, 0, 0, 4]), (b"a", [0; 4])])?;
        assert_eq!(tx.get(handle, "b")?, Some(&[0, 0, 0, 4][..]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn pages_are_counted_and_keys_are_not_read() {
    let (db, _) = in_memory(&Options::new().page_size(1024));
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..5000_u32).try_for_each(|n| bucket.put(n.to_string(), "v"))
    })
    .unwrap();
    assert_eq!(db.begin_read().bucket("b").unwrap().len().unwrap(), 5000);
    let inline = db.update(|tx| tx.create_bucket("small")?.put("k", "v"));
    inline.unwrap();
    assert_eq!(db.begin_read().bucket("small").unwrap().len().unwrap(), 1);
}
