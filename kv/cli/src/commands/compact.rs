//! `kv compact`: a dense copy.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::surgery::RawFile;
use kv::{CompactReport, Error, FreelistSync, Options};
use pagefile_std::FileOptions;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::files::new_file::Unfinished;
use crate::files::open;
use crate::terminal::Terminal;

/// Write a dense copy of the database to a new file
///
/// Copies everything in key order, so that pages are well filled and almost none is free. The source is only read. The
/// copy is synced once, and gets its name when it is complete and durable; Ctrl-C removes an unfinished copy.
///
/// A damaged file is not copied, unless with --salvage.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kv compact -o small.db big.db && kv check small.db && mv small.db big.db
  kv compact --salvage -o rescued.db damaged.db    everything that can be read")]
pub(crate) struct Compact {
    /// The database
    pub(crate) file: PathBuf,

    /// The new file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Bytes of keys and values in one transaction: limits the memory used; 0 for all in one
    #[arg(long, value_name = "BYTES", default_value_t = 65536)]
    tx_max_size: u64,

    /// Do not sync the copy: a power cut soon after may leave it damaged
    #[arg(long)]
    no_sync: bool,

    /// Of a damaged file, copy everything that can be read, and print on standard error what is left out; exit code 1
    #[arg(long)]
    salvage: bool,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    buckets: u64,
    keys: u64,
    transactions: u64,
    bytes_before: u64,
    bytes_after: u64,
}

impl Compact {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.output.as_os_str() == "-" {
            let remedy = "a compacted copy cannot be written to a pipe: name a file, ./- if it is to be called -";
            return Err(Failure::Usage(remedy.into()));
        }
        let (source, bar) = open::to_walk(&self.file, "compacting pages", terminal)?;
        let mut unfinished = Unfinished::new(&self.output)?;
        unfinished.sync = !self.no_sync;
        let failed = |error| Failure::copying(&self.output, error);
        // Until it is synced as a whole, the copy has no name.
        // With a list of free pages, which bbolt reads, too.
        let options = Options::new().freelist_sync(FreelistSync::OnClose).no_sync(true);
        let options = options.page_size(source.page_size().clamp(1024, 65536));
        let file_options = FileOptions { no_grow_sync: true, ..FileOptions::default() };
        let opened = unfinished.page_file(&file_options).and_then(|pages| options.open_store(Box::new(pages)));
        let target = opened.map_err(failed)?;
        let mut sound = true;
        let copied = if self.salvage {
            kv::salvage(&source, &target, self.tx_max_size, |damage| {
                sound = false;
                bar.suspend(|| terminal.note(format_args!("kv: {}: {damage}", self.file.display())));
            })
            .map_err(failed)
        } else {
            kv::compact(&source, &target, self.tx_max_size).map_err(|error| match error {
                Error::Corrupt { .. } => Failure::salvageable(error),
                error => failed(error),
            })
        };
        bar.finish_and_clear();
        let copied = copied?;
        target.close().map_err(failed)?;
        // The file has grown ahead of its pages, which a copy does not need.
        let copy = unfinished.page_file(&file_options).and_then(|pages| RawFile::new(pages, None)).map_err(failed)?;
        let meta = copy.newest().ok_or_else(|| Failure::Refused("the copy has no valid meta page".into()))?;
        let len = meta.high_water * u64::from(meta.page_size);
        drop(copy);
        unfinished.finish(&self.file, len)?;
        let printed = self.print(&copied, source.file_len(), len, terminal);
        terminal.verdict(sound, printed)
    }

    fn print(&self, copied: &CompactReport, before: u64, len: u64, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.json {
            let CompactReport { buckets, keys, transactions, .. } = *copied;
            return terminal.json(&Figures { buckets, keys, transactions, bytes_before: before, bytes_after: len });
        }
        // Sizes are far below 2^52 bytes.
        #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
        let gain = before as f64 / len as f64;
        Ok(writeln!(terminal.out, "{before} -> {len} bytes (gain={gain:.2}x)")?)
    }
}
