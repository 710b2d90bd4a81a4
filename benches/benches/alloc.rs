//! Free lists: time per call over the number of free spans.
//!
//! CPU time of the thread, so that other work on the machine only shows where it takes caches away.
//!
//! `cargo bench -p benches --bench alloc`, or with a filter: `-- 'allocate1/isolated/1000000'`.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::time::Duration;

use benches::bbolt_array::BboltArray;
use benches::bbolt_hashmap::BboltHashmap;
use benches::free_layouts::{every_length, isolated, mixed, neighbours};
use benches::free_pages::{Bitmap, Buddy, FreePages};
use cpu_time::ThreadTime;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freelist_core::{FreeSpans, SortedArray, SpanMaps};
use kv_testkit::Random;

const COUNTS: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// Calls that are measured in one go before the state is restored.
const BATCH: usize = 1000;

/// What takes O(free pages) per call is not measured beyond this.
const LINEAR_LIMIT: u64 = 1_000_000;

/// Times `calls` allocations in batches, restoring the state after each.
fn time_allocate<P: FreePages>(set: &mut P, pages: u64, mut calls: u64) -> Duration {
    let mut total = Duration::ZERO;
    let mut taken = Vec::with_capacity(BATCH);
    while calls > 0 {
        let batch = calls.min(BATCH as u64);
        let begin = ThreadTime::now();
        for _ in 0..batch {
            taken.push(set.allocate(black_box(pages)));
        }
        total += begin.elapsed();
        for start in taken.drain(..) {
            set.release(start.expect("enough is free"), pages);
        }
        calls -= batch;
    }
    total
}

/// Times `calls` releases of single pages in batches, restoring the state after each.
fn time_release<P: FreePages>(set: &mut P, victims: &[u64], mut calls: u64) -> Duration {
    let mut total = Duration::ZERO;
    let mut batches = victims.chunks(BATCH).cycle();
    while calls > 0 {
        let batch = batches.next().expect("there are victims");
        let batch = &batch[..batch.len().min(usize::try_from(calls).unwrap_or(usize::MAX))];
        let begin = ThreadTime::now();
        for page in batch {
            set.release(black_box(*page), 1);
        }
        total += begin.elapsed();
        for page in batch {
            set.take(*page, 1);
        }
        calls -= batch.len() as u64;
    }
    total
}

/// Times loads of cache lines of `bytes` of memory in random order, each at the address that the one before tells: what
/// the machine takes for what no cache holds.
fn wait(group: &mut Group<'_>, bytes: usize, count: u64) {
    let lines = bytes / size_of::<[u64; 8]>();
    let mut order: Vec<usize> = (0..lines).collect();
    let mut random = Random::new(count);
    for last in (1..lines).rev() {
        order.swap(last, usize::try_from(random.below_u64(last as u64 + 1)).unwrap_or(0));
    }
    let mut memory = vec![[0; 8]; lines];
    for (index, line) in order.iter().enumerate() {
        memory[*line][0] = order[(index + 1) % lines];
    }
    let mut at = 0;
    group.bench_function(BenchmarkId::new("one load of a random line of as much memory", count), |bencher| {
        bencher.iter_custom(|calls| {
            let begin = ThreadTime::now();
            for _ in 0..calls {
                at = black_box(memory[at][0]);
            }
            begin.elapsed()
        });
    });
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn allocate<P: FreePages>(group: &mut Group<'_>, spans: &[(u64, u64)], pages: u64) {
    let id = BenchmarkId::new(P::NAME, spans.len());
    let mut set = None;
    group.bench_function(id, |bencher| {
        let set = set.get_or_insert_with(|| P::load(spans));
        bencher.iter_custom(|calls| time_allocate(set, pages, calls));
    });
}

fn release<P: FreePages>(group: &mut Group<'_>, spans: &[(u64, u64)], victims: &[u64]) {
    let id = BenchmarkId::new(P::NAME, spans.len());
    let mut set = None;
    group.bench_function(id, |bencher| {
        let set = set.get_or_insert_with(|| P::load(spans));
        bencher.iter_custom(|calls| time_release(set, victims, calls));
    });
}

fn fail<P: FreePages>(group: &mut Group<'_>, spans: &[(u64, u64)], pages: u64) {
    let mut set = None;
    group.bench_function(BenchmarkId::new(P::NAME, spans.len()), |bencher| {
        let set = set.get_or_insert_with(|| P::load(spans));
        bencher.iter_custom(|calls| {
            let begin = ThreadTime::now();
            for _ in 0..calls {
                assert_eq!(set.allocate(black_box(pages)), None);
            }
            begin.elapsed()
        });
    });
}

fn load<P: FreePages>(group: &mut Group<'_>, spans: &[(u64, u64)]) {
    load_by(group, P::NAME, spans, || P::load(spans));
}

/// Span maps that are given the pages as bits.
fn load_bits(group: &mut Group<'_>, spans: &[(u64, u64)]) {
    let mut words = Vec::new();
    for page in spans.iter().flat_map(|&(start, pages)| start..start + pages) {
        let word = usize::try_from(page / 64).expect("in memory");
        words.resize(words.len().max(word + 1), 0_u64);
        words[word] |= 1 << (page % 64);
    }
    load_by(group, "span maps, from bits", spans, || {
        let mut set = SpanMaps::new();
        set.release_bits(&mut words.iter().copied()).expect("memory");
        set
    });
}

fn load_by<S>(group: &mut Group<'_>, name: &str, spans: &[(u64, u64)], make: impl Fn() -> S) {
    let pages = spans.iter().map(|(_, pages)| pages).sum();
    group.throughput(Throughput::Elements(pages));
    group.bench_function(BenchmarkId::new(name, spans.len()), |bencher| {
        bencher.iter_custom(|calls| {
            (0..calls)
                .map(|_| {
                    let begin = ThreadTime::now();
                    let set = black_box(make());
                    let took = begin.elapsed();
                    drop(set);
                    took
                })
                .sum()
        });
    });
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    group
}

fn allocations(criterion: &mut Criterion) {
    for (name, pages, shortest) in [("allocate1/isolated", 1, 0), ("allocate1/mixed", 1, 1), ("allocate8/mixed", 8, 1)]
    {
        let mut group = group(criterion, name);
        for count in COUNTS {
            let spans = if shortest == 0 { isolated(count) } else { mixed(count, shortest) };
            allocate::<SpanMaps>(&mut group, &spans, pages);
            if pages == 1 || count <= LINEAR_LIMIT {
                allocate::<Bitmap>(&mut group, &spans, pages);
            }
            if shortest == 0 || count <= LINEAR_LIMIT {
                allocate::<BboltHashmap>(&mut group, &spans, pages);
            }
            // It has 8 pages only where they are aligned to 8, which is too seldom here.
            if pages == 1 {
                allocate::<Buddy>(&mut group, &spans, pages);
            }
            if count <= LINEAR_LIMIT {
                allocate::<BboltArray>(&mut group, &spans, pages);
                allocate::<SortedArray>(&mut group, &spans, pages);
            }
        }
    }
}

fn releases(criterion: &mut Criterion) {
    for name in ["release/isolated", "release/mixed"] {
        let mut group = group(criterion, name);
        for count in COUNTS {
            let spans = if name.ends_with("isolated") { isolated(count) } else { mixed(count, 1) };
            let victims = neighbours(&spans, usize::try_from(count / 10).unwrap_or(BATCH));
            release::<SpanMaps>(&mut group, &spans, &victims);
            wait(&mut group, <SpanMaps as FreePages>::load(&spans).memory_bytes(), count);
            release::<Bitmap>(&mut group, &spans, &victims);
            if name.ends_with("isolated") || count <= LINEAR_LIMIT {
                release::<BboltHashmap>(&mut group, &spans, &victims);
            }
            release::<Buddy>(&mut group, &spans, &victims);
            if count < LINEAR_LIMIT {
                release::<BboltArray>(&mut group, &spans, &victims);
                release::<SortedArray>(&mut group, &spans, &victims);
            }
        }
    }
}

fn failures(criterion: &mut Criterion) {
    let mut group = group(criterion, "fail/4000 lengths");
    let spans = every_length(4000);
    fail::<SpanMaps>(&mut group, &spans, 5000);
    fail::<Bitmap>(&mut group, &spans, 5000);
    fail::<BboltHashmap>(&mut group, &spans, 5000);
    fail::<Buddy>(&mut group, &spans, 5000);
    fail::<BboltArray>(&mut group, &spans, 5000);
    fail::<SortedArray>(&mut group, &spans, 5000);
}

fn loads(criterion: &mut Criterion) {
    for name in ["load/isolated", "load/mixed"] {
        let mut group = group(criterion, name);
        for count in COUNTS {
            let spans = if name.ends_with("isolated") { isolated(count) } else { mixed(count, 1) };
            load::<SpanMaps>(&mut group, &spans);
            load_bits(&mut group, &spans);
            if count <= LINEAR_LIMIT {
                load::<BboltArray>(&mut group, &spans);
                load::<BboltHashmap>(&mut group, &spans);
            }
        }
    }
}

criterion_group!(benches, allocations, releases, failures, loads);
criterion_main!(benches);
