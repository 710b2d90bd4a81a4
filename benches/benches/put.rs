//! Puts into a transaction that is then dropped: what changing the tree costs, without the commit.
//!
//! `cargo bench -p benches --bench put`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use benches::store::{BUCKET, Store};
use benches::workload::{ascending_key, key, value};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kv::Options;

const PAIRS: u64 = 100_000;

/// Puts pairs `numbers` and forgets them.
fn put_and_forget(store: &Store, numbers: std::ops::Range<u64>, key: impl Fn(u64) -> [u8; 24]) {
    let mut tx = store.db.begin_write().expect("the writer");
    let mut bucket = tx.bucket_mut(BUCKET).expect("the bucket");
    for number in numbers {
        bucket.put(key(number), value(number)).expect("a sound file");
    }
    tx.rollback();
}

fn put(criterion: &mut Criterion) {
    let store = Store::loaded(PAIRS, &Options::new());
    let mut group = criterion.benchmark_group("put");
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

criterion_group!(benches, put);
criterion_main!(benches);
