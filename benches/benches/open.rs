//! Opening: a new file, a file that lists its free pages, one that does not, and one for reading only.
//!
//! `cargo bench -p benches --bench open`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::path::Path;
use std::time::{Duration, Instant};

use benches::store::{crash, file, put};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kv::{Db, Options};

/// Opens `path` so many times; what `leave` does with the database does not count.
fn time(rounds: u64, path: &Path, options: &Options, leave: impl Fn(Db)) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let begin = Instant::now();
        let db = options.open(path).expect("a sound file");
        total += begin.elapsed();
        leave(db);
    }
    total
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(20);
    let options = Options::new();
    group.bench_function("create", |b| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("new.db");
        let leave = |db| {
            drop(db);
            std::fs::remove_file(&path).expect("the new file");
        };
        b.iter_custom(|rounds| time(rounds, &path, &options, leave));
    });
    for pairs in [10_000, 1_000_000] {
        let (_dir, path) = file(pairs);
        group.bench_function(BenchmarkId::new("listed", pairs), |b| {
            b.iter_custom(|rounds| time(rounds, &path, &options, drop));
        });
        group.bench_function(BenchmarkId::new("read only", pairs), |b| {
            let options = Options::new().read_only(true);
            b.iter_custom(|rounds| time(rounds, &path, &options, drop));
        });
        // A commit takes the list out of the file; without a close nobody puts it back.
        let db = options.open(&path).expect("a sound file");
        put(&db, &[0]);
        crash(db).expect("the writer");
        group.bench_function(BenchmarkId::new("after a crash", pairs), |b| {
            b.iter_custom(|rounds| time(rounds, &path, &options, |db| crash(db).expect("the writer")));
        });
    }
}

criterion_group!(benches, open);
criterion_main!(benches);
