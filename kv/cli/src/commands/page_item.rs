//! `kv page-item`: one item of a leaf.

use std::path::PathBuf;

use clap::Args;
use kv::PageKind;
use kv::surgery::RawItem;

use crate::arguments::raw_pages::{RawOptions, page_id};
use crate::failure::{Failure, Result};
use crate::notation::Format;
use crate::terminal::Terminal;

/// Print key and value of one item of a leaf page
///
/// Works on damaged files. The value of a nested bucket is its header.
#[derive(Debug, Args)]
pub(crate) struct PageItem {
    /// The database
    pub(crate) file: PathBuf,

    /// The page, which must be a leaf
    page: u64,

    /// The item, numbered from 0
    item: usize,

    /// Print only the key
    #[arg(long, conflicts_with = "value_only")]
    key_only: bool,

    /// Print only the value
    #[arg(long)]
    value_only: bool,

    /// How key and value are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    #[command(flatten)]
    raw: RawOptions,
}

impl PageItem {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.raw.open(&self.file, terminal)?;
        let page = file.page(page_id(&file, self.page)?)?;
        if page.kind() != PageKind::Leaf {
            return Err(Failure::Usage(format!("page {} is a {} page, not a leaf", self.page, page.kind())));
        }
        let Some(RawItem::Value { key, value } | RawItem::Bucket { key, value, .. }) = page.item(self.item)? else {
            let count = page.count()?;
            return Err(Failure::Usage(format!("page {} has {count} items, numbered from 0", self.page)));
        };
        if !self.value_only {
            self.format.writeln(&mut terminal.out, key)?;
        }
        if !self.key_only {
            self.format.writeln(&mut terminal.out, value)?;
        }
        Ok(())
    }
}
