//! `kv backup`: a copy of the database.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use kv::ReadTx;

use crate::failure::{Failure, Result};
use crate::files::new_file::Unfinished;
use crate::files::open;
use crate::terminal::Terminal;

/// Copy the database, free pages included, to a new file or to standard output
///
/// The copy is a consistent state and opens in bbolt and etcd as well. It gets its name when it is complete and durable;
/// Ctrl-C removes an unfinished copy.
/// A program that has the database open can make backups while it runs, with the library's `write_to`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv backup -o monday.db FILE
  kv backup -o - FILE | zstd > monday.db.zst")]
pub(crate) struct Backup {
    /// The database
    pub(crate) file: PathBuf,

    /// The new file, or `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let bar = terminal.progress.bytes("copying", tx.size());
        let copied =
            if self.output.as_os_str() == "-" { to_stdout(&tx, &bar, terminal) } else { self.to_file(&tx, &bar) };
        bar.finish_and_clear();
        copied
    }

    fn to_file(&self, tx: &ReadTx<'_>, bar: &ProgressBar) -> Result<()> {
        let mut unfinished = Unfinished::new(&self.output)?;
        let mut target = bar.wrap_write(io::BufWriter::new(unfinished.file()));
        let copied = tx.write_to(&mut target).map_err(|error| match error {
            kv::Error::Stream { source, .. } => Failure::not_made(&self.output, &source),
            error => error.into(),
        })?;
        target.flush().map_err(|error| Failure::not_made(&self.output, &error))?;
        drop(target);
        unfinished.finish(&self.file, copied)
    }
}

fn to_stdout(tx: &ReadTx<'_>, bar: &ProgressBar, terminal: &mut Terminal<'_>) -> Result<()> {
    match tx.write_to(&mut bar.wrap_write(&mut terminal.out)) {
        Ok(_) => Ok(()),
        Err(kv::Error::Stream { source, .. }) => Err(Failure::from(source)),
        Err(error) => Err(error.into()),
    }
}
