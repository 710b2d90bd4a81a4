//! `kv bench`: writes and reads, measured.

mod keys;
mod read;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use kv::{Db, Options};
use pagefile_std::FileOptions;

use crate::failure::{At, Failure, Result};
use crate::files::interrupt;
use crate::files::new_file::refuse_existing;
use crate::files::open;
use crate::terminal::Terminal;

/// The bucket that everything happens in.
const BUCKET: &str = "bench";

/// Measure writing and reading in a database made for it
///
/// Each batch is a transaction. Reading goes on for a second at least. The file is deleted at the end, or on Ctrl-C,
/// unless --work is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv bench --count 100000 --batch-size 1000
  kv bench --write-mode rnd --read-mode rnd --count 1000000 --batch-size 10000 --no-sync
  kv bench --count 1000 --batch-size 1            one durable put a transaction")]
pub(crate) struct Bench {
    /// Keys in order, random, in order in nested buckets, random there, or in order with a tenth deleted again
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    write_mode: WriteMode,

    /// All in key order, or each key at random
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    read_mode: ReadMode,

    /// How many keys to write
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,

    /// Keys in a transaction, a divisor of the count; 0 for all
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    batch_size: u64,

    /// Bytes of a key, at least 4
    #[arg(long, default_value_t = 8, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(4..=32768))]
    key_size: u16,

    /// Bytes of a value
    #[arg(long, default_value_t = 32, value_name = "BYTES")]
    value_size: u32,

    /// How full to leave pages that are split, 0.1 to 1.0; as the keys come, if not given
    #[arg(long, value_name = "SHARE", value_parser = share)]
    fill_percent: Option<f64>,

    /// Never sync
    #[arg(long)]
    no_sync: bool,

    /// Keep the file, and say where it is
    #[arg(long)]
    work: bool,

    /// The file, which must not exist; one in the directory for temporary files if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,

    /// Print as Go's benchmarks do, for tools that read that
    #[arg(long)]
    gobench_output: bool,

    /// Bytes of a page
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    page_size: u32,

    /// Bytes of address space for the file's map; the library's choice if 0
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    initial_mmap_size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum WriteMode {
    #[default]
    Seq,
    Rnd,
    SeqNest,
    RndNest,
    SeqDel,
}

impl WriteMode {
    const fn nests(self) -> bool {
        matches!(self, Self::SeqNest | Self::RndNest)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum ReadMode {
    #[default]
    Seq,
    Rnd,
}

/// What was done, and how long it took.
#[derive(Clone, Copy, Debug)]
struct Measured {
    operations: u64,
    elapsed: Duration,
}

impl Bench {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let batch = if self.batch_size == 0 { self.count } else { self.batch_size };
        if !self.count.is_multiple_of(batch) {
            return Err(Failure::Usage("--batch-size must divide --count".into()));
        }
        let path = self
            .path
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("kv-bench-{}.db", std::process::id())));
        refuse_existing(&path)?;
        let _file = Work::new(&path, self.work);
        let options = Options::new().page_size(self.page_size).no_sync(self.no_sync);
        let reserve = (self.initial_mmap_size > 0).then_some(self.initial_mmap_size);
        let file_options = FileOptions { no_grow_sync: self.no_sync, reserve, ..FileOptions::default() };
        let db = open::in_place(&path, &options, &file_options).at(&path)?;
        if self.work {
            eprint(format_args!("work: {}", path.display()));
        }
        self.measure(&db, batch, terminal).map_err(|failure| match failure {
            Failure::Database { error, .. } => Failure::Database { path: Some(path.clone()), error },
            other => other,
        })?;
        db.close().at(&path)
    }

    fn measure(&self, db: &Db, batch: u64, terminal: &mut Terminal) -> Result<()> {
        eprint(format_args!("starting write benchmark."));
        let (written, mut keys) = write::run(self, db, batch)?;
        eprint(format_args!("starting read benchmark."));
        let read = read::run(self, db, &mut keys)?;
        for (name, measured) in [("Write", written), ("Read", read)] {
            if self.gobench_output {
                let per_operation = measured.elapsed.as_nanos() / u128::from(measured.operations.max(1));
                let name = format!("Benchmark{name}");
                writeln!(terminal.out, "{name:<14}\t{:>8}\t{per_operation:>10} ns/op", measured.operations)?;
            } else {
                print(name, measured, &mut terminal.out)?;
            }
        }
        Ok(writeln!(terminal.out)?)
    }
}

fn print(name: &str, measured: Measured, out: &mut impl Write) -> Result<()> {
    let Measured { operations, elapsed } = measured;
    let count = u128::from(operations.max(1));
    let nanos = elapsed.as_nanos().max(1);
    let each = Duration::from_nanos(u64::try_from(nanos / count).unwrap_or(u64::MAX));
    let rate = u128::from(operations) * 1_000_000_000 / nanos;
    Ok(writeln!(out, "# {name}\t{operations}(ops)\t{elapsed:?}\t({each:?}/op)\t({rate} op/sec)")?)
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.1..=1.0).contains(share))
        .ok_or_else(|| "not a share from 0.1 to 1.0".to_owned())
}

/// Standard error may be closed; then nobody wants to know.
fn eprint(line: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_fmt(format_args!("{line}\n"));
}

/// The file, deleted at the end if nobody wants it.
struct Work<'p> {
    path: &'p Path,
    keep: bool,
}

impl<'p> Work<'p> {
    fn new(path: &'p Path, keep: bool) -> Self {
        if !keep {
            interrupt::remove(path);
        }
        Self { path, keep }
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // There may be none, if it could not be made.
            let _ = std::fs::remove_file(self.path);
            interrupt::forget();
        }
    }
}
