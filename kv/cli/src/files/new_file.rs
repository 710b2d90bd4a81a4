//! A new file that gets its name when it is complete, not before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use pagefile_std::{FileOptions, NewFile, PageFile, StoreError};

use super::interrupt;
use crate::failure::{Failure, Result};

/// A file without its name, or any. It is gone when this value is dropped, or when an interrupt ends the program.
#[derive(Debug)]
pub(crate) struct Unfinished<'t> {
    new: NewFile,
    target: &'t Path,
    /// Whether to make it durable before it gets its name.
    pub(crate) sync: bool,
    // Dropped last: an interrupt has something to remove until then.
    _begun: Begun,
}

impl<'t> Unfinished<'t> {
    /// A file that will become `target`, which must not exist.
    pub(crate) fn new(target: &'t Path) -> Result<Self> {
        // First, so that an interrupt is heard as soon as the file is there.
        interrupt::begin(None);
        let new = NewFile::beside(target).map_err(|error| not_made(target, error))?;
        interrupt::begin(new.temporary_path());
        Ok(Self { new, target, sync: true, _begun: Begun })
    }

    /// The file, to be written.
    pub(crate) fn file(&mut self) -> &mut File {
        self.new.file()
    }

    /// The file as the pages of a database.
    pub(crate) fn page_file(&self, options: &FileOptions) -> kv::Result<PageFile> {
        Ok(self.new.page_file(options)?)
    }

    /// Cuts the file to `len` bytes, gives it the permissions of `source`, makes it durable, and gives it its name.
    pub(crate) fn finish(mut self, source: &Path, len: u64) -> Result<()> {
        let target = self.target;
        let shaped = self.file().set_len(len).and_then(|()| copy_permissions(source, self.file()));
        shaped.map_err(|error| Failure::not_made(target, &error))?;
        self.new.finish(self.sync).map_err(|error| not_made(target, error))
    }
}

/// While it lives, an interrupt is this program's to handle.
#[derive(Debug)]
struct Begun;

impl Drop for Begun {
    fn drop(&mut self) {
        interrupt::forget();
    }
}

fn not_made(target: &Path, error: StoreError) -> Failure {
    Failure::copying(target, kv::Error::Store(error))
}

/// Makes a file to write into, which must not exist. Only its owner may open it while it is written.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

pub(crate) fn refuse_existing(path: &Path) -> Result<()> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::already_there(path)),
        Err(error) => Err(Failure::refused("make", path, &error)),
    }
}

/// Lets the same users open `copy` as may open `source`. On systems other than Unix the directory decides that.
fn copy_permissions(source: &Path, copy: &File) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    copy.set_permissions(fs::metadata(source)?.permissions())
}
