//! Creates a new file that is whole as soon as it has its name.
//!
//! The bytes go into a [`NewFile`]. After a sync it gets the name, but never takes it from a file that another process
//! has made meanwhile:
//!
//! - If nothing has the name, a hard link gives it; the link fails if something has the name by then.
//! - On a file system without hard links, an empty file claims the name, and the next case applies.
//! - If an empty file has the name (a claim, or made by a user), a rename replaces it. The creator
//!   holds the lock of the empty file and checks again that it is empty. Another process that waits
//!   for that lock notices the change, because the path no longer names the file that it has locked.
//!   Windows may refuse to replace an open file (not on NTFS); the creator then writes into the empty
//!   file, and a power cut may leave it half written.
//!
//! A power cut or a kill leaves nothing, an empty file or the whole file.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::Path;

use crate::error::{Operation, StoreError, failed};
use crate::new_file::{Access, NewFile, create_new};
use crate::position;

/// Makes a new file from the bytes that `fill` writes, durably: a power cut leaves no file of this name or the whole
/// one. For backups and exports, which stream more bytes than fit into memory. [`NewFile`] does the same step by step.
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
    let mut new = NewFile::beside(path)?;
    fill(new.file()).map_err(|source| failed(Operation::Create, path, source))?;
    new.finish(true)
}

/// Gives the name to a new file with these bytes, or leaves it to the file that has it already.
/// Without hard links, an empty file has the name afterwards.
pub(crate) fn publish(path: &Path, bytes: &[u8], sync: bool, mode: Option<u32>) -> Result<(), StoreError> {
    let access = mode.map_or(Access::OWNER, Access::Mode);
    let mut new = NewFile::with(path, &access)?;
    let claimed = new.file().write_all(bytes).and_then(|()| new.settle(sync)).and_then(|()| {
        new.link().or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            _ => create_new(path, &access).map(drop),
        })
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
    let mut new = NewFile::with(path, &Access::As(permissions))?;
    let written = new.file().write_all(bytes).and_then(|()| new.settle(sync));
    let replaced = written.and_then(|()| {
        new.replace(sync).or_else(|error| {
            if cfg!(not(windows)) {
                return Err(error);
            }
            let written = position::write_all_at(empty, 0, &[IoSlice::new(bytes)]).map_err(|(_at, error)| error);
            written.and_then(|()| if sync { empty.sync_all() } else { Ok(()) })
        })
    });
    replaced.map_err(|source| failed(Operation::Create, path, source))
}
