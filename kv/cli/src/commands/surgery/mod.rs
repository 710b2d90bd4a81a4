//! `kv surgery`: repairs by hand, in a copy.

mod freelist;
mod log;
mod meta;
mod pages;
mod repair;

use std::path::Path;

use clap::{Args, Subcommand};

use crate::failure::Result;
use crate::terminal::Terminal;

/// Repair a damaged database by hand, in a copy
///
/// Every repair writes a new file, --output, and never changes its source. An interrupt leaves no unfinished file.
#[derive(Debug, Args)]
#[command(after_help = "\
How to proceed:
  kv check FILE                             what is wrong, and in which pages
  kv surgery meta validate FILE             are both meta pages valid?
  kv surgery revert-meta-page --output A FILE && kv check A
                                            is the previous state sound?
  kv surgery abandon-log --output A FILE    where the redo log is damaged: is the last checkpoint sound?
  kv page FILE N                            what is in a damaged page
  kv surgery clear-page --pageId N --output B FILE
  kv surgery freelist abandon --output C B  have the free pages found again
  kv compact -o RESCUED C                   copy the readable rest into a sound file
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
    AbandonLog(log::AbandonLog),
    Meta(meta::Meta),
}

impl Surgery {
    pub(crate) fn file(&self) -> &Path {
        match &self.operation {
            Operation::RevertMetaPage(operation) => &operation.files.file,
            Operation::CopyPage(operation) => &operation.files.file,
            Operation::ClearPage(operation) => &operation.files.file,
            Operation::ClearPageElements(operation) => &operation.files.file,
            Operation::Freelist(operation) => operation.file(),
            Operation::AbandonLog(operation) => &operation.files.file,
            Operation::Meta(operation) => operation.file(),
        }
    }

    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        match &self.operation {
            Operation::RevertMetaPage(operation) => operation.run(terminal),
            Operation::CopyPage(operation) => operation.run(terminal),
            Operation::ClearPage(operation) => operation.run(terminal),
            Operation::ClearPageElements(operation) => operation.run(terminal),
            Operation::Freelist(operation) => operation.run(terminal),
            Operation::AbandonLog(operation) => operation.run(terminal),
            Operation::Meta(operation) => operation.run(terminal),
        }
    }
}
