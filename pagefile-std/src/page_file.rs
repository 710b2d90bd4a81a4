//! A store in a file.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::durable::DurableFile;
use crate::error::{Operation, StoreError, failed};
use crate::growth::grown_len;
use crate::latch::Latch;
use crate::lock::{LockedFile, open_locked};
use crate::map::{Map, addressable};
use crate::mapping::Mapping;
use crate::name::Name;
use crate::options::FileOptions;
use crate::path::{follow_links, sync_directory};
use crate::store::{PageStore, View, check_range};
use crate::{create, position};

/// Bytes of pages in a file, under an advisory lock, mapped for reading.
///
/// Writes go through the file (with `pwritev` where the system has it) and not through the map. The
/// map is read-only, so a stray store into it is a fault instead of damage. The lock lasts until the
/// store *and* all its [owned views](PageStore::view_owned) are dropped.
///
/// # Durability by system
///
/// `sync` is `fdatasync` on Linux, `FlushFileBuffers` on Windows and `fcntl(F_FULLFSYNC)` on Apple
/// systems, where `fsync` alone leaves the bytes in the drive's cache (std's `File::sync_data` calls
/// the right one). `write_durable_at` is one call on Linux, of a second open file with `O_DSYNC`; elsewhere, on file
/// systems of other machines and on those that a program serves (FUSE), it is a write and a sync. On Linux, kernels 5.10 to
/// 5.16 with ext4's `fast_commit` may lose the length of a synced file: use a later kernel.
///
/// # A file that loses its name
///
/// [`check_name`](PageStore::check_name) looks whether the path still leads to the open file: at the first call, and then
/// at most once a second as long as it does. Windows refuses to remove or replace a file that is mapped; a rename is
/// noticed there as elsewhere. Where the process may not look at the path, nothing is noticed.
///
/// # A file that becomes shorter
///
/// [`truncate`](PageStore::truncate) works on Unix. Windows refuses it while a file is mapped, so there it does nothing.
///
/// # Creation
///
/// A new file is for its owner alone (mode 0600 on Unix, unless [`FileOptions::mode`] says
/// otherwise). It appears under its name whole or not at all. Only on a file system without hard links
/// a crash may leave an empty file, which counts as absent.
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
/// assert!(matches!(PageFile::open(&path, &options), Err(StoreError::AlreadyOpen { .. })));
///
/// drop(store);
/// let store = PageFile::open(&path, &FileOptions { read_only: true, ..options })?;
/// assert_eq!(store.view().bytes(0, 5), Some(&b"first"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PageFile {
    file: Arc<LockedFile>,
    /// For durable writes, where the system promises them.
    durable: Option<DurableFile>,
    path: PathBuf,
    /// None if the file has no name, or may lose it.
    name: Option<Name>,
    len: AtomicU64,
    mapping: Mapping,
    latch: Latch,
    /// Held through a sync or a growth. The system reports a failed write-back once: if two syncs ran
    /// at the same time, one would fail and the other succeed, though the same bytes are lost. So
    /// the second waits, and the latch refuses it.
    barrier: Mutex<()>,
    options: FileOptions,
    no_sync: AtomicBool,
    no_grow_sync: AtomicBool,
    /// A truncation has failed, so the file may have old bytes past its length.
    cut_before_growth: AtomicBool,
}

impl PageFile {
    /// Opens an existing file. Waits for its lock as long as the options allow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Locked`] after the time limit,
    /// [`StoreError::AddressSpace`] if the file does not fit into the process,
    /// [`StoreError::LockedMemory`] with the option `mlock`, [`StoreError::Io`] otherwise, for
    /// instance if the path names a directory, a FIFO or a device.
    pub fn open(path: &Path, options: &FileOptions) -> Result<PageFile, StoreError> {
        let file = open_locked(path, options)?;
        PageFile::with_file(file, path, options)
    }

    /// Opens a file, or creates it with `first_bytes` if there is none or an empty one.
    ///
    /// Calls `first_bytes` when it has to create the file, and again if other processes create and
    /// delete the file meanwhile. If another process creates the file first, that file is opened.
    /// With the option `read_only` nothing is created.
    ///
    /// # Errors
    /// Those of [`open`](PageFile::open), and [`StoreError::Io`] with [`Operation::Create`] if the
    /// file cannot be created or `first_bytes` returns no bytes.
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
        let mut store = PageFile::without_name(file, path, options)?;
        if !options.allow_moved {
            store.name = Some(Name::new(path).map_err(|source| failed(Operation::Open, path, source))?);
        }
        Ok(store)
    }

    /// Of a file that is to be called `path`.
    pub(crate) fn without_name(file: LockedFile, path: &Path, options: &FileOptions) -> Result<PageFile, StoreError> {
        let len = file.metadata().map_err(|source| failed(Operation::Open, path, source))?.len();
        let file = Arc::new(file);
        let durable = if options.read_only { None } else { DurableFile::of(&file, path) };
        let map = map_file(&file, path, len, options)?;
        assert_eq!(map.len(), len, "the first map shows the whole file");
        let store = PageFile {
            mapping: if map.has_room() { Mapping::reserved(map) } else { Mapping::moving(map) },
            file,
            durable,
            path: path.to_path_buf(),
            name: None,
            len: AtomicU64::new(len),
            latch: Latch::new(),
            barrier: Mutex::new(()),
            options: options.clone(),
            no_sync: AtomicBool::new(options.no_sync),
            no_grow_sync: AtomicBool::new(options.no_grow_sync),
            cut_before_growth: AtomicBool::new(false),
        };
        store.lock_in_memory()?;
        Ok(store)
    }

    /// The path of the file, at the end of its symbolic links if the file was opened with
    /// [`open_or_create`](PageFile::open_or_create). O(1).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was opened for reading only. O(1).
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// Changes [`FileOptions::no_sync`] from the next call on. Bytes written while it was on become
    /// durable with the first sync after it is off.
    pub fn set_no_sync(&self, no_sync: bool) {
        self.no_sync.store(no_sync, Ordering::Relaxed);
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        if self.options.read_only {
            return Err(StoreError::ReadOnly { path: self.path.clone() });
        }
        self.latch.check()
    }

    /// Runs a call that changes the file, unless an earlier one has failed.
    fn change(&self, call: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        assert!(!self.options.read_only, "nothing changes a file that is open read-only");
        let changed = self.latch.run(call);
        assert!(changed.is_ok() || self.poisoned(), "nothing changes the file after a failure");
        changed
    }

    /// Writes `bufs` by `write_all`, a call that says at which offset it has failed.
    fn write_by(
        &self,
        offset: u64,
        bufs: &[IoSlice<'_>],
        write_all: impl Fn(u64, &[IoSlice<'_>]) -> Result<(), (u64, io::Error)>,
    ) -> Result<(), StoreError> {
        self.check_writable()?;
        let len = bufs.iter().map(|buf| buf.len() as u64).sum();
        check_range(Operation::Write, offset, len, self.len())?;
        debug_assert!(offset + len <= self.mapping.current().len(), "the map shows whatever is written");
        let write = || {
            write_all(offset, bufs).map_err(|(offset, source)| StoreError::Io {
                operation: Operation::Write,
                path: self.path.clone(),
                offset: Some(offset),
                source,
            })
        };
        if self.options.private_reads {
            return self.change(|| self.mapping.current().with_file(offset, bufs, write));
        }
        self.change(write)
    }

    fn lengthen_file(&self, len: u64) -> Result<(), StoreError> {
        assert!(len > self.len(), "growth only makes the file longer");
        self.assert_alone();
        let no_sync = self.no_sync.load(Ordering::Relaxed);
        let no_grow_sync = no_sync || self.no_grow_sync.load(Ordering::Relaxed);
        if self.cut_before_growth.load(Ordering::Relaxed) {
            self.file.set_len(self.len()).map_err(|source| failed(Operation::Truncate, &self.path, source))?;
            self.cut_before_growth.store(false, Ordering::Relaxed);
        }
        let lengthened = self.file.metadata().and_then(|metadata| {
            // An earlier growth that found no room for its map has left the file longer than `len()`.
            if metadata.len() < len { self.file.set_len(len) } else { Ok(()) }
        });
        lengthened.map_err(|source| failed(Operation::Grow, &self.path, source))?;
        if no_grow_sync {
            return Ok(());
        }
        self.file.sync_all().map_err(|source| failed(Operation::Sync, &self.path, source))
    }

    /// A second sync or growth at the same time would wait for the lock that this one holds.
    fn assert_alone(&self) {
        assert!(self.barrier.try_lock().is_err(), "syncs and growths run one at a time");
    }

    fn lock_in_memory(&self) -> Result<(), StoreError> {
        if !self.options.mlock {
            return Ok(());
        }
        let map = self.mapping.current();
        assert!(map.len() >= self.len(), "all bytes of the file are locked in memory");
        map.lock_in_memory().map_err(|source| StoreError::LockedMemory {
            path: self.path.clone(),
            len: map.len(),
            source,
        })
    }
}

/// Maps a file, or memory for copies of it, with room to grow if the address space allows.
fn map_file(file: &Arc<LockedFile>, path: &Path, len: u64, options: &FileOptions) -> Result<Map, StoreError> {
    let map = |room| {
        if options.private_reads { Map::copy_of_file(file, path, len, room) } else { Map::of_file(file, len, room) }
    };
    let roomy = if Map::CAN_RESERVE { map(options.room(len)).ok() } else { None };
    roomy.map_or_else(|| map(len), Ok).map_err(|source| no_room(path, len, source))
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
        let len = if cfg!(debug_assertions) { self.len() } else { 0 };
        let view = self.mapping.view();
        // A truncation meanwhile has lowered the length of the store first.
        debug_assert!(view.len() >= len || self.len() < len, "a view has all bytes of the store");
        view
    }

    fn view_owned(&self) -> View<'static> {
        let len = self.len();
        let view = self.mapping.view_owned();
        assert!(view.len() >= len || self.len() < len, "an owned view has all bytes of the store");
        view
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        check_range(Operation::Read, offset, buf.len() as u64, self.len())?;
        position::read(&self.file, &self.path, offset, buf)
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.write_by(offset, bufs, |offset, bufs| position::write_all_at(&self.file, offset, bufs))
    }

    fn write_durable_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        match &self.durable {
            Some(durable) if !self.no_sync.load(Ordering::Relaxed) => {
                assert!(!self.options.read_only, "only a file that can be written is open for durable writes");
                self.write_by(offset, bufs, |offset, bufs| durable.write_all_at(offset, bufs))
            }
            _ => {
                self.write_at(offset, bufs)?;
                self.sync()
            }
        }
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        let _alone = self.barrier.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_writable()?;
        if min_len <= self.len() {
            return Ok(());
        }
        let len = grown_len(min_len);
        // Checked first: a longer file could not be opened again.
        addressable(len).map_err(|source| no_room(&self.path, len, source))?;
        self.change(|| self.lengthen_file(len))?;
        // If there is no room for the map, the file stays longer than `len()`, which is harmless.
        self.mapping.grow(len, |_| map_file(&self.file, &self.path, len, &self.options))?;
        self.lock_in_memory()?;
        assert!(self.mapping.current().len() >= len, "the map shows the new bytes before the length includes them");
        let before = self.len.swap(len, Ordering::AcqRel);
        assert!(before < len, "the length rises, and only by growth");
        Ok(())
    }

    fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
        let _alone = self.barrier.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_writable()?;
        let len = grown_len(min_len);
        if len >= self.len() || !Map::CAN_OUTLAST_ITS_FILE {
            return Ok(());
        }
        self.len.store(len, Ordering::Release);
        self.mapping.shorten(len);
        assert!(self.mapping.current().len() <= len, "the map ends before the file does");
        self.file.set_len(len).map_err(|source| {
            self.cut_before_growth.store(true, Ordering::Relaxed);
            failed(Operation::Truncate, &self.path, source)
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        let _alone = self.barrier.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_writable()?;
        if self.no_sync.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.assert_alone();
        self.change(|| self.file.sync_data().map_err(|source| failed(Operation::Sync, &self.path, source)))
    }

    fn check_name(&self) -> Result<(), StoreError> {
        self.name.as_ref().map_or(Ok(()), |name| name.check(&self.file, Instant::now()))
    }

    fn set_no_grow_sync(&self, no_grow_sync: bool) {
        self.no_grow_sync.store(no_grow_sync, Ordering::Relaxed);
    }

    fn poisoned(&self) -> bool {
        self.latch.poisoned()
    }
}
