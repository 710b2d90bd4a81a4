//! The advisory lock that keeps other processes away from a file.
//!
//! On Unix it is `flock` on the file itself, on Windows `LockFileEx` on the file's last possible
//! byte: the locks that bbolt takes, so each keeps the other out. Exclusive for writing, shared for
//! reading only. It belongs to the open file: a second handle in the same process waits as well,
//! and the system lets go of it when the process dies. Over a network file system it means what
//! that system makes of it, which may be nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::{FileOptions, Operation, StoreError, sys};

/// The first pause between two tries, and the longest; they double in between.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// A file whose lock we hold, and let go of in the end.
///
/// Closing alone is not enough. A process that another thread starts has a copy of every open file
/// until it runs its own program, and the lock lasts as long as any copy. On Windows closing frees
/// a lock only some time later.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // If it fails the lock goes with the file, a moment later.
        let _ = sys::unlock(&self.file);
    }
}

/// Opens an existing file and takes its lock.
///
/// Whoever creates a file may put a new one in its place while we wait for the old one's lock, so
/// the path is looked up again once the lock is held: the file that is returned is the one that
/// the path names.
pub(crate) fn open_locked(path: &Path, options: &FileOptions) -> Result<LockedFile, StoreError> {
    let began = Instant::now();
    loop {
        let file = open(path, options)?;
        lock(&file, path, options, began)?;
        let file = LockedFile { file };
        if still_names(path, &file)? {
            return Ok(file);
        }
    }
}

fn open(path: &Path, options: &FileOptions) -> Result<File, StoreError> {
    let opened = OpenOptions::new().read(true).write(!options.read_only).open(path).and_then(|file| {
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    });
    opened.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound { path: path.to_path_buf() },
        _ => failed(Operation::Open, path, source),
    })
}

/// Waits for the lock by trying again and again: the one way that has a time limit everywhere.
fn lock(file: &File, path: &Path, options: &FileOptions, began: Instant) -> Result<(), StoreError> {
    let mut pause = PAUSE_MIN;
    loop {
        match sys::try_lock(file, options.read_only) {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => {
                return Err(failed(Operation::Lock, path, source));
            }
        }
        let waited = began.elapsed();
        let left = match options.lock_timeout {
            None => PAUSE_MAX,
            Some(limit) => limit.saturating_sub(waited),
        };
        if left.is_zero() {
            return Err(StoreError::Locked { path: path.to_path_buf(), waited });
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Whether the path still names this open file.
fn still_names(path: &Path, file: &File) -> Result<bool, StoreError> {
    match File::open(path).and_then(|named| sys::same_file(&named, file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map_err(|source| failed(Operation::Open, path, source)),
    }
}

/// Makes the directory entry of a file durable, where the system has a way to do so.
///
/// Done by whoever opens a file for writing, not only by its creator, who may have been killed
/// before it came to this: commits to a file that a power cut makes nameless are lost.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = parent.unwrap_or(Path::new("."));
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // A directory that may be searched but not read, and file systems that cannot sync one.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other.map_err(|source| failed(Operation::Sync, directory, source)),
    }
}

/// The file that a path names at the end of its symbolic links, which need not exist yet.
pub(crate) fn follow_links(path: &Path) -> Result<std::path::PathBuf, StoreError> {
    const LINKS_MAX: usize = 40;
    let mut named = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&named) {
            // A relative target is relative to the directory of its link.
            Ok(target) => named = named.parent().unwrap_or(Path::new("")).join(target),
            // Not a link, or nothing there: what is wrong with it shows when it is opened.
            Err(_) => return Ok(named),
        }
    }
    let source = io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links");
    Err(failed(Operation::Open, path, source))
}

pub(crate) fn failed(operation: Operation, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { operation, path: path.to_path_buf(), offset: None, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_goes_with_its_holder_though_another_process_has_a_copy_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = FileOptions { lock_timeout: Some(Duration::ZERO), ..FileOptions::default() };
        let locked = open_locked(file.path(), &options).unwrap();
        let copy = locked.try_clone().unwrap();
        assert!(matches!(open_locked(file.path(), &options), Err(StoreError::Locked { .. })));
        drop(locked);
        open_locked(file.path(), &options).unwrap();
        drop(copy);
    }
}
