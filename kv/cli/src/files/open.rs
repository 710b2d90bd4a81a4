//! Opening databases: read-only unless the command writes, and never waiting for ever.

use std::path::Path;
use std::sync::Arc;

use indicatif::ProgressBar;
use kv::surgery::RawFile;
use kv::{Db, FreelistOrigin, FreelistSync, Options};
use pagefile_std::{FileOptions, Operation, PageFile, PageStore, StoreError};

use super::new_file::create_new;
use crate::failure::{At, Result};
use crate::terminal::{Progress, Terminal};

/// Opens a database to read it: under a shared lock, or as it is now with `--live`.
pub(crate) fn to_read(path: &Path, terminal: &mut Terminal<'_>) -> Result<Db> {
    read_with(Options::new(), path, terminal)
}

/// Opens a database to walk over all of it. The bar shows how far the walk is.
pub(crate) fn to_walk(path: &Path, what: &'static str, terminal: &mut Terminal<'_>) -> Result<(Db, ProgressBar)> {
    let bar = terminal.progress.items(what, 0);
    let shown = bar.clone();
    let options = Options::new().walk_progress(move |visited, pages| {
        shown.set_length(pages);
        shown.set_position(visited);
    });
    Ok((read_with(options, path, terminal)?, bar))
}

fn read_with(options: Options, path: &Path, terminal: &mut Terminal<'_>) -> Result<Db> {
    let options = options.read_only(true).lock_timeout(terminal.lock_timeout);
    let db = match &terminal.live {
        Some(peek) => peek.now().at(path)?,
        None => patiently(terminal.progress, |_| options.open(path)).at(path)?,
    };
    if let Some(page) = db.contested_meta() {
        terminal.note(format_args!(
            "kv: {}: the two meta pages name different states of one transaction: this is the state of page {page}; \
             `kv surgery meta choose` keeps one",
            path.display()
        ));
    }
    Ok(db)
}

/// Opens an existing database to change it.
pub(crate) fn to_write(path: &Path, terminal: &mut Terminal<'_>) -> Result<Db> {
    let db = or_create(path, one_transaction(terminal).create(false), terminal.progress)?;
    note_wrong_list(&db, path, terminal);
    Ok(db)
}

/// Opens a database together with its pages, to look at both.
pub(crate) fn with_pages(path: &Path, writable: bool, terminal: &mut Terminal<'_>) -> Result<(Db, Arc<dyn PageStore>)> {
    let lock_timeout = Some(terminal.lock_timeout);
    let file_options = FileOptions { read_only: !writable, lock_timeout, ..FileOptions::default() };
    let options = one_transaction(terminal).create(false).read_only(!writable);
    let opened = patiently(terminal.progress, |bar| {
        let pages: Arc<dyn PageStore> = Arc::new(PageFile::open(path, &file_options)?);
        let options = options.walk_progress(walked(bar.clone()));
        Ok::<_, kv::Error>((options.open_store(Box::new(Arc::clone(&pages)))?, pages))
    });
    let (db, pages) = opened.at(path)?;
    note_wrong_list(&db, path, terminal);
    Ok((db, pages))
}

/// Opens a database to change it; makes it if `options` allow.
pub(crate) fn or_create(path: &Path, options: Options, progress: Progress) -> Result<Db> {
    patiently(progress, |bar| options.walk_progress(walked(bar.clone())).open(path)).at(path)
}

/// Says so if the list of free pages was wrong that a database had when it was opened.
pub(crate) fn note_wrong_list(db: &Db, path: &Path, terminal: &mut Terminal<'_>) {
    let stats = db.stats();
    if let FreelistOrigin::Rebuilt(fault) = stats.freelist {
        let lost = match stats.reclaimed_pages {
            0 => String::new(),
            1 => ", 1 lost page among them".into(),
            pages => format!(", {pages} lost pages among them"),
        };
        terminal.note(format_args!(
            "kv: {}: the list of free pages was wrong ({fault}): a walk over all trees found the free pages{lost}",
            path.display()
        ));
    }
}

/// Shows how far the walk for free pages is.
fn walked(bar: ProgressBar) -> impl Fn(u64, u64) {
    move |visited, pages| bar.set_message(format!("finding free pages, {visited} of at most {pages} pages"))
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

/// Opens the bytes of a file to read them: under a shared lock, or as they are now with `--live`.
pub(crate) fn page_file(path: &Path, terminal: &Terminal<'_>) -> Result<Arc<dyn PageStore>> {
    if let Some(peek) = &terminal.live {
        return Ok(Arc::new(peek.pages().at(path)?));
    }
    let lock_timeout = Some(terminal.lock_timeout);
    let options = FileOptions { read_only: true, lock_timeout, ..FileOptions::default() };
    Ok(Arc::new(patiently(terminal.progress, |_| PageFile::open(path, &options)).at(path)?))
}

/// Opening may wait for a lock, or walk the whole file to find its free pages: a progress bar says so.
fn patiently<T>(progress: Progress, open: impl FnOnce(&ProgressBar) -> T) -> T {
    let busy = progress.busy("opening, or waiting while another program holds the file");
    let opened = open(&busy);
    busy.finish_and_clear();
    opened
}
