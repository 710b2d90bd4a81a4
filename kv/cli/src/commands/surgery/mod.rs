//! `kv surgery`: repairs by hand, into a copy.

mod freelist;
mod meta;
mod pages;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kv::surgery::{Edit, RawFile};

use crate::failure::{Failure, Result};
use crate::files::new_file::{copy_permissions, not_made};
use crate::files::open::RawOptions;
use crate::terminal::Terminal;
use crate::terminal::progress;

/// Repair a damaged database by hand, in a copy
///
/// Every command that changes something writes a new file, --output, and never touches its source. Interrupted, it may
/// leave a file .pagefile-*.new beside the output, which may be deleted.
#[derive(Debug, Args)]
#[command(after_help = "\
A way to proceed:
  kv check FILE                             what is wrong, and in which pages
  kv surgery meta validate FILE             are both meta pages valid?
  kv surgery revert-meta-page --output A FILE && kv check A
                                            is the state before the last transaction sound?
  kv page FILE N                            what is in a damaged page
  kv surgery clear-page --pageId N --output B FILE
  kv surgery freelist abandon --output C B  let the free pages be found again
  kv compact -o RESCUED C                   what can be read, in a file that is sound
  kv check RESCUED")]
pub(crate) struct Surgery {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    RevertMetaPage(meta::Revert),
    CopyPage(pages::CopyPage),
    ClearPage(pages::ClearPage),
    ClearPageElements(pages::ClearPageElements),
    Freelist(freelist::Freelist),
    Meta(meta::Meta),
}

/// What every repair reads and writes.
#[derive(Debug, Args)]
struct Files {
    /// The database, which is only read
    file: PathBuf,

    /// The new file
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    raw: RawOptions,
}

impl Files {
    fn open(&self, terminal: &Terminal) -> Result<RawFile> {
        self.raw.open(&self.file, terminal)
    }

    /// Writes the copy with its repairs.
    fn write(&self, source: &RawFile, edits: &[Edit]) -> Result<()> {
        self.copy(source, edits, &self.output)?;
        copy_permissions(&self.file, &self.output).map_err(|error| not_made(&self.output, &error))
    }

    /// The same under the name `path`, which becomes the output later.
    fn copy(&self, source: &RawFile, edits: &[Edit], path: &Path) -> Result<()> {
        let bar = progress::bytes("copying", source.file_len());
        let written = source.write_copy(path, edits, |copied| bar.set_position(copied));
        bar.finish_and_clear();
        written.map_err(|error| Failure::copying(&self.output, error))
    }
}

impl Surgery {
    pub(crate) fn file(&self) -> &Path {
        match &self.operation {
            Operation::RevertMetaPage(operation) => &operation.files.file,
            Operation::CopyPage(operation) => &operation.files.file,
            Operation::ClearPage(operation) => &operation.files.file,
            Operation::ClearPageElements(operation) => &operation.files.file,
            Operation::Freelist(operation) => operation.file(),
            Operation::Meta(operation) => operation.file(),
        }
    }

    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        match &self.operation {
            Operation::RevertMetaPage(operation) => operation.run(terminal),
            Operation::CopyPage(operation) => operation.run(terminal),
            Operation::ClearPage(operation) => operation.run(terminal),
            Operation::ClearPageElements(operation) => operation.run(terminal),
            Operation::Freelist(operation) => operation.run(terminal),
            Operation::Meta(operation) => operation.run(terminal),
        }
    }
}
