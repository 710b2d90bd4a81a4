//! `kv bench`: measures writing and reading.

mod keys;
mod read;
mod workload;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use kv::{Db, Options};
use pagefile_std::FileOptions;

use crate::failure::{At, Failure, Result};
use crate::files::interrupt;
use crate::files::new_file::refuse_existing;
use crate::files::open;
use crate::terminal::Terminal;
use workload::{Measured, Workload};

/// Measure writing and reading in a database made for it
///
/// Each batch is one transaction. Reading goes on for at least a second. The file is deleted at the end, or on Ctrl-C,
/// unless --work is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv bench --count 100000 --batch-size 1000
  kv bench --write-mode rnd --read-mode rnd --count 1000000 --batch-size 10000 --no-sync
  kv bench --count 1000 --batch-size 1            one durable put a transaction")]
pub(crate) struct Bench {
    #[command(flatten)]
    workload: Workload,

    /// Never sync
    #[arg(long)]
    no_sync: bool,

    /// Keep the file, and print its path
    #[arg(long)]
    work: bool,

    /// The file to make, which must not exist [default: one in the directory for temporary files]
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,

    /// Print in the format of Go's benchmarks
    #[arg(long)]
    gobench_output: bool,

    /// Bytes of a page
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    page_size: u32,

    /// Bytes of address space to reserve for mapping the file; 0 for the library's choice
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    initial_mmap_size: u64,
}

impl Bench {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        self.workload.validate()?;
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
            terminal.note(format_args!("work: {}", path.display()));
        }
        self.measure(&db, terminal).map_err(|failure| match failure {
            Failure::Database { error, .. } => Failure::Database { path: Some(path.clone()), error },
            other => other,
        })?;
        db.close().at(&path)
    }

    fn measure(&self, db: &Db, terminal: &mut Terminal<'_>) -> Result<()> {
        terminal.note(format_args!("starting write benchmark."));
        let (written, mut keys) = write::run(&self.workload, db, terminal.progress)?;
        terminal.note(format_args!("starting read benchmark."));
        let read = read::run(&self.workload, db, &mut keys)?;
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

/// The file, deleted at the end unless it is to be kept.
struct Work<'p> {
    path: &'p Path,
    keep: bool,
}

impl<'p> Work<'p> {
    fn new(path: &'p Path, keep: bool) -> Self {
        if !keep {
            interrupt::begin(Some(path));
        }
        Self { path, keep }
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // If it could not be made, there is none.
            let _ = std::fs::remove_file(self.path);
            interrupt::forget();
        }
    }
}
