//! `kv surgery freelist`: forgets the stored list of free pages, or stores one.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use kv::surgery::NO_FREELIST;
use kv::{FileOptions, FreelistSync, Options};

use super::repair::Files;
use crate::failure::{Failure, Result};
use crate::terminal::Terminal;

/// Forget the stored list of free pages, or store one
#[derive(Debug, Args)]
pub(super) struct Freelist {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// Forget the list of free pages in both meta pages; the next program that opens the file finds them by a walk
    Abandon(Files),
    /// Find the free pages by a walk, and store the list; refused if there is a list, which `abandon` forgets
    Rebuild(Files),
}

impl Freelist {
    pub(super) fn file(&self) -> &Path {
        match &self.operation {
            Operation::Abandon(files) | Operation::Rebuild(files) => &files.file,
        }
    }

    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        match &self.operation {
            Operation::Abandon(files) => abandon(files, terminal),
            Operation::Rebuild(files) => rebuild(files, terminal),
        }
    }
}

fn abandon(files: &Files, terminal: &mut Terminal<'_>) -> Result<()> {
    let file = files.open(terminal)?;
    files.write(&file, &file.abandon_freelist()?, terminal)?;
    writeln!(terminal.out, "The freelist was abandoned in both meta pages.")?;
    writeln!(
        terminal.out,
        "Opening the file for writing next may take longer, because it scans the whole database for free pages."
    )?;
    Ok(())
}

fn rebuild(files: &Files, terminal: &mut Terminal<'_>) -> Result<()> {
    let file = files.open(terminal)?;
    if file.newest().is_some_and(|meta| meta.freelist_page != NO_FREELIST) {
        return Err(Failure::Problem(
            "there is a freelist already: `kv surgery freelist abandon` first, if it is wrong".into(),
        ));
    }
    let mut unfinished = files.copy(&file, &[], terminal.progress)?;
    let busy = terminal.progress.busy("finding free pages");
    // Closing the database stores the missing list.
    let options = Options::new().freelist_sync(FreelistSync::OnClose).create(false);
    let pages = unfinished.page_file(&FileOptions::default());
    let stored = pages.and_then(|pages| options.open_store(Box::new(pages))).and_then(kv::Db::close);
    busy.finish_and_clear();
    stored.map_err(|error| Failure::copying(&files.output, error))?;
    let len = unfinished.file().metadata().map_err(|error| Failure::not_made(&files.output, &error))?.len();
    unfinished.finish(&files.file, len)?;
    Ok(writeln!(terminal.out, "The freelist was successfully rebuilt.")?)
}
