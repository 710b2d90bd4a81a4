//! What one large transaction costs, commit included and not synced: many nested buckets, and the deletion of many keys one
//! by one, by their names and always of the first. Beside Go's bbolt, where Go is there.
//!
//! `cargo run --release -p benches --bin large_transactions -- --count 100000`
//!
//! Each line is measured in a process of its own. Its memory is the most that the process had, pages of the mapped file
//! included.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use benches::table::{Table, show};
use clap::Parser;
use kv::{Db, Options, WriteTx};
use kv_testkit::bbolt::Bbolt;

const WORKS: [(&str, &str); 3] = [
    ("buckets", "nested buckets with a pair each"),
    ("by-key", "deletions by key"),
    ("by-first", "deletions by `first` and `delete`"),
];

/// Measures large transactions.
#[derive(Parser)]
struct Arguments {
    /// How many buckets or keys, one table line for each number and work, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [100_000])]
    count: Vec<usize>,
    /// Do one work in this process, and print its seconds and its memory in bytes.
    #[arg(long, num_args = 2, value_names = ["FILE", "WORK"], hide = true)]
    child: Option<Vec<String>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some([file, work]) = arguments.child.as_deref() {
        let count = *arguments.count.first().ok_or("how many?")?;
        println!("{} {}", perform(Path::new(file), work, count)?.as_secs_f64(), most_memory()?);
        return Ok(());
    }
    let mut table = Table::new(&["one transaction", "kv", "bbolt", "kv, memory", "bbolt, memory"]);
    for &count in &arguments.count {
        for (work, title) in WORKS {
            let ours = measured(
                Command::new(std::env::current_exe()?).args(["--count", &count.to_string()]),
                "--child",
                work,
                None,
            )?;
            let go = Bbolt::Module.program().or_else(|| Bbolt::Debian.program());
            let theirs = go.map(|go| measured(&mut Command::new(go), "large", work, Some(count))).transpose()?;
            let times = [Some(ours), theirs].map(|one| one.map_or("-".into(), |(time, _)| show(time)));
            let memory = [Some(ours), theirs]
                .map(|one| one.map_or("-".into(), |(_, bytes)| format!("{} MB", bytes / 1_000_000)));
            table.row([vec![format!("{count} {title}")], times.to_vec(), memory.to_vec()].concat());
        }
    }
    print!("{table}");
    Ok(())
}

/// What a process says that does `work` in a new file: its time, and its memory in bytes.
fn measured(
    program: &mut Command,
    how: &str,
    work: &str,
    count: Option<usize>,
) -> Result<(Duration, u64), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let file: PathBuf = directory.path().join("large.db");
    program.arg(how).arg(file).arg(work).args(count.map(|count| count.to_string()));
    let output = program.output()?;
    let said = String::from_utf8(output.stdout)?;
    let (seconds, bytes) =
        said.trim().split_once(' ').ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((Duration::from_secs_f64(seconds.parse()?), bytes.parse()?))
}

fn key(number: usize) -> String {
    format!("{number:08}")
}

fn perform(file: &Path, work: &str, count: usize) -> kv::Result<Duration> {
    let db: Db = Options::new().no_sync(true).open(file)?;
    if work != "buckets" {
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            (0..count).try_for_each(|number| bucket.put(key(number), "value"))
        })?;
    }
    let began = Instant::now();
    db.update(|tx| change(tx, work, count))?;
    Ok(began.elapsed())
}

fn change(tx: &mut WriteTx<'_>, work: &str, count: usize) -> kv::Result<()> {
    let mut bucket = tx.create_bucket_if_absent("b")?;
    for number in 0..count {
        match work {
            "buckets" => bucket.create_bucket(key(number))?.put("key", "value")?,
            "by-first" => {
                let first = bucket.first()?.map(|(key, _)| key.to_vec()).unwrap_or_default();
                bucket.delete(first)?;
            }
            _ => _ = bucket.delete(key(number))?,
        }
    }
    Ok(())
}

/// The most memory that this process had, in bytes.
fn most_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("Linux tells it, others do not")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
