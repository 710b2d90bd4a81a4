//! Heap bytes per free span, counted by the allocator.
//!
//! `cargo run --release -p benches --example freelist_memory`

use std::alloc::System;

use benches::bbolt_hashmap::BboltHashmap;
use benches::free_layouts::{isolated, mixed};
use benches::free_pages::FreePages;
use cap::Cap;
use freelist_core::{SortedArray, SpanMaps};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn bytes_per_span<P: FreePages>(spans: &[(u64, u64)]) -> f64 {
    let before = HEAP.allocated();
    let set = P::load(spans);
    let bytes = HEAP.allocated() - before;
    drop(set);
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    count(bytes) / count(spans.len())
}

fn row<P: FreePages>(layouts: &[Vec<(u64, u64)>]) {
    print!("| {} |", P::NAME);
    for spans in layouts {
        print!(" {:.2} |", bytes_per_span::<P>(spans));
    }
    println!();
}

fn main() {
    for count in [10_000, 100_000, 1_000_000, 10_000_000] {
        let far_apart = (0..count).map(|index| (2 + index * 5000, 3)).collect();
        let layouts = [isolated(count), mixed(count, 2), far_apart];
        println!("\nheap bytes per span, {count} spans\n");
        println!("| free list | single pages | 2 to 8 pages | 3 pages, 5,000 apart |\n| --- | --- | --- | --- |");
        row::<SpanMaps>(&layouts);
        row::<SortedArray>(&layouts);
        if count <= 1_000_000 {
            row::<BboltHashmap>(&layouts);
        }
    }
}
