//! How long a commit of a single put takes while the file has many free pages, and how long opening that file takes.
//!
//! `cargo run --release -p benches --bin commit_latency -- --free 10000,1000000`
//!
//! The free pages are single pages, no two of them neighbours. Prints a Markdown table with a line for each kind of
//! freelist, each mode of writing it to the file and each size of the values. All lines use one file: a commit frees as many
//! pages as it takes, so the file stays as free as it was, and how free it is is counted for each line anew.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::fragmented::{Fragmentation, PAIRS, build, fragmentation};
use benches::store::{BUCKET, crash};
use benches::table::{Table, percentile, show};
use benches::workload::{Random, VALUE_BYTES, key};
use clap::Parser;
use kv::{Db, FreelistKind, FreelistSync, Options};

/// Measures commits of single puts, and opening, while many pages are free.
#[derive(Parser)]
struct Arguments {
    /// How many free pages, one file for each number, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    free: Vec<u64>,
    /// Bytes of a value, one line for each number, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [VALUE_BYTES])]
    value: Vec<usize>,
    /// Leave out the sorted array.
    #[arg(long)]
    maps_only: bool,
    /// Leave out writing the whole list with each commit.
    #[arg(long)]
    no_every: bool,
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
    value: usize,
    durable: bool,
}

/// What was measured.
struct Figures {
    commits: Vec<Duration>,
    open: Duration,
    /// Opening the file when nobody had closed it.
    open_unclosed: Duration,
    /// Bytes written by a commit, on average.
    bytes: u64,
    /// Pages of nodes and of the free space that 100 commits wrote, on average.
    pages_of_100: u64,
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
        "value",
        "commits",
        "p50",
        "p99",
        "max",
        "bytes a commit",
        "pages in 100",
        "open",
        "open after a crash",
    ]);
    for &free in &arguments.free {
        let path = dir.path().join(format!("{free}.db"));
        eprintln!("building a file with {free} free pages ...");
        let built = build(&path, free, arguments.page_size)?;
        eprintln!("{} free pages, {} of them single", built.free, built.single);
        for durable in [false, true].into_iter().filter(|&durable| arguments.durable || !durable) {
            for (kind, sync, &value) in arguments.lines() {
                let mode = Mode { kind, sync, value, durable };
                table.row(row(mode, &measure(&path, mode, arguments.commits)?));
            }
        }
        std::fs::remove_file(&path)?;
    }
    print!("{table}");
    Ok(())
}

impl Arguments {
    fn lines(&self) -> impl Iterator<Item = (FreelistKind, FreelistSync, &usize)> {
        let kinds = [FreelistKind::SpanMaps, FreelistKind::SortedArray];
        let syncs = [FreelistSync::Log, FreelistSync::OnClose, FreelistSync::Every];
        let kinds = kinds.into_iter().filter(|&kind| !self.maps_only || kind == FreelistKind::SpanMaps);
        let lines = kinds.flat_map(move |kind| syncs.map(|sync| (kind, sync)));
        let lines = lines.filter(|&(_, sync)| !self.no_every || sync != FreelistSync::Every);
        lines.flat_map(|(kind, sync)| self.value.iter().map(move |value| (kind, sync, value)))
    }
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
    let large = vec![0xA7; mode.value];
    // Large values have a few keys of their own, so that they replace each other.
    let put = |random: &mut Random| {
        let (number, bucket) = (random.below_u64(if mode.value == VALUE_BYTES { PAIRS } else { 64 }), bucket(mode));
        let begin = Instant::now();
        db.update(|tx| tx.bucket_mut(&bucket)?.put(key(number), &large)).map(|()| begin.elapsed())
    };
    if mode.value != VALUE_BYTES {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent(bucket(mode))?;
            (0..64).try_for_each(|number| bucket.put(key(number), &large))
        })?;
    }
    for _ in 0..WARM_UP {
        put(&mut random)?;
    }
    let before = db.stats().tx;
    let begin = Instant::now();
    let mut times = Vec::with_capacity(commits);
    while times.len() < commits && begin.elapsed() < LINE {
        times.push(put(&mut random)?);
    }
    let tx = db.stats().tx.since(&before);
    times.sort_unstable();
    let found = fragmentation(&db)?;
    if mode.value != VALUE_BYTES {
        db.update(|tx| tx.delete_bucket(bucket(mode)))?;
    }
    let open_unclosed = open_unclosed(path, mode, db)?;
    let commits = tx.commits.max(1);
    let (bytes, pages_of_100) = (tx.bytes / commits, 100 * tx.pages / commits);
    Ok(Figures { commits: times, open: opened, open_unclosed, bytes, pages_of_100, found })
}

/// Where the values of this size are.
fn bucket(mode: Mode) -> String {
    if mode.value == VALUE_BYTES { BUCKET.to_owned() } else { format!("values of {}", mode.value) }
}

/// Leaves the file as a crash does, and times the next opening.
fn open_unclosed(path: &Path, mode: Mode, db: Db) -> kv::Result<Duration> {
    crash(db)?;
    let (db, opened) = open(path, mode)?;
    db.close().map(|()| opened)
}

fn row(mode: Mode, figures: &Figures) -> Vec<String> {
    let Fragmentation { free, single } = figures.found;
    vec![
        format!("{free} ({single})"),
        format!("{:?}", mode.kind),
        format!("{:?}{}", mode.sync, if mode.durable { ", durable" } else { "" }),
        mode.value.to_string(),
        figures.commits.len().to_string(),
        percentile(&figures.commits, 50),
        percentile(&figures.commits, 99),
        percentile(&figures.commits, 100),
        figures.bytes.to_string(),
        figures.pages_of_100.to_string(),
        show(figures.open),
        show(figures.open_unclosed),
    ]
}
