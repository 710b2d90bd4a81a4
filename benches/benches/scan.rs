//! Scans from a random key on, forwards and back, and of everything.
//!
//! `cargo bench -p benches --bench scan`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use benches::store::{BUCKET, Store};
use benches::workload::{Random, digest, key};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::{Options, Pair, Result};

const PAIRS: u64 = 1_000_000;

fn sum<'t>(items: impl Iterator<Item = Result<Pair<'t>>>) -> u64 {
    items.fold(0, |sum, item| {
        let (_, value) = item.expect("a sound file");
        sum.wrapping_add(digest(value))
    })
}

fn scan(criterion: &mut Criterion) {
    let store = Store::loaded(PAIRS, &Options::new());
    let tx = store.db.begin_read();
    let bucket = tx.bucket(BUCKET).expect("the bucket");
    let mut random = Random::new(1);
    let mut group = criterion.benchmark_group("scan");
    for len in [1, 10, 1000] {
        group.throughput(Throughput::Elements(len as u64));
        group.bench_function(BenchmarkId::new("forwards", len), |b| {
            b.iter(|| sum(bucket.range(key(random.below_u64(PAIRS))..).take(len)));
        });
        group.bench_function(BenchmarkId::new("back", len), |b| {
            b.iter(|| sum(bucket.range(..key(random.below_u64(PAIRS))).rev().take(len)));
        });
    }
    group.throughput(Throughput::Elements(PAIRS));
    group.sample_size(10);
    group.bench_function("everything", |b| b.iter(|| sum(bucket.iter())));
}

criterion_group!(benches, scan);
criterion_main!(benches);
