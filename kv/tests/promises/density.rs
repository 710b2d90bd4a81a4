//! How full pages are: by the share that was asked for, and in a compacted copy.

use kv::{BucketMut, BucketStats, Db, Error, Options, compact};
use kv_testkit::Random;

use crate::stores::{dump_of, in_memory};

/// Keys; a prime, so that steps of any length meet each once.
const KEYS: u64 = 20_011;

/// Puts all keys into bucket `b` with a share to fill, so many in a transaction; in key order, or in steps through it.
fn load(share: f64, in_order: bool, each: u64) -> Db {
    let (db, _) = in_memory(&Options::new());
    let step = if in_order { 1 } else { 7919 };
    for first in (0..KEYS).step_by(each as usize) {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            bucket.set_fill_percent(share);
            (first..KEYS.min(first + each))
                .try_for_each(|n| bucket.put(format!("{:08}", n * step % KEYS), vec![b'v'; 32]))
        })
        .unwrap();
    }
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    assert_eq!(tx.bucket("b").unwrap().iter().count() as u64, KEYS);
    drop(tx);
    db
}

fn stats(db: &Db) -> BucketStats {
    db.begin_read().bucket("b").unwrap().stats().unwrap()
}

/// Percent of its leaves' bytes that the bucket uses.
fn used(db: &Db) -> u32 {
    let stats = stats(db);
    (stats.leaf_bytes_used * 100 / stats.leaf_bytes) as u32
}

#[test]
fn pages_loaded_in_key_order_are_as_full_as_asked_for() {
    for each in [KEYS, 1000, 7] {
        for asked in [10, 50, 90, 100] {
            let used = used(&load(f64::from(asked) / 100.0, true, each));
            assert!((asked - 2..=asked).contains(&used), "{used} % at {asked} % and {each} puts a transaction");
        }
    }
}

#[test]
fn pages_loaded_at_once_out_of_order_are_as_full_as_asked_for() {
    for asked in [10, 50, 90, 100] {
        let used = used(&load(f64::from(asked) / 100.0, false, KEYS));
        assert!((asked - 2..=asked).contains(&used), "{used} % at {asked} %");
    }
}

#[test]
fn pages_that_grow_out_of_order_over_many_transactions_are_never_slivers() {
    for share in [0.9, 1.0] {
        for each in [1000, 50] {
            let used = used(&load(share, false, each));
            assert!(used >= 50, "{used} % at {share} and {each} puts a transaction");
        }
    }
}

#[test]
fn a_share_holds_beside_deletions_and_nested_buckets() {
    let (db, _) = in_memory(&Options::new().page_size(1024).strict(true));
    for round in 0..6u64 {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            bucket.set_fill_percent(if round % 2 == 0 { 1.0 } else { 0.3 });
            for n in 0..700 {
                let key = format!("{:05}", (n * 7919 + round * 131) % 5003);
                match n % 7 {
                    0 => bucket.create_bucket_if_absent(format!("{key} nested"))?.put(&key, vec![1; 60])?,
                    1 | 2 => drop(bucket.delete(format!("{:05}", (n * 7919) % 5003))?),
                    _ => bucket.put(key, vec![2; n as usize % 90])?,
                }
            }
            // Everything in a stretch goes, so that branches are left with one child or none.
            let gone: Vec<Vec<u8>> =
                bucket.range("01000".."03000").map(|item| Ok(item?.0.to_vec())).collect::<Result<_, Error>>()?;
            for key in gone {
                if bucket.get(&key)?.is_some() {
                    bucket.delete(key)?;
                } else {
                    bucket.delete_bucket(key)?;
                }
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

/// Pages in use, meta pages and list of free pages aside.
fn pages(db: &Db) -> u64 {
    let stats = db.begin_read().root().stats().unwrap();
    (stats.branch_bytes + stats.leaf_bytes) / u64::from(db.page_size())
}

/// Compacts with transactions of several sizes; no copy may have more pages than the source has in use.
#[track_caller]
fn compacts_to(source: &Db, most: u64) {
    let lines = dump_of(source);
    for tx_max_bytes in [0, 65_536, 5000] {
        let (target, _) = in_memory(&Options::new().page_size(source.page_size()));
        compact(source, &target, tx_max_bytes).unwrap();
        assert_eq!(dump_of(&target), lines);
        assert_eq!(target.begin_read().check().unwrap(), []);
        let pages = pages(&target);
        assert!(pages <= most, "{pages} pages of {most}, {tx_max_bytes} bytes a transaction");
    }
}

/// 5,000 buckets, at the top or inside another, with `values` values of `len` bytes in each, written in name order.
fn many_small_buckets(nested: bool, values: u64, len: usize) -> Db {
    let (db, _) = in_memory(&Options::new());
    let fill =
        |mut bucket: BucketMut<'_>| (0..values).try_for_each(|key| bucket.put(format!("key {key}"), vec![b'v'; len]));
    for first in (0..5000).step_by(50) {
        db.update(|tx| {
            (first..first + 50).map(|n| format!("bucket {n:05}")).try_for_each(|name| {
                if nested {
                    fill(tx.create_bucket_if_absent("outer")?.create_bucket(name)?)
                } else {
                    fill(tx.create_bucket(name)?)
                }
            })
        })
        .unwrap();
    }
    db
}

/// The pages that 5,000 items of so many bytes take at the least.
fn least_pages(item: u64) -> u64 {
    let each_page = (4096 - 16) / item;
    5000_u64.div_ceil(each_page)
}

/// Bytes of an inline bucket in its parent's leaf: element, name, header, page header, and its items.
fn inline_size(values: u64, len: u64) -> u64 {
    16 + 12 + 16 + 16 + values * (16 + 5 + len)
}

#[test]
fn many_small_buckets_are_compacted_without_gaps() {
    for nested in [false, true] {
        for (values, len) in [(3, 60), (1, 200), (0, 0), (4, 220)] {
            let source = many_small_buckets(nested, values, len as usize);
            // A leaf for each, and a header, where they are too large to be inline.
            let least = if inline_size(values, len) - 44 <= 1024 {
                least_pages(inline_size(values, len))
            } else {
                5000 + least_pages(16 + 12 + 16)
            };
            let branches = least / 50 + 3;
            compacts_to(&source, pages(&source).min(least + branches));
        }
    }
}

#[test]
fn what_is_dense_already_does_not_grow() {
    for share in [0.9, 1.0] {
        let source = load(share, true, 1000);
        compacts_to(&source, pages(&source));
    }
    let full = pages(&load(1.0, true, KEYS));
    compacts_to(&load(0.3, false, 1000), full);
}

#[test]
fn a_compacted_copy_of_any_mixture_is_no_larger() {
    for page_size in [1024, 4096, 16384] {
        let (db, _) = in_memory(&Options::new().page_size(page_size));
        let mut random = Random::new(31);
        for _ in 0..20 {
            db.update(|tx| {
                for _ in 0..100 {
                    let mut bucket = tx.create_bucket_if_absent(format!("{:02}", random.below(40)))?;
                    let nested = format!("nested {}", random.below(10));
                    if random.below(3) == 0 {
                        bucket.create_bucket_if_absent(&nested)?;
                        bucket = bucket.into_bucket_mut(&nested)?;
                    }
                    bucket.put(format!("{}", random.below(500)), vec![1; random.below(200)])?;
                }
                Ok(())
            })
            .unwrap();
        }
        compacts_to(&db, pages(&db));
    }
}

#[test]
fn pages_that_are_nearly_empty_are_joined_until_they_are_not() {
    let (db, _) = in_memory(&Options::new().strict(true));
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        bucket.set_fill_percent(0.1);
        (0..100).try_for_each(|n| bucket.put(format!("{n:02}"), [b'v'; 100]))
    })
    .unwrap();
    let before = stats(&db);
    assert_eq!(before.leaf_pages, 23, "three pairs of 118 bytes in each, and the last has the rest");
    // One of the leaves is looked at, and its neighbours are as small.
    db.update(|tx| tx.bucket_mut("b")?.delete("50").map(|_| ())).unwrap();
    assert_eq!(stats(&db).leaf_pages, before.leaf_pages - 3, "four become a page of more than a quarter");
}
