//! A store in a file.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Operation, StoreError, failed};
use crate::growth::grown_len;
use crate::latch::Latch;
use crate::lock::{LockedFile, open_locked};
use crate::map::{Map, addressable};
use crate::mapping::Mapping;
use crate::options::FileOptions;
use crate::path::{follow_links, sync_directory};
use crate::store::{PageStore, View, check_range};
use crate::{create, position};

/// Bytes of pages in a file, under an advisory lock, mapped for reading.
///
/// Writes go through the file (`pwritev` where there is one) and not through the map, which the
/// processor itself protects against stray stores. The lock lasts until the store *and* all its
/// [owned views](PageStore::view_owned) are gone.
///
/// # Durability by system
///
/// `sync` is `fdatasync` on Linux, `FlushFileBuffers` on Windows and `fcntl(F_FULLFSYNC)` on Apple
/// systems, where `fsync` alone leaves the bytes in the drive's cache (std's `File::sync_data` does
/// the right one of them). On Linux, kernels 5.10 to 5.16 with ext4's `fast_commit` may lose the
/// length of a synced file: use a later one.
///
/// # Creation
///
/// A new file is made for its owner alone (mode 0600 on Unix). It appears under its name whole or
/// not at all, unless its file system has no hard links, where a crash may leave it empty, which
/// counts as absent.
///
/// ```
/// use pagefile_std::{FileOptions, PageFile, PageStore, StoreError};
/// use std::time::Duration;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("pages");
/// let options = FileOptions { lock_timeout: Some(Duration::ZERO), ..FileOptions::default() };
///
/// assert!(matches!(PageFile::open(&path, &options), Err(StoreError::NotFound { .. })));
/// let store = PageFile::open_or_create(&path, &options, &mut || b"first bytes".to_vec())?;
/// assert!(matches!(PageFile::open(&path, &options), Err(StoreError::Locked { .. })));
///
/// drop(store);
/// let store = PageFile::open(&path, &FileOptions { read_only: true, ..options })?;
/// assert_eq!(store.view().bytes(0, 5), Some(&b"first"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PageFile {
    file: Arc<LockedFile>,
    path: PathBuf,
    len: AtomicU64,
    mapping: Mapping,
    latch: Latch,
    /// Held through a sync or a growth. The system reports a failed write-back once: of two syncs
    /// at the same time one would fail and the other succeed, though the same bytes are lost. So
    /// the second waits, and finds the latch shut.
    barrier: Mutex<()>,
    options: FileOptions,
    no_sync: AtomicBool,
    no_grow_sync: AtomicBool,
}

impl PageFile {
    /// Opens an existing file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Locked`] after the time limit,
    /// [`StoreError::AddressSpace`] if the file does not fit into the process,
    /// [`StoreError::LockedMemory`] with the option `mlock`, [`StoreError::Io`] for the rest.
    pub fn open(path: &Path, options: &FileOptions) -> Result<PageFile, StoreError> {
        let file = open_locked(path, options)?;
        PageFile::with_file(file, path, options)
    }

    /// Opens a file, or creates it with `first_bytes` if there is none or an empty one.
    ///
    /// `first_bytes` is called when the file has to be created, again if others create and delete
    /// it meanwhile. A file that another process creates first is opened as it is. With the option
    /// `read_only` nothing is created.
    ///
    /// # Errors
    /// Those of [`open`](PageFile::open), and [`StoreError::Io`] with
    /// [`Operation::Create`] if the file cannot be created or `first_bytes` gives none.
    pub fn open_or_create(
        path: &Path,
        options: &FileOptions,
        first_bytes: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<PageFile, StoreError> {
        if options.read_only {
            return PageFile::open(path, options);
        }
        let named = follow_links(path)?;
        let sync = !options.no_sync;
        loop {
            match open_locked(&named, options) {
                Ok(file) => match file.metadata() {
                    Ok(metadata) if metadata.len() == 0 => {
                        create::replace_empty(&named, &file, &first_bytes(), sync)?;
                    }
                    _ => return PageFile::with_file(file, &named, options),
                },
                Err(StoreError::NotFound { .. }) => {
                    create::publish(&named, &first_bytes(), sync, options.mode)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn with_file(file: LockedFile, path: &Path, options: &FileOptions) -> Result<PageFile, StoreError> {
        if !options.read_only && !options.no_sync {
            sync_directory(path)?;
        }
        let len = file.metadata().map_err(|source| failed(Operation::Open, path, source))?.len();
        let file = Arc::new(file);
        let map = map_file(&file, path, len, options)?;
        let store = PageFile {
            mapping: if map.has_room() { Mapping::reserved(map) } else { Mapping::moving(map) },
            file,
            path: path.to_path_buf(),
            len: AtomicU64::new(len),
            latch: Latch::new(),
            barrier: Mutex::new(()),
            options: options.clone(),
            no_sync: AtomicBool::new(options.no_sync),
            no_grow_sync: AtomicBool::new(options.no_grow_sync),
        };
        store.lock_in_memory()?;
        Ok(store)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was opened for reading only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// Switches [`FileOptions::no_sync`] from the next call on. What was written without is
    /// durable after the next sync with it.
    pub fn set_no_sync(&self, no_sync: bool) {
        self.no_sync.store(no_sync, Ordering::Relaxed);
    }

    /// Switches [`FileOptions::no_grow_sync`] from the next growth on.
    pub fn set_no_grow_sync(&self, no_grow_sync: bool) {
        self.no_grow_sync.store(no_grow_sync, Ordering::Relaxed);
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        if self.options.read_only {
            return Err(StoreError::ReadOnly { path: self.path.clone() });
        }
        self.latch.check()
    }

    fn lengthen_file(&self, len: u64) -> Result<(), StoreError> {
        let no_sync = self.no_sync.load(Ordering::Relaxed);
        let no_grow_sync = no_sync || self.no_grow_sync.load(Ordering::Relaxed);
        let lengthened = self.file.metadata().and_then(|metadata| {
            // A growth that found no room for its map has left the file longer than we say.
            if metadata.len() < len { self.file.set_len(len) } else { Ok(()) }
        });
        lengthened.map_err(|source| failed(Operation::Grow, &self.path, source))?;
        if no_grow_sync {
            return Ok(());
        }
        self.file.sync_all().map_err(|source| failed(Operation::Sync, &self.path, source))
    }

    fn lock_in_memory(&self) -> Result<(), StoreError> {
        if !self.options.mlock {
            return Ok(());
        }
        let map = self.mapping.current();
        map.lock_in_memory().map_err(|source| StoreError::LockedMemory {
            path: self.path.clone(),
            len: map.len(),
            source,
        })
    }
}

/// Maps a file with room to grow if there is any to be had, without if not.
fn map_file(file: &Arc<LockedFile>, path: &Path, len: u64, options: &FileOptions) -> Result<Map, StoreError> {
    let roomy = if Map::CAN_RESERVE { Map::of_file(file, len, options.room(len)).ok() } else { None };
    roomy.map_or_else(|| Map::of_file(file, len, len), Ok).map_err(|source| no_room(path, len, source))
}

fn no_room(path: &Path, len: u64, source: io::Error) -> StoreError {
    StoreError::AddressSpace { path: path.to_path_buf(), len, source }
}

impl PageStore for PageFile {
    fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    #[inline]
    fn view(&self) -> View<'_> {
        self.mapping.view()
    }

    fn view_owned(&self) -> View<'static> {
        self.mapping.view_owned()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        check_range(Operation::Read, offset, buf.len() as u64, self.len())?;
        position::read_exact_at(&self.file, offset, buf).map_err(|source| StoreError::Io {
            operation: Operation::Read,
            path: self.path.clone(),
            offset: Some(offset),
            source,
        })
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.check_writable()?;
        let len = bufs.iter().map(|buf| buf.len() as u64).sum();
        check_range(Operation::Write, offset, len, self.len())?;
        self.latch.run(|| {
            position::write_all_at(&self.file, offset, bufs).map_err(|(offset, source)| StoreError::Io {
                operation: Operation::Write,
                path: self.path.clone(),
                offset: Some(offset),
                source,
            })
        })
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        let _alone = self.barrier.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_writable()?;
        if min_len <= self.len() {
            return Ok(());
        }
        let len = grown_len(min_len);
        // Asked first: the file must not become longer than it could be opened again.
        addressable(len).map_err(|source| no_room(&self.path, len, source))?;
        self.latch.run(|| self.lengthen_file(len))?;
        // If there is no room for the map the file stays longer than we say, which is harmless.
        self.mapping.grow(len, |_| map_file(&self.file, &self.path, len, &self.options))?;
        self.lock_in_memory()?;
        self.len.store(len, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let _alone = self.barrier.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_writable()?;
        if self.no_sync.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.latch.run(|| self.file.sync_data().map_err(|source| failed(Operation::Sync, &self.path, source)))
    }

    fn poisoned(&self) -> bool {
        self.latch.poisoned()
    }
}
