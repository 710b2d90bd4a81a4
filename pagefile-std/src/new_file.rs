//! A file that gets its name when it is whole, not before.
//!
//! On Linux it has no name at all until then (`O_TMPFILE`): after a kill the system frees it. Where the system or the
//! file system has no such files, it has a temporary name, and its maker holds its lock, so that
//! [`abandoned`](crate::abandoned) can tell a file that is being written from one that a kill has left.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::abandoned::{remove_abandoned, temporary_path};
use crate::error::{Operation, StoreError, failed};
use crate::lock::LockedFile;
use crate::options::FileOptions;
use crate::page_file::PageFile;
use crate::path::{directory_of, sync_directory};
use crate::sys;

/// A new file, to be written before it gets its name. Dropping it without [`finish`](NewFile::finish) leaves nothing.
///
/// After a kill there is nothing to clean up on Linux, where most file systems have files without a name. Elsewhere a
/// file `.pagefile-*.new` stays in the directory, and the next `NewFile` there removes it.
///
/// ```
/// use pagefile_std::NewFile;
/// use std::io::Write;
///
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("report");
/// let mut new = NewFile::beside(&path)?;
/// new.file().write_all(b"all of it")?;
/// assert!(!path.exists());
/// new.finish(true)?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    file: File,
    target: PathBuf,
    /// Its name until it has the final one, unless it has none.
    temporary: Option<PathBuf>,
}

impl NewFile {
    /// Makes an empty file, which only its owner may open, to become `target`. Removes the temporary files in that
    /// directory that killed processes have left. O(files in the directory).
    ///
    /// # Errors
    /// [`StoreError::Io`] with [`Operation::Create`]: of kind `AlreadyExists` if there is a file of this name, or what
    /// the system says.
    pub fn beside(target: &Path) -> Result<NewFile, StoreError> {
        // Only to fail before all the work: the link at the end decides.
        if target.try_exists().map_err(|source| failed(Operation::Create, target, source))? {
            return Err(failed(Operation::Create, target, io::ErrorKind::AlreadyExists.into()));
        }
        NewFile::with(target, &Access::OWNER)
    }

    /// The same with these permissions, and whether there is such a file or not.
    pub(crate) fn with(target: &Path, access: &Access) -> Result<NewFile, StoreError> {
        remove_abandoned(directory_of(target));
        // Whatever the system has against a file without a name, it says about one with a name.
        let made = NewFile::nameless(target, access).or_else(|_| NewFile::named(target, access));
        made.map_err(|source| failed(Operation::Create, target, source))
    }

    fn nameless(target: &Path, access: &Access) -> io::Result<NewFile> {
        let file = sys::create_nameless(directory_of(target), access.mode())?;
        access.apply(&file)?;
        Ok(NewFile { file, target: target.to_path_buf(), temporary: None })
    }

    fn named(target: &Path, access: &Access) -> io::Result<NewFile> {
        loop {
            let path = temporary_path(target);
            assert_ne!(path, target, "a new file is not written under its final name");
            let file = match create_new(&path, access) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // Somebody who looks for abandoned files may have come in between, and removes this one.
            if is_ours(&path, &file)? {
                return Ok(NewFile { file, target: target.to_path_buf(), temporary: Some(path) });
            }
        }
    }

    /// The file, open for reading and writing. O(1).
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Its temporary name, if it has one. O(1).
    #[must_use]
    pub fn temporary_path(&self) -> Option<&Path> {
        self.temporary.as_deref()
    }

    /// Opens it as a store, which must be dropped before [`finish`](NewFile::finish). The lock and the creation are not
    /// the store's: of the options, those about them have no effect.
    ///
    /// # Errors
    /// As [`PageFile::open`].
    pub fn page_file(&self, options: &FileOptions) -> Result<PageFile, StoreError> {
        let copy = self.file.try_clone().map_err(|source| failed(Operation::Open, &self.target, source))?;
        PageFile::without_name(LockedFile::lent(copy), &self.target, options)
    }

    /// Gives the file its name, unless there is a file of that name by now. With `sync`, a power cut leaves no file of
    /// this name or the whole one, and this one if it comes after the return. O(bytes that are not yet on the disk).
    ///
    /// # Errors
    /// [`StoreError::Io`] with [`Operation::Create`]: of kind `AlreadyExists` if there is a file of this name, which stays
    /// as it is; of kind `InvalidInput` if nothing was written; or what the system says. With [`Operation::Sync`] if the
    /// directory cannot be synced: the file is then there, but a power cut may take it.
    pub fn finish(mut self, sync: bool) -> Result<(), StoreError> {
        let named = self.settle(sync).and_then(|()| match self.link() {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // No hard links here: claim the name, then replace what claims it.
                create_new(&self.target, &Access::OWNER)?;
                self.replace(sync)
            }
            other => other,
        });
        named.map_err(|source| failed(Operation::Create, &self.target, source))?;
        let target = std::mem::take(&mut self.target);
        drop(self);
        if sync { sync_directory(&target) } else { Ok(()) }
    }

    /// What was written is all; with `sync` it is durable, but for the name.
    pub(crate) fn settle(&self, sync: bool) -> io::Result<()> {
        assert!(!self.target.as_os_str().is_empty(), "a file is finished once");
        if self.file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no bytes were given"));
        }
        if sync { self.file.sync_all() } else { Ok(()) }
    }

    /// Gives it the final name, which nothing may have.
    pub(crate) fn link(&self) -> io::Result<()> {
        assert_ne!(self.temporary.as_ref(), Some(&self.target), "the final name comes last");
        match &self.temporary {
            Some(temporary) => fs::hard_link(temporary, &self.target),
            None => sys::link_nameless(&self.file, &self.target),
        }
    }

    /// Gives it the final name, and takes that from the file that has it.
    pub(crate) fn replace(&mut self, sync: bool) -> io::Result<()> {
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None => self.name_for_a_moment(sync)?,
        };
        let replaced = fs::rename(&temporary, &self.target);
        if replaced.is_err() {
            self.temporary = Some(temporary);
        }
        replaced
    }

    /// A temporary name for a file that had none: only a file with a name can take the name of another.
    fn name_for_a_moment(&mut self, sync: bool) -> io::Result<PathBuf> {
        assert!(self.temporary.is_none(), "a file gets one temporary name");
        // Where there are no locks, nobody removes the file.
        let _ = sys::try_lock(&self.file, false);
        let path = temporary_path(&self.target);
        if sys::link_nameless(&self.file, &path).is_ok() {
            return Ok(path);
        }
        // The file can have no name, so a copy of it takes its place.
        let mut copy = NewFile::named(&self.target, &Access::As(self.file.metadata()?.permissions()))?;
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut self.file, &mut copy.file)?;
        copy.settle(sync)?;
        std::mem::swap(self, &mut copy);
        assert!(copy.temporary.is_none(), "what is dropped here has no name");
        self.temporary.take().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // If the system refuses, the next new file in this directory takes it away.
            let _ = fs::remove_file(temporary);
        }
        // Closing alone may release the lock only later: see `LockedFile`.
        let _ = sys::unlock(&self.file);
    }
}

/// Takes the lock of a file that has just been made; false if somebody else has it, or has removed the file.
fn is_ours(path: &Path, file: &File) -> io::Result<bool> {
    match sys::try_lock(file, false) {
        Err(TryLockError::WouldBlock) => Ok(false),
        // Without locks nobody can tell whether the file is abandoned, so nobody removes it.
        Err(TryLockError::Error(_)) | Ok(()) => match sys::names(path, file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other,
        },
    }
}

/// Who may open a new file.
pub(crate) enum Access {
    /// On Unix, this mode without the bits that the process's umask removes.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no modes"))]
    Mode(u32),
    /// The same permissions as another file.
    As(Permissions),
}

impl Access {
    /// Only the owner, as in bbolt's tools and etcd.
    pub(crate) const OWNER: Access = Access::Mode(0o600);

    /// The mode to make the file with.
    fn mode(&self) -> u32 {
        if let Access::Mode(mode) = self { *mode } else { 0o600 }
    }

    /// What the making has not done.
    fn apply(&self, file: &File) -> io::Result<()> {
        if let Access::As(permissions) = self { file.set_permissions(permissions.clone()) } else { Ok(()) }
    }
}

/// Makes a file that did not exist.
pub(crate) fn create_new(path: &Path, access: &Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.mode());
    let file = options.open(path)?;
    access.apply(&file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// As on a system without nameless files.
    #[test]
    fn a_named_file_is_known_by_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new");
        let mut living = NewFile::named(&target, &Access::OWNER).unwrap();
        living.file().write_all(b"a living maker's").unwrap();
        let abandoned = temporary_path(&target);
        fs::write(&abandoned, b"half of i").unwrap();

        let mut other = NewFile::beside(&dir.path().join("other")).unwrap();
        assert!(!abandoned.exists(), "nobody has its lock");
        assert!(living.temporary_path().unwrap().exists(), "its maker lives");
        other.file().write_all(b"other").unwrap();
        other.finish(true).unwrap();
        living.finish(true).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"a living maker's");
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, ["new", "other"]);
    }

    #[test]
    fn a_named_file_replaces_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new");
        fs::write(&target, b"old").unwrap();
        for make in [NewFile::named, |target: &Path, access: &Access| {
            NewFile::nameless(target, access).or_else(|_| NewFile::named(target, access))
        }] {
            let mut new = make(&target, &Access::OWNER).unwrap();
            new.file().write_all(b"whole").unwrap();
            new.settle(true).unwrap();
            new.replace(true).unwrap();
            drop(new);
            assert_eq!(fs::read(&target).unwrap(), b"whole");
            assert_eq!(names(dir.path()), ["new"]);
            drop(make(&target, &Access::OWNER).unwrap());
            assert_eq!(names(dir.path()), ["new"], "what is not finished is not left");
        }
    }

    /// The lock of a store on the file is not released under its maker.
    #[test]
    fn a_store_on_a_named_file_leaves_the_lock_to_its_maker() {
        let dir = tempfile::tempdir().unwrap();
        let mut new = NewFile::named(&dir.path().join("new"), &Access::OWNER).unwrap();
        new.file().write_all(&[7; 4096]).unwrap();
        drop(new.page_file(&FileOptions::default()).unwrap());
        remove_abandoned(dir.path());
        assert!(new.temporary_path().unwrap().exists());
        new.finish(true).unwrap();
        assert_eq!(names(dir.path()), ["new"]);
    }
}
