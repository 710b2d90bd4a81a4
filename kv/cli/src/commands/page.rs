//! `kv page`: pages, decoded.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::surgery::{MetaFault, RawFile, RawItem, RawMeta, RawPage};
use kv::{Error, PageId, PageKind};

use crate::arguments::raw_pages::{RawOptions, page_id};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::{Format, quoted_or_hex};
use crate::terminal::Terminal;

/// Print pages, decoded
///
/// Works on damaged files, and shows the pages as the file has them: reports a page that cannot be decoded, goes on with the next, and ends with exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv page FILE 0 1                        both meta pages
  kv page --format-value redacted FILE 7  a leaf without its values
  kv page --all FILE | less")]
pub(crate) struct Page {
    /// The database
    pub(crate) file: PathBuf,

    /// The pages
    #[arg(value_name = "PAGE", required_unless_present = "all", conflicts_with = "all")]
    pages: Vec<u64>,

    /// All pages
    #[arg(long)]
    all: bool,

    /// How values are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format_value: Format,

    #[command(flatten)]
    raw: RawOptions,
}

impl Page {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.raw.open(&self.file, terminal)?;
        self.pages.iter().try_for_each(|&id| page_id(&file, id).map(drop))?;
        let (ids, free) = if self.all { self.all_pages(&file, terminal) } else { (self.pages.clone(), Vec::new()) };
        let mut sound = true;
        let printed = self.print_pages(&file, &ids, &free, &mut sound, terminal);
        terminal.verdict(sound, printed)
    }

    /// Prints the pages `ids`, of which `free` are free; clears `sound` if one cannot be decoded.
    fn print_pages(
        &self,
        file: &RawFile,
        ids: &[u64],
        free: &[u64],
        sound: &mut bool,
        terminal: &mut Terminal<'_>,
    ) -> Result<()> {
        let mut covered = 0;
        let log = file.redo_log_pages().map(|(first, pages)| first.get()..first.get().saturating_add(pages));
        for (index, &id) in ids.iter().enumerate() {
            if self.all && id < covered {
                continue;
            }
            if index > 0 {
                terminal.separator()?;
            }
            if free.binary_search(&id).is_ok() {
                writeln!(terminal.out, "Page ID:    {id}\nPage Type:  free\n")?;
                continue;
            }
            if let Some(log) = log.as_ref().filter(|log| log.contains(&id)) {
                writeln!(
                    terminal.out,
                    "Page ID:    {id}\nPage Type:  redo log, pages {} to {}\n",
                    log.start,
                    log.end - 1
                )?;
                continue;
            }
            match self.print(file, id, &mut terminal.out) {
                Ok(end) => covered = end,
                Err(Failure::Database { error: Error::Corrupt { what, .. }, .. }) => {
                    *sound = false;
                    writeln!(
                        terminal.out,
                        "Printing page {id} failed: {what}; `kv dump` shows its bytes. Continuing..."
                    )?;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// All pages up to the high-water mark, and the free ones among them; in a damaged file all pages of the file, and no
    /// free ones, which cannot be told there.
    fn all_pages(&self, file: &RawFile, terminal: &mut Terminal<'_>) -> (Vec<u64>, Vec<u64>) {
        let map = open::to_read(&self.file, terminal).and_then(|db| Ok(db.begin_read().page_map()?));
        if let Ok(map) = map {
            // Beside a redo log, pages behind the checkpoint are in memory alone.
            let end = file.newest_checkpoint().map_or(u64::MAX, |meta| meta.high_water);
            let map = map.iter().filter(|page| page.id.get() < end);
            let free = map.clone().filter(|page| page.kind == PageKind::Free).map(|page| page.id.get()).collect();
            return (map.map(|page| page.id.get()).collect(), free);
        }
        let newest = file.newest().or_else(|| file.newest_checkpoint());
        let end = newest.map_or(u64::MAX, |meta| meta.high_water).min(file.pages());
        ((0..end).collect(), Vec::new())
    }

    /// Prints one page; returns the number of the page after it and its overflow.
    fn print(&self, file: &RawFile, id: u64, out: &mut impl Write) -> Result<u64> {
        let page = file.page(PageId::new(id))?;
        if page.id().get() != id {
            return Err(Error::Corrupt { page: PageId::new(id), what: "page says it is another page".into() }.into());
        }
        writeln!(out, "Page ID:    {id}")?;
        writeln!(out, "Page Type:  {}", page.kind())?;
        writeln!(out, "Total Size: {} bytes", page.bytes().len())?;
        writeln!(out, "Overflow pages: {}", page.overflow())?;
        if page.kind() == PageKind::Meta {
            print_meta(file, id, out)?;
        } else {
            self.print_items(&page, out)?;
        }
        Ok(id.saturating_add(page.overflow()).saturating_add(1))
    }

    fn print_items(&self, page: &RawPage, out: &mut impl Write) -> Result<()> {
        writeln!(out, "Item Count: {}", page.count()?)?;
        if page.kind() == PageKind::Freelist {
            writeln!(out, "Overflow: {}", page.overflow())?;
        }
        writeln!(out)?;
        for item in page.items()? {
            match item? {
                RawItem::Child { key, page } => writeln!(out, "{}: <pgid={page}>", quoted_or_hex(key))?,
                RawItem::Value { key, value } => {
                    write!(out, "{}: ", quoted_or_hex(key))?;
                    self.format_value.writeln(out, value)?;
                }
                RawItem::Bucket { key, root_page, sequence, .. } => {
                    writeln!(out, "{}: <pgid={root_page},seq={sequence}>", quoted_or_hex(key))?;
                }
                RawItem::Free { page } => writeln!(out, "{page}")?,
                _ => {}
            }
        }
        Ok(writeln!(out)?)
    }
}

fn print_meta(file: &RawFile, id: u64, out: &mut impl Write) -> Result<()> {
    let slot = usize::try_from(id).unwrap_or(usize::MAX);
    let Some((meta, checksum)) = file.meta_as_it_is(slot) else {
        return Err(Error::Corrupt { page: PageId::new(id), what: "meta page is cut off".into() }.into());
    };
    if let Some(checkpoint) = file.checkpoint_meta(slot) {
        return print_checkpoint(&checkpoint, out);
    }
    let version = if let Err(MetaFault::Version { found }) = file.meta(slot) { found } else { 2 };
    writeln!(out, "Version:    {version}")?;
    writeln!(out, "Page Size:  {} bytes", meta.page_size)?;
    writeln!(out, "Flags:      {:08x}", meta.flags)?;
    writeln!(out, "Root:       <pgid={}>", meta.root_page)?;
    writeln!(out, "Freelist:   <pgid={}>", meta.freelist_page)?;
    writeln!(out, "HWM:        <pgid={}>", meta.high_water)?;
    writeln!(out, "Txn ID:     {}", meta.tx)?;
    writeln!(out, "Checksum:   {checksum:016x}")?;
    if let Err(fault) = file.meta(slot) {
        writeln!(out, "Not valid:  {fault}")?;
    }
    Ok(writeln!(out)?)
}

/// The meta of a checkpoint, after which commits are in a log.
fn print_checkpoint(meta: &RawMeta, out: &mut impl Write) -> Result<()> {
    writeln!(out, "Version:    of a checkpoint: later commits are in a redo log")?;
    writeln!(out, "Page Size:  {} bytes", meta.page_size)?;
    writeln!(out, "Root:       <pgid={}>", meta.root_page)?;
    writeln!(out, "HWM:        <pgid={}>", meta.high_water)?;
    Ok(writeln!(out, "Txn ID:     {}\n", meta.tx)?)
}
