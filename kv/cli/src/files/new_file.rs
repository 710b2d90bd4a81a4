//! A new file that has its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::explain;
use crate::failure::{Failure, Result};
use crate::files::interrupt;

/// A file under a temporary name in the directory of the one it is to become. Dropped, or interrupted, it is gone.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) path: PathBuf,
    /// Whether it is made durable before it gets its name.
    pub(crate) sync: bool,
}

impl Unfinished {
    /// A name for a file that becomes `target`, which must not exist.
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
        let failed = |error| not_made(target, &error);
        let file = OpenOptions::new().write(true).open(&self.path).map_err(failed)?;
        copy_permissions(source, &self.path).map_err(failed)?;
        file.set_len(len).map_err(failed)?;
        if self.sync {
            file.sync_all().map_err(failed)?;
        }
        // A link never takes the name from a file that was made meanwhile.
        match fs::hard_link(&self.path, target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(target)),
            Err(_) => {
                // No hard links here.
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
        // After a rename there is none.
        let _ = fs::remove_file(&self.path);
        interrupt::forget();
    }
}

/// A file to write into, which must not exist. While it is written it is its owner's alone.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// For a new file that could not be written.
pub(crate) fn not_made(target: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("{} was not made: {}", target.display(), explain(error)))
}

pub(crate) fn refuse_existing(path: &Path) -> Result<()> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(exists(path)),
        Err(error) => Err(Failure::refused("make", path, &error)),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::Refused(format!(
        "{}: there is a file of this name already: choose another, or move it away",
        path.display()
    ))
}

/// Whoever may open `source` may open `copy`, and nobody else; on Unix, for elsewhere that is for the directory to say.
pub(crate) fn copy_permissions(source: &Path, copy: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    fs::set_permissions(copy, fs::metadata(source)?.permissions())
}

/// Makes the names in the file's directory durable, where a directory can be opened for that.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
