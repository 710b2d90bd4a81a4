//! What every repair has in common: it reads one file and writes another.

use std::path::{Path, PathBuf};

use clap::Args;
use kv::surgery::{Edit, RawFile};

use crate::arguments::raw_pages::RawOptions;
use crate::failure::{Failure, Result};
use crate::files::new_file::copy_permissions;
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
        self.copy(source, edits, &self.output, terminal.progress)?;
        copy_permissions(&self.file, &self.output).map_err(|error| Failure::not_made(&self.output, &error))
    }

    /// Writes the copy under the name `path`, which becomes the output later.
    pub(super) fn copy(&self, source: &RawFile, edits: &[Edit], path: &Path, progress: Progress) -> Result<()> {
        let bar = progress.bytes("copying", source.file_len());
        let written = source.write_copy(path, edits, |copied| bar.set_position(copied));
        bar.finish_and_clear();
        written.map_err(|error| Failure::copying(&self.output, error))
    }
}
