//! `kv surgery copy-page`, `clear-page` and `clear-page-elements`: replace a page, or drop its elements.

use std::io::Write;

use clap::Args;
use kv::surgery::{Cleared, NO_FREELIST, RawFile};

use super::repair::Files;
use crate::arguments::raw_pages::page_id;
use crate::failure::{Failure, Result};
use crate::terminal::Terminal;

/// Copy a page and its overflow pages over another page
///
/// Use it to replace a damaged page with an older version, which `kv page` helps to find.
#[derive(Debug, Args)]
pub(super) struct CopyPage {
    #[command(flatten)]
    pub(super) files: Files,

    /// The page to copy
    #[arg(long, value_name = "PAGE")]
    from_page: u64,

    /// The page to replace
    #[arg(long, value_name = "PAGE")]
    to_page: u64,
}

/// Drop all elements of a branch or leaf page
///
/// The page becomes an empty leaf. Its header and its elements may be unreadable.
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

    /// The first element to drop, numbered from 0
    #[arg(long, value_name = "INDEX")]
    from_index: usize,

    /// The next element to keep; -1 to drop all that follow
    #[arg(long, value_name = "INDEX", allow_hyphen_values = true, value_parser = clap::value_parser!(i64).range(-1..))]
    to_index: i64,
}

impl CopyPage {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (from, to) = (self.from_page, self.to_page);
        if from == to {
            return Err(Failure::Usage(format!("--from-page and --to-page are both {from}")));
        }
        let file = self.files.open(terminal)?;
        let edit = file.copy_page(page_id(&file, from)?, page_id(&file, to)?)?;
        self.files.write(&file, &[edit], terminal)?;
        if has_freelist(&file) {
            writeln!(terminal.out, "WARNING: the free list might have changed.")?;
            consider_abandon(&mut terminal.out)?;
        }
        Ok(writeln!(terminal.out, "The page {from} was successfully copied to page {to}")?)
    }
}

impl ClearPage {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        clear(&self.files, self.page, 0, None, terminal)?;
        Ok(writeln!(terminal.out, "The page ({}) was cleared", self.page)?)
    }
}

impl ClearPageElements {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (from, to) = (self.from_index, self.to_index);
        clear(&self.files, self.page, from, usize::try_from(to).ok(), terminal)?;
        Ok(writeln!(terminal.out, "All elements in [{from}, {to}) in page {} were cleared", self.page)?)
    }
}

fn clear(files: &Files, page: u64, from: usize, to: Option<usize>, terminal: &mut Terminal<'_>) -> Result<()> {
    if page < 2 {
        return Err(Failure::Usage(format!("the pageId must be at least 2, but got {page}")));
    }
    let file = files.open(terminal)?;
    let Cleared { edit, leaves_orphans, .. } = file.clear_elements(page_id(&file, page)?, from, to)?;
    files.write(&file, &[edit], terminal)?;
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
