//! `kv surgery copy-page`, `clear-page` and `clear-page-elements`.

use std::io::Write;

use clap::Args;
use kv::surgery::{Cleared, NO_FREELIST, RawFile};

use super::Files;
use crate::failure::{Failure, Result};
use crate::files::open::page_id;
use crate::terminal::Terminal;

/// Copy a page, and its overflow pages, over another
///
/// For putting an older version of a page, found with `kv page`, in place of a damaged one.
#[derive(Debug, Args)]
pub(super) struct CopyPage {
    #[command(flatten)]
    pub(super) files: Files,

    /// The page to copy
    #[arg(long, value_name = "PAGE")]
    from_page: u64,

    /// The page that is replaced
    #[arg(long, value_name = "PAGE")]
    to_page: u64,
}

/// Drop all elements of a branch or leaf page
///
/// The page becomes an empty leaf; neither its header nor its elements need to be readable.
#[derive(Debug, Args)]
pub(super) struct ClearPage {
    #[command(flatten)]
    pub(super) files: Files,

    /// The page
    #[arg(long = "pageId", alias = "page-id", value_name = "PAGE")]
    page: u64,
}

/// Drop a range of elements of a branch or leaf page
#[derive(Debug, Args)]
pub(super) struct ClearPageElements {
    #[command(flatten)]
    pub(super) files: Files,

    /// The page
    #[arg(long = "pageId", alias = "page-id", value_name = "PAGE")]
    page: u64,

    /// The first element to drop, from 0
    #[arg(long, value_name = "INDEX")]
    from_index: usize,

    /// The first element after it that stays; -1 for none
    #[arg(long, value_name = "INDEX", allow_hyphen_values = true, value_parser = clap::value_parser!(i64).range(-1..))]
    to_index: i64,
}

impl CopyPage {
    pub(super) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let (from, to) = (self.from_page, self.to_page);
        if from == to {
            return Err(Failure::Usage(format!("--from-page and --to-page are both {from}")));
        }
        let file = self.files.open(terminal)?;
        let edit = file.copy_page(page_id(&file, from)?, page_id(&file, to)?)?;
        self.files.write(&file, &[edit])?;
        if has_freelist(&file) {
            writeln!(terminal.out, "WARNING: the free list might have changed.")?;
            consider_abandon(&mut terminal.out)?;
        }
        Ok(writeln!(terminal.out, "The page {from} was successfully copied to page {to}")?)
    }
}

impl ClearPage {
    pub(super) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        clear(&self.files, self.page, 0, None, terminal)?;
        Ok(writeln!(terminal.out, "The page ({}) was cleared", self.page)?)
    }
}

impl ClearPageElements {
    pub(super) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let (from, to) = (self.from_index, self.to_index);
        clear(&self.files, self.page, from, usize::try_from(to).ok(), terminal)?;
        Ok(writeln!(terminal.out, "All elements in [{from}, {to}) in page {} were cleared", self.page)?)
    }
}

fn clear(files: &Files, page: u64, from: usize, to: Option<usize>, terminal: &mut Terminal) -> Result<()> {
    if page < 2 {
        return Err(Failure::Usage(format!("the pageId must be at least 2, but got {page}")));
    }
    let file = files.open(terminal)?;
    let Cleared { edit, leaves_orphans, .. } = file.clear_elements(page_id(&file, page)?, from, to)?;
    files.write(&file, &[edit])?;
    if leaves_orphans && has_freelist(&file) {
        writeln!(
            terminal.out,
            "WARNING: The clearing has abandoned some pages that are not yet referenced from free list."
        )?;
        consider_abandon(&mut terminal.out)?;
    }
    Ok(())
}

fn has_freelist(file: &RawFile) -> bool {
    file.newest().is_some_and(|meta| meta.freelist_page != NO_FREELIST)
}

fn consider_abandon(out: &mut impl Write) -> Result<()> {
    Ok(writeln!(out, "Please consider executing `kv surgery freelist abandon ...`")?)
}
