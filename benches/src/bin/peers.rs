//! Compares kv with LMDB and redb: the same work, in turn, in one run.
//!
//! `cargo run --release -p benches --features peers --bin peers -- --pairs 1000000`
//!
//! Prints a Markdown table: LMDB's time for an operation, and how many times as fast as LMDB the others are (more is
//! better), by processor time and by time on the wall. Processor time is the steadier figure on a machine that others
//! use too.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use benches::peers::{Contest, Kind, Result, Standing, WORKS};
use benches::table::{Table, show};
use clap::Parser;

/// Compares kv with LMDB and redb on the same work.
#[derive(Parser)]
struct Arguments {
    /// Pairs in the stores.
    #[arg(long, default_value_t = 1_000_000)]
    pairs: u64,
    /// Only these works, separated by commas: load, get, begin-get-end, scan-10, scan-1000, put-durable,
    /// put-100-durable, put.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How many times each work is measured; the table shows medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the stores are made, in directories that are removed again: a disk, unless memory is to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(unknown) = arguments.only.iter().find(|name| WORKS.iter().all(|work| work.name != name.as_str())) {
        return Err(format!("no work is called {unknown:?}; see --help").into());
    }
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut contest = Contest::new(&arguments.dir, arguments.pairs.max(1), arguments.rounds)?;
    let mut table =
        Table::new(&["work", "LMDB cpu", "LMDB wall", "kv cpu", "(least to most)", "kv wall", "redb cpu", "redb wall"]);
    for work in &WORKS {
        if wanted(work.name) {
            eprintln!("{} ...", work.title);
            let [lmdb, kv, redb] = contest.hold(work)?[..] else { unreachable!("three engines take part") };
            table.row(row(work.title, &lmdb, &kv, &redb));
        } else if matches!(work.kind, Kind::Load(_)) {
            contest.load(work)?;
        }
    }
    println!("{} pairs, {} rounds; kv and redb as ratios to LMDB, more is better\n", arguments.pairs, arguments.rounds);
    print!("{table}");
    Ok(())
}

fn row(title: &str, lmdb: &Standing, kv: &Standing, redb: &Standing) -> Vec<String> {
    let (least, most) = kv.cpu_ratios;
    vec![
        title.to_string(),
        show(lmdb.cpu),
        show(lmdb.wall),
        format!("{:.2}", kv.cpu_ratio),
        format!("{least:.2} to {most:.2}"),
        format!("{:.2}", kv.wall_ratio),
        format!("{:.2}", redb.cpu_ratio),
        format!("{:.2}", redb.wall_ratio),
    ]
}
