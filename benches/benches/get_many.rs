//! Random keys in one call, whose searches wait for memory together, beside the same keys one by one.
//!
//! `cargo bench -p benches --bench get_many`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use benches::store::{BUCKET, Store};
use benches::workload::{Random, key, numbers};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::Options;

fn get_many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get_many");
    for pairs in [10_000, 1_000_000] {
        let store = Store::loaded(pairs, &Options::new());
        let tx = store.db.begin_read();
        let bucket = tx.bucket(BUCKET).expect("the bucket");
        let mut random = Random::new(1);
        for count in [4, 64, 1000] {
            let mut keys = || numbers(&mut random, count, pairs).into_iter().map(key).collect::<Vec<_>>();
            let id = |how: &str| BenchmarkId::new(format!("{how}/{count}"), pairs);
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(id("one call"), |b| {
                b.iter(|| {
                    let values = bucket.get_many(&keys()).expect("a sound file");
                    assert!(values.iter().all(Option::is_some), "every pair was put");
                });
            });
            group.bench_function(id("one by one"), |b| {
                b.iter(|| {
                    for key in keys() {
                        black_box(bucket.get(key).expect("a sound file").expect("the pair"));
                    }
                });
            });
        }
    }
}

criterion_group!(benches, get_many);
criterion_main!(benches);
