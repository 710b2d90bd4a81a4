//! How to open a database.

use std::path::Path;
use std::time::Duration;

use freelist_core::{SortedArray, SpanMaps};
use pagefile_std::{FileOptions, PageStore};

use super::Db;
use super::open::{open_path, open_store};
use crate::error::{Error, Result};
use crate::format::PAGE_SIZES_CREATED;
use crate::store::AnySpans;

/// How free pages are held in memory. The file is the same with either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FreelistKind {
    /// Spans in hash maps: allocation and release in O(1).
    #[default]
    SpanMaps,
    /// One sorted array, as bbolt had it first: O(n). For comparison.
    SortedArray,
}

impl FreelistKind {
    pub(crate) fn create(self) -> AnySpans {
        match self {
            Self::SpanMaps => Box::new(SpanMaps::new()),
            Self::SortedArray => Box::new(SortedArray::new()),
        }
    }
}

/// When the list of free pages is written to the file. bbolt opens the file either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FreelistSync {
    /// With every commit, as bbolt does by default. A commit then costs O(free pages).
    Every,
    /// When the database is closed. A commit costs nothing for it; after a crash, opening the file walks the tree once
    /// to find the free pages.
    #[default]
    OnClose,
}

/// How to open a database: what is not set has its default.
///
/// ```
/// use std::time::Duration;
///
/// # let dir = tempfile::tempdir()?;
/// let db = kv::Options::new()
///     .lock_timeout(Duration::from_secs(1))
///     .page_size(16 * 1024)
///     .max_size(1 << 30)
///     .open(dir.path().join("options.db"))?;
/// assert_eq!(db.page_size(), 16 * 1024);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
#[allow(clippy::struct_excessive_bools, reason = "switches that have nothing to do with each other")]
pub struct Options {
    pub(super) file: FileOptions,
    pub(super) create: bool,
    pub(super) page_size: u32,
    pub(super) freelist: FreelistKind,
    pub(super) freelist_sync: FreelistSync,
    pub(super) initial_size: u64,
    pub(super) max_size: Option<u64>,
    pub(super) preload_freelist: bool,
    pub(super) strict: bool,
    pub(super) no_sync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: FileOptions::default(),
            create: true,
            page_size: 4096,
            freelist: FreelistKind::default(),
            freelist_sync: FreelistSync::default(),
            initial_size: 0,
            max_size: None,
            preload_freelist: false,
            strict: false,
            no_sync: false,
        }
    }
}

impl Options {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Open for reading only, beside other readers (of any process) and beside no writer. The file must exist.
    /// Default: false.
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.file.read_only = read_only;
        self
    }

    /// How long to wait while another process, or another handle, has the file. Default: for ever; zero tries once.
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.file.lock_timeout = Some(timeout);
        self
    }

    /// Create the file if it is not there. Default: true.
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Permissions of a new file on Unix, less those that the process's umask takes; elsewhere this has no effect. A
    /// file keeps those it has. Default: 0o600, its owner alone.
    pub const fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// Bytes of a page of a new file: a power of two from 1,024 to 65,536. A file keeps the size it was made with.
    /// Default: 4,096.
    pub const fn page_size(mut self, bytes: u32) -> Self {
        self.page_size = bytes;
        self
    }

    /// How free pages are held in memory. Default: [`FreelistKind::SpanMaps`].
    pub const fn freelist(mut self, kind: FreelistKind) -> Self {
        self.freelist = kind;
        self
    }

    /// When the list of free pages is written. Default: [`FreelistSync::OnClose`].
    pub const fn freelist_sync(mut self, sync: FreelistSync) -> Self {
        self.freelist_sync = sync;
        self
    }

    /// Commit without syncing, and grow the file without: a power cut may then leave a file that does not open. For data
    /// that can be made again. [`Db::set_no_sync`] changes it while open, [`Db::sync`] makes everything durable.
    /// Default: false.
    pub const fn no_sync(mut self, no_sync: bool) -> Self {
        self.no_sync = no_sync;
        self
    }

    /// Do not sync the file's growth by itself. On some file systems a power cut may then lose the end of the file.
    /// Default: false.
    pub const fn no_grow_sync(mut self, no_grow_sync: bool) -> Self {
        self.file.no_grow_sync = no_grow_sync;
        self
    }

    /// Bytes that the file is brought to when it is opened for writing, so that it need not grow soon. Default: 0.
    pub const fn initial_size(mut self, bytes: u64) -> Self {
        self.initial_size = bytes;
        self
    }

    /// Bytes that the database may use at most; a commit that needs more fails and changes nothing. The file may be
    /// longer by what it grows ahead. Default: no limit.
    pub const fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Load the list of free pages in read-only mode too, so that [`Stats`](crate::Stats) tells of them; for writing it
    /// is always loaded. Default: false.
    pub const fn preload_freelist(mut self, preload: bool) -> Self {
        self.preload_freelist = preload;
        self
    }

    /// Keep the file's bytes in main memory (`mlock`, Unix only). Default: false.
    pub const fn mlock(mut self, mlock: bool) -> Self {
        self.file.mlock = mlock;
        self
    }

    /// Bytes of address space to reserve for the map, so that growth does not move it. Default: 64 GiB or eight times
    /// the file, whichever is more. See [`pagefile_std::FileOptions::reserve`].
    pub const fn reserve(mut self, bytes: u64) -> Self {
        self.file.reserve = Some(bytes);
        self
    }

    /// Check the whole new state of each commit before it becomes visible, O(pages) each: for hunting defects.
    /// Default: false.
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Opens the database at `path`, or creates it.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::NotADatabase`], [`Error::ByteSwapped`], [`Error::VersionMismatch`],
    /// [`Error::ChecksumMismatch`], [`Error::Truncated`], [`Error::Corrupt`], [`Error::InvalidOption`],
    /// [`Error::Store`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Db> {
        self.validate()?;
        open_path(path.as_ref(), self)
    }

    /// Opens the database in `store`, or creates it if the store is empty. The options of files (lock, syncing, mlock)
    /// are the store's business. Creation is not atomic here, as it is for files.
    ///
    /// ```
    /// let store = pagefile_std::MemStore::new();
    /// let db = kv::Options::new().open_store(Box::new(store))?;
    /// db.update(|tx| tx.create_bucket("in memory").map(|_| ()))?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn open_store(&self, store: Box<dyn PageStore>) -> Result<Db> {
        self.validate()?;
        open_store(store, self, None)
    }

    fn validate(&self) -> Result<()> {
        if !self.page_size.is_power_of_two() || !PAGE_SIZES_CREATED.contains(&self.page_size) {
            return Err(Error::InvalidOption {
                option: "page_size",
                value: self.page_size.into(),
                expected: "a power of two from 1024 to 65536",
            });
        }
        Ok(())
    }
}
