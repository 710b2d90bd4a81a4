//! Many puts: in transactions that are then dropped, which is what changing the tree costs; and loads of a new file,
//! commits included.
//!
//! `cargo bench -p benches --bench load`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use benches::store::{BUCKET, Store};
use benches::workload::{KEY_BYTES, Random, ascending_key, key, value};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::{Db, Error, Options};
use tempfile::TempDir;

const PAIRS: u64 = 100_000;

type Key = fn(u64) -> [u8; KEY_BYTES];

/// Puts pairs `numbers` and forgets them.
fn put_and_forget(store: &Store, numbers: std::ops::Range<u64>, key: Key) {
    let mut tx = store.db.begin_write().expect("the writer");
    let mut bucket = tx.bucket_mut(BUCKET).expect("the bucket");
    for number in numbers {
        bucket.put(key(number), value(number)).expect("a sound file");
    }
    tx.rollback();
}

fn without_commit(criterion: &mut Criterion) {
    let store = Store::loaded(PAIRS, &Options::new());
    let mut group = criterion.benchmark_group("load/without commit");
    for count in [1, 100, 10_000] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("random", count), |b| {
            b.iter(|| put_and_forget(&store, PAIRS..PAIRS + count, key));
        });
        group.bench_function(BenchmarkId::new("replace", count), |b| {
            b.iter(|| put_and_forget(&store, 0..count, key));
        });
        group.bench_function(BenchmarkId::new("ascending", count), |b| {
            b.iter(|| put_and_forget(&store, 0..count, ascending_key));
        });
    }
}

/// A new file, not synced, whose directory vanishes when it is dropped.
fn empty() -> (Db, TempDir) {
    let dir = TempDir::new().expect("a temporary directory");
    let db = Options::new().no_sync(true).open(dir.path().join("new.db")).expect("a new database");
    (db, dir)
}

fn load(db: &Db, numbers: &[u64], key: Key, transaction: usize) {
    for numbers in numbers.chunks(transaction) {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent(BUCKET)?;
            numbers.iter().try_for_each(|&number| bucket.put(key(number), value(number)))?;
            Ok::<_, Error>(())
        })
        .expect("room for the pairs");
    }
}

fn new_file(criterion: &mut Criterion) {
    const ALL: usize = usize::MAX;
    let mut shuffled: Vec<u64> = (0..PAIRS).collect();
    let mut random = Random::new(1);
    for last in (1..shuffled.len()).rev() {
        shuffled.swap(last, random.below(last + 1));
    }
    let ascending: Vec<u64> = (0..PAIRS).collect();
    let mut group = criterion.benchmark_group("load/new file");
    group.sample_size(10).throughput(Throughput::Elements(PAIRS));
    for (name, numbers, key, transaction) in [
        ("random, 10,000 a transaction", &shuffled, key as Key, 10_000),
        ("random, one transaction", &shuffled, key, ALL),
        ("ascending, 10,000 a transaction", &ascending, ascending_key, 10_000),
        ("ascending, one transaction", &ascending, ascending_key, ALL),
    ] {
        group.bench_function(name, |b| {
            b.iter_batched(
                empty,
                |(db, dir)| {
                    load(&db, numbers, key, transaction);
                    // Closing and removing the file is not measured.
                    (db, dir)
                },
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, without_commit, new_file);
criterion_main!(benches);
