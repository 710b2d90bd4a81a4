//! Arguments of commands that look at pages, damaged or not.

use std::path::Path;

use clap::Args;
use kv::PageId;
use kv::surgery::RawFile;

use crate::failure::{Failure, Result};
use crate::files::open;
use crate::terminal::Terminal;

/// How to find the pages of a file.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RawOptions {
    /// Bytes of a page, if the meta pages are too damaged to tell
    #[arg(long, value_name = "BYTES")]
    page_size: Option<u32>,
}

impl RawOptions {
    /// Pages of the size that nearly all databases have.
    pub(crate) const fn usual() -> Self {
        Self { page_size: Some(4096) }
    }

    pub(crate) fn open(self, path: &Path, terminal: &Terminal<'_>) -> Result<RawFile> {
        open::raw(path, self.page_size, terminal)
    }
}

/// The page that an argument names, which the file must have.
pub(crate) fn page_id(file: &RawFile, id: u64) -> Result<PageId> {
    if id < file.pages() {
        return Ok(PageId::new(id));
    }
    Err(Failure::Usage(format!("there is no page {id}: the file has {} pages, numbered from 0", file.pages())))
}
