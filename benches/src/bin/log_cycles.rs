//! What durable commits by a redo log cost over whole cycles of the log, the checkpoints beside them included.
//!
//! `cargo run --release -p benches --bin log_cycles -- --log 4,64,256`
//!
//! One thread puts random pairs of a loaded file anew, so many in a transaction. Prints a Markdown table with a line for each size
//! of the log and of the transactions. The first and the last quarter of the commits are told apart: memory for changed pages
//! is new to the process at first, and is kept then. The bytes are those of all writes to the file, of a last checkpoint, too.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::store::BUCKET;
use benches::table::{Table, percentile};
use benches::workload::{Random, key, value};
use clap::Parser;
use kv::{Db, Durability, Options};

/// Measures durable commits by a redo log, checkpoints included.
#[derive(Parser)]
struct Arguments {
    /// Pairs in the file.
    #[arg(long, default_value_t = 1_000_000)]
    pairs: u64,
    /// MiB of the log, one line for each number, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [4, 64, 256])]
    log: Vec<u64>,
    /// MiB of memory for changed pages.
    #[arg(long, default_value_t = 512)]
    memory: usize,
    /// Puts in a transaction, one line for each number, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100])]
    puts: Vec<usize>,
    /// Seconds of commits for each line.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Where the file is made, in a directory that is removed again.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
}

/// What was measured of one line.
struct Figures {
    /// In the order of the commits.
    commits: Vec<Duration>,
    bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let dir = tempfile::TempDir::new_in(&arguments.dir)?;
    let titles =
        ["log", "puts", "commits", "p50", "p99", "max", "p50, first quarter", "p50, last quarter", "bytes a commit"];
    let mut table = Table::new(&titles);
    for &log in &arguments.log {
        for &puts in &arguments.puts {
            let path = dir.path().join(format!("{log}-{puts}.db"));
            load(&path, arguments.pairs)?;
            let options = Options::new().durability(Durability::Log).log_size(log << 20);
            let db = options.log_memory(arguments.memory << 20).open(&path)?;
            let figures = measure(&db, &arguments, puts)?;
            db.close()?;
            std::fs::remove_file(&path)?;
            table.row(row(log, puts, &figures));
        }
    }
    print!("{table}");
    Ok(())
}

fn load(path: &Path, pairs: u64) -> kv::Result<()> {
    let db = Options::new().open(path)?;
    let loaded: Vec<_> = (0..pairs).map(|number| (key(number), value(number))).collect();
    db.update(|tx| tx.create_bucket(BUCKET)?.put_many(&loaded))?;
    db.close()
}

fn measure(db: &Db, arguments: &Arguments, puts: usize) -> kv::Result<Figures> {
    let mut random = Random::new(arguments.pairs);
    let before = db.stats().tx;
    let (begin, limit) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut commits = Vec::new();
    while begin.elapsed() < limit {
        let numbers: Vec<u64> = (0..puts).map(|_| random.below_u64(arguments.pairs)).collect();
        let begin = Instant::now();
        db.update(|tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            numbers.iter().try_for_each(|&number| bucket.put(key(number), value(number ^ 1)))
        })?;
        commits.push(begin.elapsed());
    }
    db.checkpoint()?;
    let bytes = db.stats().tx.since(&before).bytes;
    Ok(Figures { bytes: bytes / commits.len().max(1) as u64, commits })
}

fn row(log: u64, puts: usize, figures: &Figures) -> Vec<String> {
    let quarter = figures.commits.len() / 4;
    let sorted = |commits: Option<&[Duration]>| {
        let mut commits = commits.unwrap_or_default().to_vec();
        commits.sort_unstable();
        commits
    };
    let all = sorted(Some(&figures.commits));
    vec![
        format!("{log} MiB"),
        puts.to_string(),
        all.len().to_string(),
        percentile(&all, 50),
        percentile(&all, 99),
        percentile(&all, 100),
        percentile(&sorted(figures.commits.get(..quarter)), 50),
        percentile(&sorted(figures.commits.get(quarter * 3..)), 50),
        figures.bytes.to_string(),
    ]
}
