//! A file that another process may be writing at this moment, read without its lock.
//!
//! Nothing keeps the other process from writing what is being read. So bytes are copied with ordinary reads, and after each
//! read the layer above is asked whether the file still was what it takes it for. Bytes are shown only if it says yes.

use std::fmt;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Operation, StoreError, failed};
use crate::lock::LockedFile;
use crate::map::Map;
use crate::path::{open_regular, still_names};
use crate::position;
use crate::store::{PageStore, View, check_range};
use crate::sys;

/// A file that is open for reading while other processes may hold its lock and write to it. It takes no lock, and writes
/// nothing.
///
/// ```
/// use pagefile_std::{LiveFile, PageStore, StoreError};
/// use std::sync::Arc;
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("pages");
/// std::fs::write(&path, b"1 first")?;
/// let file = Arc::new(LiveFile::open(&path)?);
///
/// // The first byte is the version of what follows.
/// let reread = Arc::clone(&file);
/// let look = file.look(7, move || {
///     let mut version = [0];
///     reread.read_at(0, &mut version)?;
///     Ok(version == *b"1")
/// })?;
/// std::fs::write(&path, b"2 other")?;
/// assert!(matches!(look.view().read(2, 5), Err(StoreError::Overtaken { .. })));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LiveFile {
    file: Arc<LockedFile>,
    path: PathBuf,
}

impl LiveFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Remote`] on a network file system, as far as the system says so (Linux and
    /// Apple systems do); [`StoreError::Io`] otherwise, for instance if the path names no regular file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = open_regular(path, false).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => StoreError::NotFound { path: path.to_path_buf() },
            _ => failed(Operation::Open, path, source),
        })?;
        if sys::is_remote(&file).map_err(|source| failed(Operation::Open, path, source))? {
            return Err(StoreError::Remote { path: path.to_path_buf() });
        }
        Ok(Self { file: Arc::new(LockedFile::lent(file)), path: path.to_path_buf() })
    }

    /// Returns the path that the file was opened with. O(1).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many bytes the file has at this moment. A system call.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the system refuses.
    pub fn file_len(&self) -> Result<u64, StoreError> {
        let metadata = self.file.metadata().map_err(|source| failed(Operation::Open, &self.path, source))?;
        Ok(metadata.len())
    }

    /// Returns whether the path still names this file. Some system calls.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the system refuses.
    pub fn is_named(&self) -> Result<bool, StoreError> {
        still_names(&self.path, &self.file)
    }

    /// Copies what the file has from `offset` on at this moment. Somebody may be in the middle of writing it. O(bytes).
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file ends before, or the system refuses.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        position::read(&self.file, &self.path, offset, buf)
    }

    /// Returns a store with the first `len` bytes of the file, read-only, of which it shows only what `confirm` confirms:
    /// after each read, which fails with [`StoreError::Overtaken`] if `confirm` answers false. What was shown stays as it
    /// was. O(1).
    ///
    /// # Errors
    /// [`StoreError::AddressSpace`] if the process has no room for so many bytes.
    pub fn look(
        &self,
        len: u64,
        confirm: impl Fn() -> Result<bool, StoreError> + Send + Sync + 'static,
    ) -> Result<Look, StoreError> {
        let path = self.path.clone();
        let confirm: Confirm =
            Arc::new(move || if confirm()? { Ok(()) } else { Err(StoreError::Overtaken { path: path.clone() }) });
        let map = Map::copy_of_live_file(&self.file, &self.path, len, &confirm)
            .map_err(|source| StoreError::AddressSpace { path: self.path.clone(), len, source })?;
        debug_assert_eq!(map.len(), len, "a look has the bytes that were asked for");
        Ok(Look { file: Arc::clone(&self.file), path: self.path.clone(), map: Arc::new(map), confirm })
    }
}

/// Says whether what was just read may be shown.
pub(crate) type Confirm = Arc<dyn Fn() -> Result<(), StoreError> + Send + Sync>;

/// One look into a [`LiveFile`]: a store that cannot be changed, whose bytes are those of one moment as its maker judges it.
pub struct Look {
    file: Arc<LockedFile>,
    path: PathBuf,
    map: Arc<Map>,
    confirm: Confirm,
}

impl Look {
    fn read_only<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::ReadOnly { path: self.path.clone() })
    }
}

impl PageStore for Look {
    fn len(&self) -> u64 {
        self.map.len()
    }

    fn view(&self) -> View<'_> {
        View::Fixed(&self.map)
    }

    fn view_owned(&self) -> View<'static> {
        View::Kept(Arc::clone(&self.map))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        check_range(Operation::Read, offset, buf.len() as u64, self.len())?;
        confirmed(|| position::read(&self.file, &self.path, offset, buf), &self.confirm)
    }

    fn write_at(&self, _offset: u64, _bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.read_only()
    }

    fn grow(&self, _min_len: u64) -> Result<(), StoreError> {
        self.read_only()
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.read_only()
    }

    fn poisoned(&self) -> bool {
        false
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("path", &self.path).field("len", &self.map.len()).finish_non_exhaustive()
    }
}

/// What `read` read, if it is confirmed afterwards. A file that has gone on may end before what was sought in it: that it has
/// gone on is then the error.
pub(crate) fn confirmed(read: impl FnOnce() -> Result<(), StoreError>, confirm: &Confirm) -> Result<(), StoreError> {
    let read = read();
    confirm().and(read)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn what_is_not_confirmed_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pages");
        fs::write(&path, vec![7; 10_000]).unwrap();
        let file = LiveFile::open(&path).unwrap();
        let still = Arc::new(AtomicBool::new(true));
        let answer = Arc::clone(&still);
        let look = file.look(9000, move || Ok(answer.load(Ordering::Relaxed))).unwrap();
        assert_eq!((look.len(), file.file_len().unwrap()), (9000, 10_000));
        assert_eq!(look.view().read(0, 4096).unwrap(), &[7; 4096][..]);
        still.store(false, Ordering::Relaxed);
        fs::write(&path, vec![8; 8192]).unwrap();
        assert_eq!(look.view().read(0, 4096).unwrap(), &[7; 4096][..], "what was shown stays as it was");
        assert!(matches!(look.view().read(4096, 1), Err(StoreError::Overtaken { .. })));
        assert!(matches!(look.view().read(8192, 1), Err(StoreError::Overtaken { .. })), "past the end of the file");
        assert!(matches!(look.read_at(0, &mut [0; 10]), Err(StoreError::Overtaken { .. })));
        still.store(true, Ordering::Relaxed);
        assert_eq!(look.view().read(4096, 1).unwrap(), &[8]);
        assert!(matches!(look.view().read(8192, 1), Err(StoreError::Io { .. })), "the file ends before");
        assert!(matches!(look.view().read(9000, 1), Err(StoreError::OutOfBounds { .. })));
    }

    #[test]
    fn a_look_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pages");
        fs::write(&path, b"bytes").unwrap();
        let look = LiveFile::open(&path).unwrap().look(5, || Ok(true)).unwrap();
        for refused in [look.write_at(0, &[IoSlice::new(b"B")]), look.grow(9), look.sync()] {
            assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
        }
        look.truncate(0).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
    }

    #[test]
    fn a_file_in_its_place_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("pages"), directory.path().join("other"));
        fs::write(&path, b"old").unwrap();
        fs::write(&other, b"new").unwrap();
        let file = LiveFile::open(&path).unwrap();
        assert!(file.is_named().unwrap());
        fs::rename(&other, &path).unwrap();
        assert!(!file.is_named().unwrap());
        assert!(matches!(LiveFile::open(&other), Err(StoreError::NotFound { .. })));
        assert!(matches!(LiveFile::open(directory.path()), Err(StoreError::Io { .. })));
    }
}
