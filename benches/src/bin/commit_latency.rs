//! How long a commit of a single put takes while the file has many free pages, and how long opening that file takes.
//!
//! `cargo run --release -p benches --bin commit_latency -- --free 10000,1000000`
//!
//! The free pages are single pages, no two of them neighbours. Prints a Markdown table with a line for each kind of
//! freelist and each mode of writing it to the file. All lines use one file: a commit frees as many pages as it takes,
//! so the file stays as free as it was, and how free it is is counted for each line anew.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::fragmented::{Fragmentation, PAIRS, build, fragmentation};
use benches::store::{BUCKET, crash};
use benches::table::{Table, show};
use benches::workload::{Random, key, value};
use clap::Parser;
use kv::{Db, FreelistKind, FreelistSync, Options};

/// Measures commits of single puts, and opening, while many pages are free.
#[derive(Parser)]
struct Arguments {
    /// How many free pages, one file for each number, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    free: Vec<u64>,
    /// Bytes of a page. A file takes two pages for each free one.
    #[arg(long, default_value_t = 4096)]
    page_size: u32,
    /// Commits that are measured for each line, fewer if they take longer than 30 seconds.
    #[arg(long, default_value_t = 2000)]
    commits: usize,
    /// Measure commits that wait for the disk, too.
    #[arg(long)]
    durable: bool,
    /// Where the files are made, in a directory that is removed again.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
}

/// How the file is opened.
#[derive(Clone, Copy)]
struct Mode {
    kind: FreelistKind,
    sync: FreelistSync,
    durable: bool,
}

/// What was measured.
struct Figures {
    commits: Vec<Duration>,
    open: Duration,
    /// Opening the file when nobody had closed it, where that makes a difference.
    open_unlisted: Option<Duration>,
    found: Fragmentation,
}

/// Commits before measuring begins.
const WARM_UP: usize = 100;

/// No line takes longer, as far as the number of commits decides.
const LINE: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let dir = tempfile::TempDir::new_in(&arguments.dir)?;
    let mut table = Table::new(&[
        "free pages (single)",
        "freelist",
        "written",
        "commits",
        "p50",
        "p99",
        "max",
        "open",
        "open after a crash",
    ]);
    for &free in &arguments.free {
        let path = dir.path().join(format!("{free}.db"));
        eprintln!("building a file with {free} free pages ...");
        let built = build(&path, free, arguments.page_size)?;
        eprintln!("{} free pages, {} of them single", built.free, built.single);
        for durable in [false, true].into_iter().filter(|&durable| arguments.durable || !durable) {
            for kind in [FreelistKind::SpanMaps, FreelistKind::SortedArray] {
                for sync in [FreelistSync::OnClose, FreelistSync::Every] {
                    let mode = Mode { kind, sync, durable };
                    table.row(row(mode, &measure(&path, mode, arguments.commits)?));
                }
            }
        }
        std::fs::remove_file(&path)?;
    }
    print!("{table}");
    Ok(())
}

fn open(path: &Path, mode: Mode) -> kv::Result<(Db, Duration)> {
    let options = Options::new().freelist(mode.kind).freelist_sync(mode.sync).no_sync(!mode.durable);
    let begin = Instant::now();
    let db = options.open(path)?;
    Ok((db, begin.elapsed()))
}

fn measure(path: &Path, mode: Mode, commits: usize) -> kv::Result<Figures> {
    // Once for nothing: the file's pages may have left memory since the last line.
    open(path, mode)?.0.close()?;
    let (db, opened) = open(path, mode)?;
    let mut random = Random::new(commits as u64);
    let mut put = || {
        let number = random.below_u64(PAIRS);
        let begin = Instant::now();
        db.update(|tx| tx.bucket_mut(BUCKET)?.put(key(number), value(number))).map(|()| begin.elapsed())
    };
    for _ in 0..WARM_UP {
        put()?;
    }
    let begin = Instant::now();
    let mut times = Vec::with_capacity(commits);
    while times.len() < commits && begin.elapsed() < LINE {
        times.push(put()?);
    }
    times.sort_unstable();
    let found = fragmentation(&db)?;
    let open_unlisted = match mode.sync {
        FreelistSync::OnClose => Some(open_unlisted(path, mode, db)?),
        FreelistSync::Every => None,
    };
    Ok(Figures { commits: times, open: opened, open_unlisted, found })
}

/// Leaves the file as a crash does, without a list of its free pages, and times the next opening.
fn open_unlisted(path: &Path, mode: Mode, db: Db) -> kv::Result<Duration> {
    crash(db)?;
    let (db, opened) = open(path, mode)?;
    db.close().map(|()| opened)
}

fn row(mode: Mode, figures: &Figures) -> Vec<String> {
    let Fragmentation { free, single } = figures.found;
    let last = figures.commits.len().saturating_sub(1);
    let percentile =
        |percent: usize| figures.commits.get(last * percent / 100).map_or(String::new(), |time| show(*time));
    vec![
        format!("{free} ({single})"),
        format!("{:?}", mode.kind),
        format!("{:?}{}", mode.sync, if mode.durable { ", durable" } else { "" }),
        figures.commits.len().to_string(),
        percentile(50),
        percentile(99),
        percentile(100),
        show(figures.open),
        figures.open_unlisted.map_or("-".into(), show),
    ]
}
