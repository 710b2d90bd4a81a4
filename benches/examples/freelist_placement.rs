//! Pages in the file for each live page, over the second half of 100,000 transactions, per free list; the mean of four
//! runs.
//!
//! `cargo run --release -p benches --example freelist_placement`

use benches::bbolt_array::BboltArray;
use benches::bbolt_hashmap::BboltHashmap;
use benches::free_pages::FreePages;
use benches::placement::{Fullness, Load, simulate};
use freelist_core::{SortedArray, SpanMaps};

const TRANSACTIONS: u32 = 100_000;
const SEEDS: u32 = 4;

fn row<P: FreePages>() -> (Fullness, Fullness) {
    let etcd = simulate::<P>(Load::EtcdLike, TRANSACTIONS, SEEDS);
    let uniform = simulate::<P>(Load::Uniform, TRANSACTIONS, SEEDS);
    println!("| {} | {:.3} | {:.3} |", P::NAME, etcd.ratio, uniform.ratio);
    (etcd, uniform)
}

fn main() {
    println!(
        "pages in the file / live pages over the second half of {TRANSACTIONS} transactions, mean of {SEEDS} runs\n"
    );
    println!("| free list | etcd-like | 1 to 16 pages |\n| --- | --- | --- |");
    let (etcd, uniform) = row::<SpanMaps>();
    row::<SortedArray>();
    row::<BboltArray>();
    row::<BboltHashmap>();
    println!("| no waste at all | {:.3} | {:.3} |", etcd.floor, uniform.floor);
}
