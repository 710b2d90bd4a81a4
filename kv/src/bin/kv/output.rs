//! A new file that has its name only when it is whole.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// A file under a temporary name in the directory of the one it is to become. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) path: PathBuf,
}

impl Unfinished {
    /// A name for a file that becomes `target`, which must not exist.
    pub(crate) fn new(target: &Path) -> Result<Self> {
        refuse_existing(target)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let path = target.with_file_name(name);
        refuse_existing(&path)?;
        Ok(Self { path })
    }

    /// Cuts the file to `len` bytes, makes it durable, and gives it its name.
    pub(crate) fn finish(self, target: &Path, len: u64) -> Result<()> {
        let failed = |error| Failure::refused("finish", target, error);
        let file = fs::OpenOptions::new().write(true).open(&self.path).map_err(failed)?;
        file.set_len(len).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        refuse_existing(target)?;
        fs::rename(&self.path, target).map_err(failed)?;
        sync_directory(target).map_err(failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After `finish` there is none.
        let _ = fs::remove_file(&self.path);
    }
}

pub(crate) fn refuse_existing(path: &Path) -> Result<()> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::Refused(format!(
            "{}: there is a file of this name already: choose another, or move it away",
            path.display()
        ))),
        Err(error) => Err(Failure::refused("look for", path, error)),
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

/// A directory cannot be opened to be synced here.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}
