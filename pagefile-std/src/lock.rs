//! The advisory lock that keeps other processes away from a file.
//!
//! On Unix it is `flock` on the file itself, on Windows `LockFileEx` on the file's last possible
//! byte: the locks that bbolt takes, so each keeps the other out. Exclusive for writing, shared for
//! reading only. The lock belongs to the open file, and the system releases it when the process dies.
//! A second handle in the same process is kept out as well; it might wait for its own thread, so it
//! is refused at once. On a network file system the lock does what that system makes of it, which
//! may be nothing.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Operation, StoreError, failed};
use crate::options::FileOptions;
use crate::path::{open_regular, still_names};
use crate::sys::{self, Identity};

/// The first pause between two tries, and the longest; they double in between.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The files whose locks this process holds; one that is shared may be here more than once.
static HELD: Mutex<Vec<Identity>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<Identity>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file whose lock we hold, and release at the end.
///
/// Closing alone is not enough. A process that another thread starts has a copy of every open file
/// until it runs its own program, and the lock lasts as long as any copy. On Windows closing frees
/// a lock only some time later.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    /// The file among those held. None if another copy of the handle holds the lock, or nobody else can open the file.
    held: Option<Identity>,
}

impl LockedFile {
    /// Of a file whose lock is somebody else's to take and to release.
    pub(crate) fn lent(file: File) -> LockedFile {
        LockedFile { file, held: None }
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        let Some(identity) = self.held.take() else { return };
        // If it fails the lock goes with the file, a moment later.
        let _ = sys::unlock(&self.file);
        let mut held = held();
        let at = held.iter().position(|other| *other == identity);
        assert!(at.is_some(), "a file whose lock we release was held");
        at.map(|at| held.swap_remove(at));
    }
}

/// Opens an existing file and takes its lock.
///
/// A creator may put a new file in the place of an empty one while we wait for the empty one's
/// lock. So we look the path up again once we hold the lock, and return only the file that the path
/// names then.
pub(crate) fn open_locked(path: &Path, options: &FileOptions) -> Result<LockedFile, StoreError> {
    let mut wait = Wait::new(path, options.lock_timeout);
    loop {
        let file = open(options, &mut wait)?;
        if let Some(locked) = lock(file, options, &mut wait)? {
            return Ok(locked);
        }
    }
}

fn open(options: &FileOptions, wait: &mut Wait<'_>) -> Result<File, StoreError> {
    loop {
        match open_regular(wait.path, !options.read_only) {
            Ok(file) => return Ok(file),
            // Another process has a lease on the file, and the system asks it to give way.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait.pause()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NotFound { path: wait.path.to_path_buf() });
            }
            Err(error) => return Err(failed(Operation::Open, wait.path, error)),
        }
    }
}

/// Takes the lock of an open file; `None` if the path no longer names it.
///
/// # Errors
/// `AlreadyOpen` if this process itself keeps us out: the wait might have no end.
#[allow(clippy::clone_on_copy, reason = "on some systems it is a path")]
fn lock(file: File, options: &FileOptions, wait: &mut Wait<'_>) -> Result<Option<LockedFile>, StoreError> {
    let identity = sys::identity(&file, wait.path).map_err(|source| failed(Operation::Open, wait.path, source))?;
    loop {
        // One at a time, so that whoever holds the lock is also among those held.
        let mut held = held();
        match sys::try_lock(&file, options.read_only) {
            Ok(()) => {
                held.push(identity.clone());
                break;
            }
            Err(TryLockError::WouldBlock) if held.contains(&identity) => {
                return Err(StoreError::AlreadyOpen { path: wait.path.to_path_buf() });
            }
            Err(TryLockError::WouldBlock) => {
                drop(held);
                wait.pause()?;
            }
            Err(TryLockError::Error(source)) => return Err(failed(Operation::Lock, wait.path, source)),
        }
    }
    let locked = LockedFile { file, held: Some(identity) };
    Ok(still_names(wait.path, &locked)?.then_some(locked))
}

/// Waiting by trying again and again: the one way that has a time limit on every system.
struct Wait<'p> {
    path: &'p Path,
    began: Instant,
    /// `None` is for ever.
    limit: Option<Duration>,
    pause: Duration,
}

impl Wait<'_> {
    fn new(path: &Path, limit: Option<Duration>) -> Wait<'_> {
        Wait { path, began: Instant::now(), limit, pause: PAUSE_MIN }
    }

    /// Sleeps until the next try, or says that the time is up.
    fn pause(&mut self) -> Result<(), StoreError> {
        let waited = self.began.elapsed();
        let left = self.limit.map_or(PAUSE_MAX, |limit| limit.saturating_sub(waited));
        if left.is_zero() {
            assert!(self.limit.is_some_and(|limit| waited >= limit), "only a time limit ends a wait, and not early");
            return Err(StoreError::Locked { path: self.path.to_path_buf(), waited });
        }
        assert!(self.pause >= PAUSE_MIN && self.pause <= PAUSE_MAX, "tries neither spin nor rest for long");
        thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(lock_timeout: Option<Duration>) -> FileOptions {
        FileOptions { lock_timeout, ..FileOptions::default() }
    }

    #[test]
    fn the_lock_goes_with_its_holder_though_another_process_has_a_copy_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = options(Some(Duration::ZERO));
        let locked = open_locked(file.path(), &options).unwrap();
        let copy = locked.try_clone().unwrap();
        assert!(matches!(open_locked(file.path(), &options), Err(StoreError::AlreadyOpen { .. })));
        drop(locked);
        open_locked(file.path(), &options).unwrap();
        drop(copy);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_lost_its_name_before_it_was_locked_is_not_the_one_to_use() {
        for lock_timeout in [None, Some(Duration::ZERO), Some(Duration::from_secs(600))] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let options = options(lock_timeout);
            let mut wait = Wait::new(file.path(), lock_timeout);
            let opened = open(&options, &mut wait).unwrap();
            std::fs::remove_file(file.path()).unwrap();
            std::fs::write(file.path(), b"another").unwrap();
            assert!(lock(opened, &options, &mut wait).unwrap().is_none(), "{lock_timeout:?}");
        }
    }
}
