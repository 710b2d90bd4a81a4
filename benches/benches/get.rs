//! Random gets: within one read transaction, with a transaction for each, and of keys that are not there.
//!
//! `cargo bench -p benches --bench get`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use benches::store::{BUCKET, Store};
use benches::workload::{Random, key};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kv::Options;

fn get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get");
    for pairs in [10_000, 1_000_000] {
        let store = Store::loaded(pairs, &Options::new());
        let tx = store.db.begin_read();
        let bucket = tx.bucket(BUCKET).expect("the bucket");
        let mut random = Random::new(1);
        group.bench_function(BenchmarkId::new("present", pairs), |b| {
            b.iter(|| black_box(bucket.get(key(random.below_u64(pairs)))).expect("a sound file").expect("the pair"));
        });
        group.bench_function(BenchmarkId::new("absent", pairs), |b| {
            b.iter(|| assert_eq!(bucket.get(key(pairs + random.below_u64(pairs))).expect("a sound file"), None));
        });
        group.bench_function(BenchmarkId::new("begin_get_end", pairs), |b| {
            b.iter(|| {
                let number = random.below_u64(pairs);
                let found = store.db.view(|tx| Ok(tx.bucket(BUCKET)?.get(key(number))?.map(<[u8]>::len)));
                found.expect("a sound file").expect("the pair")
            });
        });
    }
    group.bench_function("begin_end", |b| {
        let store = Store::loaded(1, &Options::new());
        b.iter(|| drop(store.db.begin_read()));
    });
}

criterion_group!(benches, get);
criterion_main!(benches);
