//! A new file that gets its name when it is complete, not before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::interrupt;
use crate::failure::{Failure, Result};

/// A file under a temporary name, in the directory where it will get its final one. It is removed when this value is
/// dropped, or when an interrupt ends the program.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) path: PathBuf,
    /// Whether to make it durable before it gets its name.
    pub(crate) sync: bool,
}

impl Unfinished {
    /// A temporary name for a file that will become `target`, which must not exist.
    pub(crate) fn new(target: &Path) -> Result<Self> {
        refuse_existing(target)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let path = target.with_file_name(name);
        refuse_existing(&path)?;
        interrupt::remove(&path);
        Ok(Self { path, sync: true })
    }

    /// Cuts the file to `len` bytes, gives it the permissions of `source`, makes it durable, and gives it its name.
    pub(crate) fn finish(self, source: &Path, target: &Path, len: u64) -> Result<()> {
        let failed = |error| Failure::not_made(target, &error);
        let file = OpenOptions::new().write(true).open(&self.path).map_err(failed)?;
        copy_permissions(source, &self.path).map_err(failed)?;
        file.set_len(len).map_err(failed)?;
        if self.sync {
            file.sync_all().map_err(failed)?;
        }
        // Unlike a rename, a link never replaces a file that another program has made in the meantime.
        match fs::hard_link(&self.path, target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Failure::already_there(target)),
            Err(_) => {
                // This file system has no hard links.
                refuse_existing(target)?;
                fs::rename(&self.path, target).map_err(failed)?;
            }
            Ok(()) => {}
        }
        let sync = self.sync;
        drop(self);
        if sync { sync_directory(target).map_err(failed) } else { Ok(()) }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is no such file.
        let _ = fs::remove_file(&self.path);
        interrupt::forget();
    }
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
pub(crate) fn copy_permissions(source: &Path, copy: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    fs::set_permissions(copy, fs::metadata(source)?.permissions())
}

/// Makes the names in the file's directory durable, on systems that can open a directory for that.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
