//! Creates a new file that is whole as soon as it has its name.
//!
//! The bytes go into a temporary file in the same directory. After a sync the temporary file gets the
//! name, but never takes it from a file that another process has made meanwhile:
//!
//! - If nothing has the name, a hard link gives it; the link fails if something has the name by then.
//! - On a file system without hard links, an empty file claims the name, and the next case applies.
//! - If an empty file has the name (a claim, or made by a user), a rename replaces it. The creator
//!   holds the lock of the empty file and checks again that it is empty. Another process that waits
//!   for that lock notices the change, because the path no longer names the file that it has locked.
//!   Windows may refuse to replace an open file (not on NTFS); the creator then writes into the empty
//!   file, and a power cut may leave it half written.
//!
//! A power cut or a kill leaves nothing, an empty file or the whole file. A kill may also leave the
//! temporary file (`.pagefile-*.new`), which nobody ever reads and which may be deleted.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::{Operation, StoreError, failed};
use crate::path::sync_directory;
use crate::position;

/// Makes a new file from the bytes that `fill` writes, durably: a power cut leaves no file of this name or the whole
/// one. For backups and exports, which stream more bytes than fit into memory.
///
/// # Errors
/// [`StoreError::Io`] with [`Operation::Create`]: of kind `AlreadyExists` if there is a file of this name, which stays
/// as it is; with the error of `fill`; or if `fill` wrote nothing. With [`Operation::Sync`] if the directory cannot be
/// synced: the file is then there, but a power cut may take it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("copy");
/// pagefile_std::create_whole(&path, &mut |file| std::io::Write::write_all(file, b"all of it"))?;
/// assert!(pagefile_std::create_whole(&path, &mut |file| std::io::Write::write_all(file, b"again")).is_err());
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_whole(path: &Path, fill: &mut dyn FnMut(&mut File) -> io::Result<()>) -> Result<(), StoreError> {
    let exists = || failed(Operation::Create, path, io::ErrorKind::AlreadyExists.into());
    // Only to fail before all the work: the link at the end decides.
    if path.try_exists().map_err(|source| failed(Operation::Create, path, source))? {
        return Err(exists());
    }
    let temporary = Temporary::write(path, true, &Access::OWNER, fill)?;
    match fs::hard_link(&temporary.path, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists()),
        Err(_) => {
            // No hard links here: claim the name, then replace what claims it.
            create_new(path, &Access::OWNER).map_err(|source| failed(Operation::Create, path, source))?;
            fs::rename(&temporary.path, path).map_err(|source| failed(Operation::Create, path, source))?;
        }
        Ok(()) => {}
    }
    drop(temporary);
    sync_directory(path)
}

/// Gives the name to a new file with these bytes, or leaves it to the file that has it already.
/// Without hard links, an empty file has the name afterwards.
pub(crate) fn publish(path: &Path, bytes: &[u8], sync: bool, mode: Option<u32>) -> Result<(), StoreError> {
    let access = mode.map_or(Access::OWNER, Access::Mode);
    let temporary = Temporary::write(path, sync, &access, &mut |file| file.write_all(bytes))?;
    let claimed = fs::hard_link(&temporary.path, path).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Err(error),
        _ => create_new(path, &access).map(drop),
    });
    match claimed {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(Operation::Create, path, error)),
        _ => Ok(()),
    }
}

/// Replaces an empty file, whose lock the caller holds, by a new file with these bytes and the
/// permissions of the empty one.
pub(crate) fn replace_empty(path: &Path, empty: &File, bytes: &[u8], sync: bool) -> Result<(), StoreError> {
    let permissions = empty.metadata().map_err(|source| failed(Operation::Create, path, source))?.permissions();
    let temporary = Temporary::write(path, sync, &Access::As(permissions), &mut |file| file.write_all(bytes))?;
    let replaced = fs::rename(&temporary.path, path).or_else(|error| {
        if cfg!(not(windows)) {
            return Err(error);
        }
        let written = position::write_all_at(empty, 0, &[IoSlice::new(bytes)]).map_err(|(_at, error)| error);
        written.and_then(|()| if sync { empty.sync_all() } else { Ok(()) })
    });
    replaced.map_err(|source| failed(Operation::Create, path, source))
}

/// A file under a temporary name, which is removed at the end.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Writes it, next to `target`.
    fn write(
        target: &Path,
        sync: bool,
        access: &Access,
        content: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> Result<Temporary, StoreError> {
        loop {
            let random = RandomState::new().hash_one(target);
            let name = format!(".pagefile-{}-{random:016x}.new", process::id());
            let path = target.with_file_name(name);
            assert_ne!(path, target, "a new file is not written under its final name");
            let mut file = match create_new(&path, access) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other.map_err(|source| failed(Operation::Create, &path, source))?,
            };
            // From here on the file is removed even if something fails.
            let temporary = Temporary { path };
            return content(&mut file)
                .and_then(|()| match file.metadata()?.len() {
                    0 => Err(io::Error::new(io::ErrorKind::InvalidInput, "no bytes were given")),
                    _ => Ok(()),
                })
                .and_then(|()| if sync { file.sync_all() } else { Ok(()) })
                .map(|()| temporary)
                .map_err(|source| failed(Operation::Create, target, source));
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing to remove. If the system refuses, a harmless file stays.
        let _ = fs::remove_file(&self.path);
    }
}

/// Who may open a new file.
enum Access {
    /// On Unix, this mode without the bits that the process's umask removes.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no modes"))]
    Mode(u32),
    /// The same permissions as another file.
    As(Permissions),
}

impl Access {
    /// Only the owner, as in bbolt's tools and etcd.
    const OWNER: Access = Access::Mode(0o600);
}

/// Makes a file that did not exist.
fn create_new(path: &Path, access: &Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if let Access::Mode(mode) = access { *mode } else { 0o600 });
    let file = options.open(path)?;
    if let Access::As(permissions) = access {
        file.set_permissions(permissions.clone())?;
    }
    Ok(file)
}
