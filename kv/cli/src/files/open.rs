//! Opening files the way a tool should: read-only unless it writes, and never waiting for ever.

use std::path::Path;

use clap::Args;
use kv::surgery::RawFile;
use kv::{Db, FreelistSync, Options, PageId};
use pagefile_std::{FileOptions, Operation, PageFile, StoreError};

use crate::failure::{At, Failure, Result};
use crate::files::new_file::create_new;
use crate::terminal::Terminal;
use crate::terminal::progress;

/// To read, under a shared lock.
pub(crate) fn to_read(path: &Path, terminal: &Terminal) -> Result<Db> {
    patiently(|| Options::new().read_only(true).lock_timeout(terminal.lock_timeout).open(path)).at(path)
}

/// To change a file that is there. The freelist goes with each commit, so that a command is one transaction.
pub(crate) fn to_write(path: &Path, terminal: &Terminal) -> Result<Db> {
    patiently(|| one_transaction(terminal).create(false).open(path)).at(path)
}

/// To change a file, which is made if it is not there.
pub(crate) fn or_create(path: &Path, options: &Options) -> Result<Db> {
    patiently(|| options.open(path)).at(path)
}

/// A new database at `path`, made where it stands: an interrupt has this one file to remove, and no temporary one.
///
/// # Errors
/// [`Error::Store`] if there is a file, or it cannot be written.
pub(crate) fn in_place(path: &Path, options: &Options, file_options: &FileOptions) -> kv::Result<Db> {
    let failed = |source| StoreError::Io { operation: Operation::Create, path: path.to_owned(), offset: None, source };
    create_new(path).map_err(failed)?;
    options.open_store(Box::new(PageFile::open(path, file_options)?))
}

/// Opening may have to wait for a lock, and walk the whole file to find its free pages: a person sees that it does.
fn patiently<T>(open: impl FnOnce() -> T) -> T {
    let busy = progress::busy("opening, or waiting while another program holds the file");
    let opened = open();
    busy.finish_and_clear();
    opened
}

/// Options for a file that may be made by opening it.
pub(crate) fn one_transaction(terminal: &Terminal) -> Options {
    Options::new().freelist_sync(FreelistSync::Every).lock_timeout(terminal.lock_timeout)
}

/// How to look at pages as they are.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RawOptions {
    /// Bytes of a page, where no meta page can tell them
    #[arg(long, value_name = "BYTES")]
    page_size: Option<u32>,
}

impl RawOptions {
    /// Pages of the size that nearly all databases have.
    pub(crate) const fn usual() -> Self {
        Self { page_size: Some(4096) }
    }

    pub(crate) fn open(self, path: &Path, terminal: &Terminal) -> Result<RawFile> {
        RawFile::new(page_file(path, terminal)?, self.page_size).at(path)
    }
}

/// Page `id` as an argument: one that the file has.
pub(crate) fn page_id(file: &RawFile, id: u64) -> Result<PageId> {
    if id < file.pages() {
        return Ok(PageId::new(id));
    }
    Err(Failure::Usage(format!("there is no page {id}: the file has {} pages, numbered from 0", file.pages())))
}

/// The pages of a file whose meta pages tell their size.
pub(crate) fn raw(path: &Path, terminal: &Terminal) -> Result<RawFile> {
    RawOptions { page_size: None }.open(path, terminal)
}

pub(crate) fn page_file(path: &Path, terminal: &Terminal) -> Result<PageFile> {
    let lock_timeout = Some(terminal.lock_timeout);
    patiently(|| PageFile::open(path, &FileOptions { read_only: true, lock_timeout, ..FileOptions::default() }))
        .at(path)
}
