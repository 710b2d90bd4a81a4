//! Transactions from begin to commit: one put and a hundred, durable by two syncs, by a redo log, and not; and large values.
//! `concurrent` has those of many threads.
//!
//! `cargo bench -p benches --bench commit`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use benches::store::{Store, put};
use benches::workload::{Random, numbers};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::{Durability, Options};

const PAIRS: u64 = 100_000;

/// Transactions of replaced pairs, so that the file stays as it is however often they run.
fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    let modes = [
        ("not synced", Options::new().no_sync(true)),
        ("durable", Options::new()),
        ("durable by a log", Options::new().durability(Durability::Log)),
    ];
    for (mode, options) in modes {
        let store = Store::loaded(PAIRS, &options);
        let mut random = Random::new(1);
        for count in [1, 100] {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(mode, count), |b| {
                b.iter(|| put(&store.db, &numbers(&mut random, count, PAIRS)));
            });
        }
    }
}

/// Transactions of values of 24 KiB. A log would write them twice, and from 256 KiB on it does without.
fn large_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit of values of 24 KiB");
    for (mode, options) in
        [("durable", Options::new()), ("durable by a log", Options::new().durability(Durability::Log))]
    {
        let store = Store::loaded(1000, &options);
        let mut random = Random::new(1);
        let value = vec![7; 24 << 10];
        for count in [1, 4, 8, 16, 64] {
            group.throughput(Throughput::Bytes(count as u64 * value.len() as u64));
            group.bench_function(BenchmarkId::new(mode, count), |b| {
                b.iter(|| {
                    let keys = numbers(&mut random, count, 2000);
                    store.db.update(|tx| {
                        let mut bucket = tx.create_bucket_if_absent("large")?;
                        keys.iter().try_for_each(|key| bucket.put(key.to_be_bytes(), &value))
                    })
                });
            });
        }
    }
}

criterion_group!(benches, commit, large_values);
criterion_main!(benches);
