//! Many threads: readers beside each other and beside a writer, puts by `batch`, which share a commit, and by `update`, which
//! share a write where commits go by a redo log.
//!
//! `cargo bench -p benches --bench concurrent`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use benches::store::{BUCKET, Store, put};
use benches::workload::{Random, key, numbers, value};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::{Db, Durability, Error, Options};

const PAIRS: u64 = 100_000;

/// The time in which so many threads each do `work` so many times.
fn time(threads: u64, rounds: u64, work: impl Fn(&mut Random) + Sync) -> Duration {
    let begin = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || {
                let mut random = Random::new(thread);
                (0..rounds).for_each(|_| work(&mut random));
            });
        }
    });
    begin.elapsed()
}

/// A read transaction with a random get.
fn get(db: &Db, random: &mut Random) {
    let number = random.below_u64(PAIRS);
    let found = db.view(|tx| Ok::<_, Error>(tx.bucket(BUCKET)?.get(key(number))?.map(<[u8]>::len)));
    found.expect("a sound file").expect("the pair");
}

fn readers(criterion: &mut Criterion) {
    let store = Store::loaded(PAIRS, &Options::new().no_sync(true));
    let mut group = criterion.benchmark_group("concurrent/begin, get, end");
    for threads in [1, 2, 4] {
        group.throughput(Throughput::Elements(threads));
        group.bench_function(BenchmarkId::new("threads", threads), |b| {
            b.iter_custom(|rounds| time(threads, rounds, |random| get(&store.db, random)));
        });
        group.bench_function(BenchmarkId::new("threads beside a writer", threads), |b| {
            b.iter_custom(|rounds| {
                let ended = AtomicBool::new(false);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let mut random = Random::new(PAIRS);
                        while !ended.load(Ordering::Relaxed) {
                            put(&store.db, &numbers(&mut random, 10, PAIRS));
                        }
                    });
                    let took = time(threads, rounds, |random| get(&store.db, random));
                    ended.store(true, Ordering::Relaxed);
                    took
                })
            });
        });
    }
}

/// Durable puts by `batch`: throughput of one put.
fn batch(criterion: &mut Criterion) {
    let store = Store::loaded(PAIRS, &Options::new());
    let mut group = criterion.benchmark_group("concurrent/batch, durable");
    group.sample_size(20);
    for threads in [1, 32, 100] {
        group.throughput(Throughput::Elements(threads));
        group.bench_function(BenchmarkId::new("threads", threads), |b| {
            b.iter_custom(|rounds| {
                time(threads, rounds, |random| {
                    let number = random.below_u64(PAIRS);
                    store
                        .db
                        .batch(move |tx| tx.bucket_mut(BUCKET)?.put(key(number), value(number)))
                        .expect("room for a pair");
                })
            });
        });
    }
}

/// Durable puts in a transaction each: throughput of one put.
fn update(criterion: &mut Criterion) {
    for (mode, options) in [("two syncs", Options::new()), ("a log", Options::new().durability(Durability::Log))] {
        let store = Store::loaded(PAIRS, &options);
        let mut group = criterion.benchmark_group(format!("concurrent/update, durable by {mode}"));
        group.sample_size(20);
        for threads in [1, 8, 100] {
            group.throughput(Throughput::Elements(threads));
            group.bench_function(BenchmarkId::new("threads", threads), |b| {
                b.iter_custom(|rounds| time(threads, rounds, |random| put(&store.db, &numbers(random, 1, PAIRS))));
            });
        }
    }
}

criterion_group!(benches, readers, batch, update);
criterion_main!(benches);
