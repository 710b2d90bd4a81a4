//! Compares kv with other engines: the same work, in turn, in one run.
//!
//! `cargo peers --pairs 1000000 --rounds 5`
//!
//! Each figure is kept in `benches/results` as soon as it is measured; a run that was interrupted goes on where it was.
//! At the end it writes a page of tables and pictures there, and prints the rows of README's table.
#![forbid(unsafe_code)]

use std::io::{stdin, stdout};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use peers::contest::{Contest, Extent, Programs};
use peers::engines::{PEERS, Peer};
use peers::journal::Journal;
use peers::report::{Report, draw, page, readme_rows};
use peers::server::serve;
use peers::work::WORKS;
use peers::{Durability, Result, flatness};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Compares kv with other engines on the same work.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Pairs in the stores.
    #[arg(long, default_value_t = 1_000_000)]
    pairs: u64,
    /// How many times each work is measured; tables show medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these works, separated by commas; `flatness` is one.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these engines, separated by commas. The others are compared with the first.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<String>,
    /// Free pages of the files for `flatness`, separated by commas. A file takes two pages for each free one.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    free: Vec<u64>,
    /// Commits that are measured for each line of `flatness`, fewer if they take longer than 30 seconds.
    #[arg(long, default_value_t = 1000)]
    commits: usize,
    /// Where the stores are made, in directories that are removed again: a disk, unless memory is to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Where figures, tables and pictures go.
    #[arg(long, default_value_os_t = Path::new(CRATE).join("../results"))]
    results: PathBuf,
    /// Forget the figures of earlier runs.
    #[arg(long)]
    anew: bool,
    #[command(subcommand)]
    serve: Option<Serve>,
}

#[derive(Subcommand)]
enum Serve {
    /// The process of an engine: does tasks that come by standard input.
    #[command(hide = true)]
    Serve { engine: String, dir: PathBuf, durability: String },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.serve {
        Some(Serve::Serve { engine, dir, durability }) => {
            let open = Peer::named(engine).and_then(|peer| peer.open).ok_or("no such engine")?;
            let durability = Durability::named(durability).ok_or("no such durability")?;
            serve(|| open(dir, durability), stdin().lock(), stdout().lock())
        }
        None => compare(&arguments),
    }
}

fn compare(arguments: &Arguments) -> Result<()> {
    let works: Vec<&str> = WORKS.iter().map(|work| work.name).chain([flatness::NAME]).collect();
    let works = chosen("work", &works, &arguments.only, |name| name)?;
    let mut peers: Vec<&Peer> =
        chosen("engine", &PEERS.iter().collect::<Vec<_>>(), &arguments.engines, |peer| peer.name)?;
    let here = std::env::current_exe()?;
    let programs = Programs { go: here.with_file_name("peers-go"), here };
    if peers.iter().any(|peer| peer.open.is_none())
        && let Err(why) = programs.build_go()
    {
        eprintln!("bbolt and Pebble are left out: {why}");
        peers.retain(|peer| peer.open.is_some());
    }
    std::fs::create_dir_all(&arguments.results)?;
    let file = arguments.results.join("figures.jsonl");
    if arguments.anew && file.exists() {
        std::fs::remove_file(&file)?;
    }
    let mut journal = Journal::open(&file)?;
    let progress = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {pos}/{len}, {eta} left: {msg}")?);
    progress.enable_steady_tick(std::time::Duration::from_secs(1));
    let free: &[u64] = if works.contains(&flatness::NAME) { &arguments.free } else { &[] };
    let flat = free.iter().flat_map(|&free| peers.iter().map(move |&peer| (free, peer)));
    let flat: Vec<_> = flat.filter(|(_, peer)| peer.does(flatness::NAME)).collect();
    let extent = Extent { pairs: arguments.pairs.max(5), rounds: arguments.rounds.max(1) };
    let mut contest = Contest::new(&arguments.dir, extent, &peers, programs.clone(), &mut journal, progress.clone())?;
    let works: Vec<_> = WORKS.iter().filter(|work| works.contains(&work.name)).collect();
    let turns: usize = works.iter().map(|work| contest.missing(work)).sum();
    progress.set_length((turns + flat.len()) as u64);
    works.into_iter().try_for_each(|work| contest.hold(work))?;
    drop(contest);
    for (free, peer) in flat {
        flatness::measure(peer, (free, arguments.commits), &arguments.dir, &programs, &mut journal, &progress)?;
    }
    progress.finish_and_clear();
    let report = Report { journal: &journal, peers, pairs: extent.pairs, rounds: extent.rounds, free: free.to_vec() };
    std::fs::write(arguments.results.join("peers.md"), page(&report, &arguments.dir))?;
    draw(&report, &arguments.results)?;
    println!("{}\n{}", arguments.results.join("peers.md").display(), readme_rows(&report));
    Ok(())
}

/// Those of `all` that were named; all if none was.
fn chosen<T: Copy>(what: &str, all: &[T], named: &[String], name: impl Fn(T) -> &'static str) -> Result<Vec<T>> {
    let known: Vec<&str> = all.iter().map(|&one| name(one)).collect();
    if let Some(unknown) = named.iter().find(|unknown| !known.contains(&unknown.as_str())) {
        return Err(format!("no {what} is called {unknown:?}, but: {}", known.join(", ")).into());
    }
    let wanted = |one: &T| named.is_empty() || named.iter().any(|wanted| wanted == name(*one));
    Ok(all.iter().copied().filter(wanted).collect())
}
