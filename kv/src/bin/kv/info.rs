//! `kv info`: what the file is.

use std::path::PathBuf;

use clap::Args;
use kv::surgery::{NO_FREELIST, RawFile, RawMeta};
use serde::Serialize;
use std::io::Write;

use crate::failure::Result;
use crate::open;
use crate::terminal::Terminal;

/// Show what the file is: page size, transaction, how much of it is used
///
/// Takes no time, however large the file is. `kv stats` counts what is in it.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The database
    pub(crate) file: PathBuf,

    /// As JSON
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
    high_water_mark: u64,
    bytes_used: u64,
    bytes_in_file: u64,
    buckets: u64,
}

impl Info {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let facts = self.facts(terminal)?;
        if self.json {
            return terminal.json(&facts);
        }
        let out = &mut terminal.out;
        writeln!(out, "Page Size: {}", facts.page_size)?;
        writeln!(out, "Transaction: {}", facts.transaction)?;
        writeln!(out, "Buckets: {} at the top level", facts.buckets)?;
        writeln!(out, "Root page: {}", facts.root_page)?;
        match (facts.freelist_page, facts.free_pages) {
            (Some(page), Some(free)) => writeln!(out, "Freelist: page {page}, {free} free pages")?,
            (Some(page), None) => writeln!(out, "Freelist: page {page}, damaged")?,
            (None, _) => writeln!(out, "Freelist: not stored, found when the file is opened for writing")?,
        }
        writeln!(out, "High-water mark: page {}, {} bytes", facts.high_water_mark, facts.bytes_used)?;
        writeln!(out, "File: {} bytes", facts.bytes_in_file)?;
        Ok(())
    }

    fn facts(&self, terminal: &Terminal) -> Result<Facts> {
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read()?;
        let file = open::raw(&self.file, terminal)?;
        let meta = file.newest().unwrap_or_default();
        Ok(Facts {
            page_size: db.page_size(),
            transaction: tx.id().get(),
            root_page: tx.root_page().get(),
            freelist_page: (meta.freelist != NO_FREELIST).then_some(meta.freelist),
            free_pages: free_pages(&file, &meta),
            high_water_mark: tx.size() / u64::from(db.page_size()),
            bytes_used: tx.size(),
            bytes_in_file: db.file_len(),
            buckets: tx.buckets().try_fold(0, |count, bucket| bucket.map(|_| count + 1))?,
        })
    }
}

fn free_pages(file: &RawFile, meta: &RawMeta) -> Option<u64> {
    let page = file.page(kv::PageId::new(meta.freelist)).ok()?;
    page.count().ok().map(|count| count as u64)
}
