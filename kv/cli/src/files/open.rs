//! Opening databases: read-only unless the command writes, and never waiting for ever.

use std::path::Path;

use kv::surgery::RawFile;
use kv::{Db, FreelistSync, Options};
use pagefile_std::{FileOptions, Operation, PageFile, StoreError};

use super::new_file::create_new;
use crate::failure::{At, Result};
use crate::terminal::{Progress, Terminal};

/// Opens a database to read it, under a shared lock.
pub(crate) fn to_read(path: &Path, terminal: &Terminal<'_>) -> Result<Db> {
    let options = Options::new().read_only(true).lock_timeout(terminal.lock_timeout);
    patiently(terminal.progress, || options.open(path)).at(path)
}

/// Opens an existing database to change it.
pub(crate) fn to_write(path: &Path, terminal: &Terminal<'_>) -> Result<Db> {
    or_create(path, &one_transaction(terminal).create(false), terminal.progress)
}

/// Opens a database to change it; makes it if `options` allow.
pub(crate) fn or_create(path: &Path, options: &Options, progress: Progress) -> Result<Db> {
    patiently(progress, || options.open(path)).at(path)
}

/// Makes a new database under its final name: an interrupt then has this one file to remove, and no temporary one.
///
/// # Errors
/// [`kv::Error::Store`] if there is a file of this name, or it cannot be written.
pub(crate) fn in_place(path: &Path, options: &Options, file_options: &FileOptions) -> kv::Result<Db> {
    let failed = |source| StoreError::Io { operation: Operation::Create, path: path.to_owned(), offset: None, source };
    create_new(path).map_err(failed)?;
    options.open_store(Box::new(PageFile::open(path, file_options)?))
}

/// Options for a command that writes. Each commit stores the freelist, so that the command is one transaction and
/// closing the database needs no other.
pub(crate) fn one_transaction(terminal: &Terminal<'_>) -> Options {
    Options::new().freelist_sync(FreelistSync::Every).lock_timeout(terminal.lock_timeout)
}

/// Opens the pages of a file, damaged or not. Without a `page_size`, its meta pages must tell it.
pub(crate) fn raw(path: &Path, page_size: Option<u32>, terminal: &Terminal<'_>) -> Result<RawFile> {
    RawFile::new(page_file(path, terminal)?, page_size).at(path)
}

/// Opens the bytes of a file to read them, under a shared lock.
pub(crate) fn page_file(path: &Path, terminal: &Terminal<'_>) -> Result<PageFile> {
    let lock_timeout = Some(terminal.lock_timeout);
    let options = FileOptions { read_only: true, lock_timeout, ..FileOptions::default() };
    patiently(terminal.progress, || PageFile::open(path, &options)).at(path)
}

/// Opening may wait for a lock, or walk the whole file to find its free pages: a progress bar says so.
fn patiently<T>(progress: Progress, open: impl FnOnce() -> T) -> T {
    let busy = progress.busy("opening, or waiting while another program holds the file");
    let opened = open();
    busy.finish_and_clear();
    opened
}
