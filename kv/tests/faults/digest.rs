//! Flipped bits that the format cannot show, found and named by a digest kept beside the file.

use std::time::Instant;

use kv::digest::{Chunk, Difference};
use kv::{Db, Options, Result};
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::print;
use kv_testkit::model::{Model, difference_of_items};
use pagefile_std::MemStore;

use crate::budget::goals;
use crate::flips::everything;

fn open(bytes: &[u8]) -> Result<Db> {
    Options::new().read_only(true).open_store(Box::new(MemStore::with_bytes(bytes)))
}

fn digest_of(db: &Db) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    db.view(|tx| {
        tx.digest(|chunk| {
            chunks.push(chunk);
            Ok(())
        })
    })
    .unwrap();
    chunks
}

#[test]
fn a_flipped_bit_is_found_if_and_only_if_something_reads_otherwise() {
    let began = Instant::now();
    let bytes = everything();
    let sound = open(&bytes).unwrap();
    let (chunks, before) = (digest_of(&sound), Model::read(&sound.begin_read().root()).unwrap());
    assert_eq!(sound.begin_read().verify(&chunks).unwrap(), []);

    let (mut random, mut silent) = (Random::new(seed()), 0);
    let flips = goals().flips.saturating_mul(4).min(bytes.len() as u64 * 8);
    for _ in 0..flips {
        let bit = random.below_u64(bytes.len() as u64 * 8);
        let mut flipped = bytes.clone();
        flipped[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        let Ok(db) = open(&flipped) else { continue };
        let tx = db.begin_read();
        let differences = tx.verify(&chunks).unwrap();
        // A digest is of items. A branch that leads a lookup elsewhere is what `check` finds.
        let same = difference_of_items(&tx.root(), &before).is_ok_and(|difference| difference.is_none());
        assert_eq!(differences.is_empty(), same, "bit {bit}: {differences:?}");
        silent += u64::from(!same && tx.check().unwrap().is_empty());
    }
    assert!(silent > 0, "some are found by nothing else");
    print("digested flips", flips, &format!(", {silent} found by the digest alone"), seed(), began);
}

/// A bucket of several chunks, and others.
fn letters() -> Db {
    let db = Options::new().page_size(1024).open_store(Box::new(MemStore::new())).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("letters")?;
        (0..1000).try_for_each(|n| bucket.put(format!("{n:04}"), vec![b'v'; 200]))?;
        bucket.create_bucket("nested")?.put("a", "1")?;
        tx.create_bucket("empty").map(|_| ())
    })
    .unwrap();
    db
}

#[test]
fn a_difference_has_its_bucket_and_keys() {
    let db = letters();
    let chunks = digest_of(&db);
    assert!(
        chunks.iter().filter(|chunk| (chunk.depth, &chunk.name[..]) == (1, b"letters")).count() > 2,
        "{}",
        chunks.len()
    );
    let told = || -> Vec<String> {
        let differences = db.begin_read().verify(&chunks).unwrap();
        differences.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(), Vec::<String>::new());

    db.update(|tx| tx.bucket_mut("letters")?.put("0500", vec![b'w'; 200])).unwrap();
    let [one] = &told()[..] else { panic!("{:?}", told()) };
    let (after, to) = one.strip_prefix("letters: what is after ").unwrap().split_once(", up to ").unwrap();
    assert!(after < "0500" && to[..4] >= *"0500", "{one}");
    db.update(|tx| tx.bucket_mut("letters")?.put("0500", vec![b'v'; 200])).unwrap();
    assert_eq!(told(), Vec::<String>::new(), "the content counts, not the pages");

    db.update(|tx| {
        tx.delete_bucket("empty")?;
        tx.create_bucket("more")?;
        tx.bucket_mut("letters")?.bucket_mut("nested")?.next_sequence().map(|_| ())
    })
    .unwrap();
    let mut lines = told();
    lines.sort();
    assert_eq!(
        lines,
        [
            "empty: was digested and is not there",
            "letters/nested: everything in it is not what was digested",
            "more: is there and was not digested",
            "the list of buckets: everything in it is not what was digested",
        ]
    );
    assert!(matches!(db.begin_read().verify(&[]).unwrap()[0], Difference::Added { .. }));
}

#[test]
fn the_same_content_has_the_same_digest_wherever_it_lies() {
    let db = letters();
    let dense = Options::new().page_size(4096).open_store(Box::new(MemStore::new())).unwrap();
    kv::compact(&db, &dense, 10_000).unwrap();
    assert_eq!(digest_of(&db), digest_of(&dense));
}

/// The cost of a digest does not grow with the depth of a bucket: paths are neither hashed nor kept for each.
#[test]
fn buckets_nested_deep_are_digested_and_told_by_their_paths() {
    const LEVELS: usize = 20_000;
    let db = Options::new().page_size(1024).open_store(Box::new(MemStore::new())).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("top")?;
        for _ in 1..LEVELS {
            bucket.create_bucket("b")?;
            bucket = bucket.into_bucket_mut("b")?;
        }
        bucket.put("key", "value")
    })
    .unwrap();
    let chunks = digest_of(&db);
    assert_eq!(chunks.len(), LEVELS + 1);
    assert!(chunks.iter().enumerate().all(|(depth, chunk)| chunk.depth == depth && chunk.name.len() <= 3));
    assert_eq!(db.begin_read().verify(&chunks).unwrap(), []);

    db.update(|tx| {
        let mut bucket = tx.bucket_mut("top")?;
        for _ in 1..LEVELS {
            bucket = bucket.into_bucket_mut("b")?;
        }
        bucket.put("key", "other")
    })
    .unwrap();
    let differences = db.begin_read().verify(&chunks).unwrap();
    let [Difference::Changed { bucket, .. }] = &differences[..] else { panic!("{}", differences.len()) };
    assert!(bucket.len() == LEVELS && bucket[0] == b"top" && bucket[1..].iter().all(|name| name == b"b"));
}
