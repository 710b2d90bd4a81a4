//! Commits beside a file that becomes shorter: how long they take, and how short it gets.
//!
//! ```sh
//! cargo run --release -p benches --example shrink -- /path/on/a/disk          # a file of 4 GiB of which 3 are free
//! cargo run --release -p benches --example shrink -- /path/on/a/disk 1 16     # 1 GiB, 16 pages with each commit
//! ```
//!
//! It makes a file in the directory, deletes three quarters of it, and then puts a key a thousand times a second, synced:
//! first for ten seconds with [`Options::shrink`] off, then with it on until the file is short, then off again.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use kv::{Db, Options, Result};

const GIB: u64 = 1 << 30;

/// Four pairs fill a page of 4 KiB.
const VALUE: usize = 960;
const PAIRS_PER_PAGE: u64 = 4;

/// Of so many neighbouring leaves one stays.
const LEAVES: u64 = 4;

const TICK: Duration = Duration::from_millis(1);

fn key(number: u64) -> String {
    format!("{number:012}")
}

/// A file of so many bytes, of which a quarter is in use, one leaf here and one there.
fn make(path: &Path, bytes: u64) -> Result<u64> {
    let pairs = bytes / 4096 * PAIRS_PER_PAGE;
    let db = Options::new().no_sync(true).open(path)?;
    for first in (0..pairs).step_by(100_000) {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            (first..pairs.min(first + 100_000)).try_for_each(|n| bucket.put(key(n), [7; VALUE]))
        })?;
    }
    let kept = PAIRS_PER_PAGE;
    let group = kept * LEAVES;
    for first in (0..pairs).step_by(usize::try_from(group * 10_000).unwrap_or(usize::MAX)) {
        db.update(|tx| {
            let mut bucket = tx.bucket_mut("b")?;
            for at in (first..pairs.min(first + group * 10_000)).step_by(usize::try_from(group).unwrap_or(1)) {
                bucket.delete_range(key(at + kept)..key(at + group))?;
            }
            Ok::<_, kv::Error>(())
        })?;
    }
    db.sync()?;
    db.close()?;
    Ok(pairs / group)
}

/// What commits took: by the clock, and of the processor. The latter tells something on a busy machine too.
#[derive(Default)]
struct Times {
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

impl Times {
    /// Puts a key each millisecond until `done`.
    fn of_commits(db: &Db, groups: u64, mut done: impl FnMut(Duration) -> bool) -> Result<Self> {
        let mut times = Self::default();
        let began = Instant::now();
        let mut next = began;
        let mut number = 0x9e37_79b9_7f4a_7c15_u64;
        while !done(began.elapsed()) {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (number >> 20) % groups * PAIRS_PER_PAGE * LEAVES;
            let (started, cpu) = (Instant::now(), ThreadTime::now());
            db.update(|tx| tx.bucket_mut("b")?.put(key(at), [8; VALUE]))?;
            times.cpu.push(cpu.elapsed());
            times.wall.push(started.elapsed());
            next = (next + TICK).max(Instant::now());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        times.wall.sort_unstable();
        times.cpu.sort_unstable();
        Ok(times)
    }

    fn print(&self, what: &str, db: &Db) {
        println!("{what}: {} commits, the file has {} MiB", self.wall.len(), db.file_len() >> 20);
        for (kind, sorted) in [("wall", &self.wall), ("cpu", &self.cpu)] {
            let at = |thousandth: usize| sorted.get(sorted.len() * thousandth / 1000).copied().unwrap_or_default();
            let max = sorted.last().copied().unwrap_or_default();
            let (p50, p99, p999) = (at(500), at(990), at(999));
            println!("  {kind:4}  p50 {p50:9.1?}  p99 {p99:9.1?}  p99.9 {p999:9.1?}  max {max:9.1?}");
        }
        std::io::stdout().flush().unwrap_or_default();
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| ".".into());
    let gib = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(4);
    let pages = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(16);
    let path = Path::new(&directory).join("shrink-example.db");
    let groups = make(&path, gib * GIB)?;
    let goal = gib * GIB / LEAVES * 11 / 10;

    let off = || Options::new().open(&path);
    let for_a_while = |took: Duration| took > Duration::from_secs(10);
    let db = off()?;
    Times::of_commits(&db, groups, for_a_while)?.print("off", &db);
    db.close()?;

    let db = Options::new().shrink(pages).open(&path)?;
    let began = Instant::now();
    let short = |took: Duration| db.file_len() <= goal || took > Duration::from_secs(600);
    Times::of_commits(&db, groups, short)?.print("shrinking", &db);
    println!("short after {:.1?}, goal {} MiB", began.elapsed(), goal >> 20);
    db.close()?;

    let db = off()?;
    Times::of_commits(&db, groups, for_a_while)?.print("off again", &db);
    assert_eq!(db.begin_read().check()?, []);
    drop(db);
    std::fs::remove_file(&path).unwrap_or_default();
    Ok(())
}
