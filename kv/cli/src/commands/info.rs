//! `kv info`: facts about a file, from its meta page.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use kv::surgery::{NO_FREELIST, RawFile};
use kv::{Error, Options, PageId};
use serde::Serialize;
use std::io::Write;

use crate::failure::Result;
use crate::files::open;
use crate::terminal::Terminal;

/// Show facts about the file: page size, transaction, bytes used
///
/// Reads only the newest meta page and the length of the freelist. So it is quick on files of any size, and works on
/// files that are cut off or damaged. The exit code is 1 if the two meta pages name different states of one transaction. `kv
/// stats` counts what is in a file, `kv check` looks for damage.
///
/// Of a file with a redo log, which a program that commits by one has open or has left when it crashed, the facts are those of
/// the last checkpoint, and it is told how much follows in the log, which is read for that. Commands that only read show
/// everything; bbolt and etcd refuse the file until `kv checkpoint`. The exit code is 1 if the log is damaged.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The database
    pub(crate) file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Facts {
    page_size: u32,
    transaction: u64,
    root_page: u64,
    freelist_page: Option<u64>,
    free_pages: Option<u64>,
    /// The file has a log of the free space, in place of a freelist.
    space_log: bool,
    high_water_mark: u64,
    bytes_used: u64,
    bytes_in_file: u64,
    /// The meta page of these facts, if the other is as new and names another state.
    contested_meta: Option<usize>,
    /// What follows the state of these facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    redo_log: Option<RedoLog>,
}

/// The log of commits that a crash has left, or that a program has open.
#[derive(Debug, Serialize)]
struct RedoLog {
    first_page: u64,
    pages: u64,
    bytes: u64,
    checkpoint_transaction: u64,
    newest_transaction: Option<u64>,
    units: Option<u64>,
    transactions: Option<u64>,
    bytes_used: Option<u64>,
    /// What is wrong with it.
    damage: Option<String>,
}

impl Info {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let facts = self.facts(terminal)?;
        let printed = self.print(&facts, terminal);
        let damaged = facts.redo_log.as_ref().is_some_and(|log| log.damage.is_some());
        terminal.verdict(facts.contested_meta.is_none() && !damaged, printed)
    }

    fn print(&self, facts: &Facts, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.json {
            return terminal.json(facts);
        }
        let out = &mut terminal.out;
        writeln!(out, "Page Size: {}", facts.page_size)?;
        writeln!(out, "Transaction: {}", facts.transaction)?;
        writeln!(out, "Root page: {}", facts.root_page)?;
        if let Some(log) = &facts.redo_log {
            print_log(log, out)?;
        }
        match (facts.freelist_page, facts.free_pages) {
            (Some(page), Some(free)) => writeln!(out, "Freelist: page {page}, {free} free pages")?,
            (Some(page), None) => writeln!(out, "Freelist: page {page}, damaged")?,
            (None, _) if facts.space_log => writeln!(out, "Freelist: not stored, in the log of the free space")?,
            (None, _) => writeln!(out, "Freelist: not stored, found when the file is opened for writing")?,
        }
        writeln!(out, "High-water mark: page {}, {} bytes", facts.high_water_mark, facts.bytes_used)?;
        let cut = if facts.bytes_in_file < facts.bytes_used { ", cut off" } else { "" };
        writeln!(out, "File: {} bytes{cut}", facts.bytes_in_file)?;
        if let Some(page) = facts.contested_meta {
            writeln!(out, "Meta pages: two states of transaction {}; this is that of page {page}", facts.transaction)?;
            writeln!(out, "`kv surgery meta choose` keeps one, in a copy; until then nothing writes to the file")?;
        }
        Ok(())
    }

    fn facts(&self, terminal: &Terminal<'_>) -> Result<Facts> {
        let store = open::page_file(&self.file, terminal)?;
        let raw = RawFile::new(Arc::clone(&store), None).ok();
        let told = raw.and_then(|file| {
            let log = redo_log(&file).transpose();
            let meta = file.newest().or_else(|| file.newest_checkpoint())?;
            Some(log.map(|log| (file, meta, log)))
        });
        let Some(told) = told else {
            // Opening the database tells why no meta page is valid.
            let opened = Options::new().read_only(true).open_store(Box::new(store));
            return Err(opened.err().unwrap_or(Error::NotADatabase).into());
        };
        let (file, meta, redo_log) = told?;
        let freelist_page = (meta.freelist_page != NO_FREELIST).then_some(meta.freelist_page);
        Ok(Facts {
            page_size: meta.page_size,
            transaction: meta.tx,
            root_page: meta.root_page,
            freelist_page,
            free_pages: freelist_page.and_then(|page| free_pages(&file, page)),
            space_log: file.has_space_log(),
            high_water_mark: meta.high_water,
            bytes_used: meta.high_water.saturating_mul(meta.page_size.into()),
            bytes_in_file: file.file_len(),
            contested_meta: file.newest_slot().filter(|_| file.metas_disagree()),
            redo_log,
        })
    }
}

/// What is known of the log, damaged or not, if there is one.
fn redo_log(file: &RawFile) -> Option<kv::Result<RedoLog>> {
    let ((first, pages), checkpoint) = (file.redo_log_pages()?, file.newest_checkpoint()?);
    let place = RedoLog {
        first_page: first.get(),
        pages,
        bytes: pages.saturating_mul(checkpoint.page_size.into()),
        checkpoint_transaction: checkpoint.tx,
        newest_transaction: None,
        units: None,
        transactions: None,
        bytes_used: None,
        damage: None,
    };
    Some(match file.redo_log() {
        Ok(found) => Ok(RedoLog {
            newest_transaction: found.map(|log| log.newest),
            units: found.map(|log| log.units),
            transactions: found.map(|log| log.transactions),
            bytes_used: found.map(|log| log.bytes_used),
            ..place
        }),
        Err(Error::Corrupt { what, .. }) => Ok(RedoLog { damage: Some(what.into()), ..place }),
        Err(error @ (Error::Truncated { .. } | Error::TwoStates { .. })) => {
            Ok(RedoLog { damage: Some(error.to_string()), ..place })
        }
        Err(error) => Err(error),
    })
}

fn print_log(log: &RedoLog, out: &mut impl Write) -> Result<()> {
    let (first, last) = (log.first_page, log.first_page.saturating_add(log.pages).saturating_sub(1));
    writeln!(out, "Redo log: pages {first} to {last}, {} bytes", log.bytes)?;
    if let (Some(transactions), Some(units), Some(bytes), Some(newest)) =
        (log.transactions, log.units, log.bytes_used, log.newest_transaction)
    {
        writeln!(
            out,
            "In the log: {transactions} transactions, up to {newest}, in {units} whole units of {bytes} bytes, after the \
             checkpoint of transaction {}",
            log.checkpoint_transaction
        )?;
    } else {
        let damage = log.damage.as_deref().unwrap_or_default();
        writeln!(
            out,
            "In the log: damaged, after the checkpoint of transaction {}: {damage}",
            log.checkpoint_transaction
        )?;
    }
    writeln!(
        out,
        "bbolt and etcd refuse the file while it has a log: a program has it open, or `kv checkpoint FILE` ends it"
    )?;
    Ok(())
}

fn free_pages(file: &RawFile, page: u64) -> Option<u64> {
    let page = file.page(PageId::new(page)).ok()?;
    page.count().ok().map(|count| count as u64)
}
