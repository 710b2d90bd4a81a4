//! What every repair has in common: it reads one file and writes another.

use std::path::PathBuf;

use clap::Args;
use kv::surgery::{Edit, RawFile};

use crate::arguments::raw_pages::RawOptions;
use crate::failure::{Failure, Result};
use crate::files::new_file::Unfinished;
use crate::terminal::{Progress, Terminal};

/// The file that a repair reads, and the one that it writes.
#[derive(Debug, Args)]
pub(super) struct Files {
    /// The database, which is only read
    pub(super) file: PathBuf,

    /// The new file
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,

    #[command(flatten)]
    raw: RawOptions,
}

impl Files {
    pub(super) fn open(&self, terminal: &Terminal<'_>) -> Result<RawFile> {
        self.raw.open(&self.file, terminal)
    }

    /// Writes the copy with its repairs.
    pub(super) fn write(&self, source: &RawFile, edits: &[Edit], terminal: &Terminal<'_>) -> Result<()> {
        self.copy(source, edits, terminal.progress)?.finish(&self.file, source.file_len())
    }

    /// Writes the copy, which does not become the output yet.
    pub(super) fn copy(&self, source: &RawFile, edits: &[Edit], progress: Progress) -> Result<Unfinished<'_>> {
        let mut unfinished = Unfinished::new(&self.output)?;
        let bar = progress.bytes("copying", source.file_len());
        let written = source.write_to(unfinished.file(), edits, |copied| bar.set_position(copied));
        bar.finish_and_clear();
        written.map_err(|error| Failure::copying(&self.output, error))?;
        Ok(unfinished)
    }
}
