//! Transactions from begin to commit: one put and a hundred, durable and not; and many threads in one commit.
//!
//! `cargo bench -p benches --bench commit`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::time::Instant;

use benches::store::{BUCKET, Store, put};
use benches::workload::{Random, key, numbers, value};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::Options;

const PAIRS: u64 = 100_000;

/// Transactions of replaced pairs, so that the file stays as it is however often they run.
fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    for (mode, no_sync) in [("not synced", true), ("durable", false)] {
        let store = Store::loaded(PAIRS, &Options::new().no_sync(no_sync));
        let mut random = Random::new(1);
        for count in [1, 100] {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(mode, count), |b| {
                b.iter(|| put(&store.db, &numbers(&mut random, count, PAIRS)));
            });
        }
    }
}

/// Puts by `batch` from many threads at once, durable: throughput of one put.
fn batch(criterion: &mut Criterion) {
    const THREADS: u64 = 32;
    let store = Store::loaded(PAIRS, &Options::new());
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(THREADS));
    group.bench_function(BenchmarkId::new("durable, threads", THREADS), |b| {
        b.iter_custom(|rounds| {
            let begin = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let db = &store.db;
                    scope.spawn(move || {
                        let mut random = Random::new(thread);
                        for _ in 0..rounds {
                            let number = random.below_u64(PAIRS);
                            db.batch(move |tx| tx.bucket_mut(BUCKET)?.put(key(number), value(number)))
                                .expect("room for a pair");
                        }
                    });
                }
            });
            begin.elapsed()
        });
    });
}

criterion_group!(benches, commit, batch);
criterion_main!(benches);
