//! How to open a database.

use std::time::Duration;

use freelist_core::{SortedArray, SpanMaps};
use pagefile_std::FileOptions;

use crate::error::{Error, Result};
use crate::format::PAGE_SIZES_CREATED;
use crate::store::{AnySpans, Carry};
use crate::tx::{RedoSettings, Settings, WalkProgress};

/// How the free pages are held in memory. Both kinds write the same file.
///
/// ```
/// use kv::{FreelistKind, MemStore, Options};
///
/// let db = Options::new().freelist(FreelistKind::SortedArray).open_store(Box::new(MemStore::new()))?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FreelistKind {
    /// Spans in hash maps, as bbolt's `hashmap`: allocation and release cost O(1).
    #[default]
    SpanMaps,
    /// One sorted array, as bbolt's `array`: allocation and release cost O(free pages). For comparison.
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

/// What is written to the file of its free pages, and when. bbolt opens the file in all cases.
///
/// ```
/// use kv::{FreelistSync, MemStore, Options};
///
/// // As bbolt writes files by default.
/// let db = Options::new().freelist_sync(FreelistSync::Every).open_store(Box::new(MemStore::new()))?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FreelistSync {
    /// Every commit writes the list, as bbolt does by default. A commit then costs O(free pages).
    Every,
    /// Closing the database writes the list, and commits do not. After a crash, opening the file for writing finds the
    /// free pages by one walk over all trees.
    OnClose,
    /// Every commit writes what it changed to a log in the file, O(its changes): mostly into bytes of the meta page that
    /// other libraries leave alone, and a few pages now and then. Opening reads the log, after a clean close and after a
    /// crash; nothing is searched for, and nothing is written on closing. bbolt and etcd, which do not know the log, find
    /// the free pages by a walk whenever they open the file, as after `OnClose` and a crash; what they commit leaves no log, so
    /// the next opening here walks once. A file that goes back and forth between both is better off with `OnClose`.
    #[default]
    Log,
}

impl FreelistSync {
    pub(super) const fn carry(self) -> Carry {
        match self {
            Self::Every => Carry::List,
            Self::OnClose => Carry::Nothing,
            Self::Log => Carry::Log,
        }
    }
}

/// How a commit becomes durable. The file says nothing of it after a clean close, and any choice opens any file.
///
/// | | [`TwoSync`](Self::TwoSync) | [`Log`](Self::Log) | [`Eventual`](Self::Eventual) |
/// | --- | --- | --- | --- |
/// | a commit waits for | its pages, then its meta page | one write of its changes, which it shares with all that wait then | nothing |
/// | what a power cut leaves | all commits that have returned | all commits that have returned | all but those of the last period |
/// | opening after a crash | a walk for the free pages, or their log | that walk, and the changes since the last checkpoint again | the same |
/// | while it is open | bbolt's file at every moment | a file that bbolt refuses; [`Db::peek`](crate::Db::peek) reads the log | the same |
/// | after a clean close | bbolt's file | bbolt's file, longer by the log | the same |
/// | memory | the cache | twice [`Options::log_memory`] beside it, as it is used | and half of [`Options::log_size`] |
///
/// ```
/// use kv::{Durability, MemStore, Options};
///
/// let db = Options::new().durability(Durability::Log).open_store(Box::new(MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("b")?.put("key", "durable by one write"))?;
/// db.close()?;
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Durability {
    /// A commit writes its pages and syncs them, then writes the meta page that names them, durably.
    #[default]
    TwoSync,
    /// A commit writes its changes to a log inside the file, durably. The changed pages stay in memory until a *checkpoint*
    /// writes them, by two syncs. A thread makes one beside the commits that follow when half of the log or of the memory is
    /// filled; commits wait for it when three quarters of the log are filled before it is done, or of the memory again. Others
    /// are made on [`Db::checkpoint`](crate::Db::checkpoint), and when the database is closed. A small commit waits about half as long
    /// (`cargo bench -p benches --bench commit`); a transaction whose changes take more than a quarter of the log, or of
    /// the memory, commits by two syncs, and so does one of large values, 256 KiB and more in all, so that they are
    /// written once, unless much else is in memory.
    ///
    /// While the database is open, and after a crash, the metas have another version number, which bbolt and etcd refuse; they
    /// would show the state of the last checkpoint otherwise. Opening the file for writing, with any options, or `kv checkpoint
    /// FILE` brings everything into the trees and makes the file bbolt's again. Opened read-only, and by
    /// [`Db::peek`](crate::Db::peek), it shows the newest commit, from a replay in memory. It cannot be combined with [`Options::no_sync`], [`Options::shrink`] and
    /// [`Options::private_reads`].
    ///
    /// Threads that commit at the same time share the write: while one of them writes, the changes of the others are queued, and
    /// the next write brings them all. Readers see a commit when it is durable. A write transaction builds on those that are
    /// queued; so a commit that changes nothing, and [`Db::update`](crate::Db::update) and [`Db::batch`](crate::Db::batch) whose
    /// closure fails, wait until what they have seen is durable. A transaction that is rolled back does not.
    ///
    /// If a write fails, the commits in it are [`Error::Unknown`], all of which the file has or none of them, and those queued
    /// behind it are [`Error::NotCommitted`].
    Log,
    /// As [`Log`](Self::Log), but commits return at once, and readers see them at once. A thread of the database writes what is
    /// queued, in order, when so much time has passed since the first of it was committed. So a power cut or `kill -9` loses the
    /// commits of the last period at most, the newest first, and never one that a later one that is there was built on.
    ///
    /// [`Db::sync`](crate::Db::sync), [`Db::checkpoint`](crate::Db::checkpoint) and closing make everything durable that was
    /// committed before. A commit waits for a write when more than a quarter of the log is queued. If a write in the background
    /// fails, the next transaction that begins, or `sync`, says so with [`Error::Unknown`]: commits that have returned may be
    /// lost then, and the handle refuses writes.
    ///
    /// ```
    /// use kv::{Durability, MemStore, Options};
    /// use std::time::Duration;
    ///
    /// let eventual = Durability::Eventual(Duration::from_millis(10));
    /// let db = Options::new().durability(eventual).open_store(Box::new(MemStore::new()))?;
    /// db.update(|tx| tx.create_bucket("b")?.put("key", "durable in 10 ms"))?;
    /// db.sync()?; // or now
    /// # Ok::<_, kv::Error>(())
    /// ```
    Eventual(Duration),
}

impl Durability {
    /// Whether commits go by a log.
    pub(super) const fn is_logged(self) -> bool {
        matches!(self, Self::Log | Self::Eventual(_))
    }
}

/// Options for opening a database. Every option has a default.
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
    pub(super) shrink: u32,
    pub(super) read_cache: usize,
    pub(super) write_memory: usize,
    pub(super) durability: Durability,
    pub(super) log_size: u64,
    pub(super) log_memory: usize,
    pub(super) checkpoint_thread: bool,
    pub(super) walk_progress: WalkProgress,
}

/// The wait for another process that is about to close the file, and not for one that works with it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

impl Default for Options {
    fn default() -> Self {
        Self {
            file: FileOptions { lock_timeout: Some(LOCK_TIMEOUT), ..FileOptions::default() },
            create: true,
            page_size: 4096,
            freelist: FreelistKind::default(),
            freelist_sync: FreelistSync::default(),
            initial_size: 0,
            max_size: None,
            preload_freelist: false,
            strict: false,
            no_sync: false,
            shrink: 0,
            read_cache: 16 << 20,
            write_memory: 512 << 20,
            durability: Durability::TwoSync,
            log_size: 16 << 20,
            log_memory: 64 << 20,
            checkpoint_thread: true,
            walk_progress: WalkProgress::default(),
        }
    }
}

impl Options {
    /// Returns options with all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the file, which must exist, for reading only. Any number of processes can read the file at the same time; no
    /// process can write it meanwhile. Default: false.
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.file.read_only = read_only;
        self
    }

    /// The longest wait for the file's lock while another process holds it. Zero tries once, [`Duration::MAX`] waits for ever.
    /// Where this process itself holds it, opening does not wait: [`Error::AlreadyOpen`]. Default: 5 seconds.
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.file.lock_timeout = Some(timeout);
        self
    }

    /// Creates the file if it is absent. Default: true.
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// The permissions of a new file on Unix; the process's umask applies. An existing file keeps its permissions. No
    /// effect on other systems. Default: 0o600, only the owner.
    pub const fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// The page size of a new file in bytes: a power of two from 1,024 to 65,536. An existing file keeps its page size.
    /// Default: 4,096.
    pub const fn page_size(mut self, bytes: u32) -> Self {
        self.page_size = bytes;
        self
    }

    /// How the free pages are held in memory. Default: [`FreelistKind::SpanMaps`].
    pub const fn freelist(mut self, kind: FreelistKind) -> Self {
        self.freelist = kind;
        self
    }

    /// What is written to the file of its free pages, and when. Default: [`FreelistSync::Log`].
    pub const fn freelist_sync(mut self, sync: FreelistSync) -> Self {
        self.freelist_sync = sync;
        self
    }

    /// Commits and grows the file without syncing: a power cut may then leave a file that does not open. For rebuildable
    /// data. [`Db::set_no_sync`](crate::Db::set_no_sync) changes this while the database is open;
    /// [`Db::sync`](crate::Db::sync) makes all commits so far durable. Default: false.
    pub const fn no_sync(mut self, no_sync: bool) -> Self {
        self.no_sync = no_sync;
        self
    }

    /// Grows the file without a separate sync. On some file systems a power cut may then lose the end of the file.
    /// Default: false.
    pub const fn no_grow_sync(mut self, no_grow_sync: bool) -> Self {
        self.file.no_grow_sync = no_grow_sync;
        self
    }

    /// Preallocates the file to this many bytes when it is opened for writing. It does not become shorter then. Default: 0.
    pub const fn initial_size(mut self, bytes: u64) -> Self {
        self.initial_size = bytes;
        self
    }

    /// The most bytes that the pages of the database may take. A commit that needs more fails with
    /// [`Error::MaxSizeReached`] and changes nothing. The file may be longer, because it grows ahead. Default: no limit.
    pub const fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Finds the free pages in read-only mode too, so that [`Stats`](crate::Stats) counts them: at the same cost as in a
    /// database open for writing, which always knows them. Default: false.
    pub const fn preload_freelist(mut self, preload: bool) -> Self {
        self.preload_freelist = preload;
        self
    }

    /// The most memory, in bytes, for what readers remember of the pages that they have searched: parts of the keys, which
    /// let a search find its way without touching most of those pages. It is taken as pages are searched, 128 bytes for a
    /// leaf and 1 KiB for a branch, and shared by all readers; [`Stats::read_cache_bytes`](crate::Stats::read_cache_bytes)
    /// tells how much it is. 0 turns it off. Default: 16 MiB, enough for a million pairs of 200 bytes.
    pub const fn read_cache(mut self, bytes: usize) -> Self {
        self.read_cache = bytes;
        self
    }

    /// Lets the file become shorter as it is used: each commit also moves up to this many pages from the end of the file to
    /// free places nearer to its start, as soon as a quarter or more of the file could go. 16 is a good value; a commit of
    /// a few pages then writes a few times as much while the file shrinks, and nothing more before and after. What cannot
    /// be moved in one commit of this size, a value of megabytes for instance, moves in a commit of its own.
    ///
    /// The file never becomes shorter than [`initial_size`](Self::initial_size), nor shorter than an open reader or one of
    /// the two metas needs, nor in a commit that is [not synced](Self::no_sync). bbolt opens it at every moment. Windows does
    /// not truncate a file that is open; pages are moved there all the same, and the next [compaction](crate::compact()) is a
    /// smaller one. [`Db::shrink`](crate::Db::shrink) does it at once. Default: 0, never.
    pub const fn shrink(mut self, pages_per_commit: u32) -> Self {
        self.shrink = pages_per_commit;
        self
    }

    /// The most memory, in bytes, for the changed pages of a write transaction, about. A transaction that changes more
    /// writes finished pages before its commit, behind the end of the database, where no meta names them: a rollback or a
    /// crash leaves nothing but a longer file, whose end later transactions use. It may be as large as the disk allows. A
    /// page that it changes again is written again. Pages that were filled in key order, which are not likely to change
    /// again, are written from 16 MiB on. Default: 512 MiB.
    ///
    /// The root page of each bucket that the transaction has changed stays in memory, and so does everything if the file
    /// would become longer than [`max_size`](Self::max_size). A call of
    /// [`retain`](crate::BucketMut::retain) or [`delete_range`](crate::BucketMut::delete_range) keeps what it changes in
    /// memory until it returns. If a write fails, the change that caused it fails with
    /// [`NotCommitted`](Error::NotCommitted), and so does the commit. [`TxStats::pages_early`](crate::TxStats::pages_early) counts the pages.
    ///
    /// Of the memory of a transaction 64 MiB at most are kept for the next one, and those after it give back what they do not
    /// use, by halves.
    ///
    /// ```
    /// let db = kv::Options::new().write_memory(64 << 10).open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut bucket = tx.create_bucket("large")?;
    ///     (0..10_000u32).try_for_each(|number| bucket.put(number.to_be_bytes(), "value"))
    /// })?;
    /// assert!(db.stats().tx.pages_early > 0);
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub const fn write_memory(mut self, bytes: usize) -> Self {
        self.write_memory = bytes;
        self
    }

    /// How commits become durable. Default: [`Durability::TwoSync`].
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The bytes of the file that the log takes with [`Durability::Log`], at least those of eight pages of 4 KiB, or of the
    /// page size if that is larger, and 1 GiB at most. A larger log makes checkpoints rarer, and opening after a crash longer.
    /// It counts for [`max_size`](Self::max_size), its pages are free after a clean close, and opening fills it with zeros. A
    /// commit takes 4 KiB of it at least. Default: 16 MiB.
    pub const fn log_size(mut self, bytes: u64) -> Self {
        self.log_size = bytes;
        self
    }

    /// The most memory, in bytes, for pages that have changed since a checkpoint began, with [`Durability::Log`]; at least
    /// that of 64 pages. While a checkpoint is made, and while readers from before are there, its pages stay in memory and
    /// commits fill as much again, so it may be twice as much; while such readers hold both, commits go by two syncs.
    /// Default: 64 MiB.
    pub const fn log_memory(mut self, bytes: usize) -> Self {
        self.log_memory = bytes;
        self
    }

    /// Whether a thread of the database makes checkpoints, with [`Durability::Log`] and [`Durability::Eventual`]. Without it
    /// each write transaction that begins does a part of the checkpoint, up to 256 nodes or a wait for the disk: for
    /// programs that must have no threads, or whose every run is to be the same. Default: true.
    pub const fn checkpoint_thread(mut self, thread: bool) -> Self {
        self.checkpoint_thread = thread;
        self
    }

    /// Locks the mapped file into main memory (`mlock`, Unix only). Default: false.
    pub const fn mlock(mut self, mlock: bool) -> Self {
        self.file.mlock = mlock;
        self
    }

    /// Reserves this many bytes of address space for the map, so that growth does not move it. Default: 64 GiB or eight
    /// times the file, the larger of the two. See [`pagefile_std::FileOptions::reserve`].
    pub const fn reserve(mut self, bytes: u64) -> Self {
        self.file.reserve = Some(bytes);
        self
    }

    /// Reads pages with ordinary reads into private memory instead of mapping the file. Default: false.
    ///
    /// For files on shares, or wherever another program may truncate the file although it is open here. A read of what
    /// is gone from a mapped file ends the process by a signal (`SIGBUS`, and an in-page error on Windows); with this
    /// option it is [`Error::Store`] with the file, the offset and the number of bytes expected there. It also makes an
    /// error of a disk that fails to read.
    ///
    /// It costs one system call for the first look at each 4 KiB, which may wait for a write under way, and memory: what was read once stays until the database
    /// is closed, in the end as much as the file is long. Where the map moves as the file grows (32-bit systems, Windows)
    /// each growth begins anew.
    pub const fn private_reads(mut self, private: bool) -> Self {
        self.file.private_reads = private;
        self
    }

    /// Lets commits go on when the path no longer names the open file. Default: false.
    ///
    /// A file that is renamed, removed or replaced while it is open stays with this handle, and whoever opens the path
    /// does not see what is committed to it. So the first commit of a handle, and then one a second, looks at the path; if
    /// it leads elsewhere or nowhere, the commit is [`NotCommitted`](Error::NotCommitted) with the cause
    /// [`FileMoved`](Error::FileMoved) and nothing is written. Reads go on, and commits do as soon as the file is back
    /// under its path. Commits within the second before the look may have gone into the file that is open here.
    ///
    /// Set this for a file that is meant to have no name, and if the process changes its root directory after opening.
    pub const fn allow_moved(mut self, allow: bool) -> Self {
        self.file.allow_moved = allow;
        self
    }

    /// Checks the whole new state at each commit before the state becomes visible. O(pages) for each commit. For finding
    /// defects. Default: false.
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Calls `report` now and then during a walk over everything: with the number of pages visited so far, and the number of
    /// pages of the file, all of which it visits at most. Default: nobody.
    ///
    /// These walks report: that for the free pages when the file is opened (from several threads if the file is large),
    /// [`ReadTx::check`](crate::ReadTx::check), [`compact()`](crate::compact()) and [`salvage()`](crate::salvage()) of their
    /// source, and the digest, which counts as visited the pages that its bytes would fill.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// static PAGES: AtomicU64 = AtomicU64::new(0);
    /// let options = kv::Options::new().walk_progress(|_visited, pages| PAGES.store(pages, Ordering::Relaxed));
    /// drop(options.open_store(Box::new(kv::MemStore::new()))?);
    /// assert_eq!(PAGES.load(Ordering::Relaxed), 4);
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn walk_progress(mut self, report: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.walk_progress = WalkProgress::to(report);
        self
    }

    pub(super) fn validate(&self) -> Result<()> {
        const {
            assert!(*PAGE_SIZES_CREATED.start() == 1024, "the error names the smallest page size");
            assert!(*PAGE_SIZES_CREATED.end() == 65536, "the error names the largest page size");
        };
        if !self.page_size.is_power_of_two() || !PAGE_SIZES_CREATED.contains(&self.page_size) {
            return Err(Error::InvalidOption {
                option: "page_size",
                value: self.page_size.into(),
                expected: "a power of two from 1024 to 65536",
            });
        }
        let refused = [
            ("no_sync", self.no_sync.into(), "0 with `Durability::Log`, which has each commit durable"),
            ("shrink", self.shrink.into(), "0 with `Durability::Log`: use `Db::shrink` after opening without it"),
            (
                "private_reads",
                self.file.private_reads.into(),
                "0 with `Durability::Log`, which reads pages from memory",
            ),
        ];
        match refused.into_iter().find(|(_, value, _)| *value != 0 && self.durability.is_logged()) {
            Some((option, value, expected)) => Err(Error::InvalidOption { option, value, expected }),
            None => Ok(()),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        debug_assert!(self.validate().is_ok(), "options are validated when a database is opened");
        let period = match self.durability {
            Durability::Eventual(period) => Some(period),
            Durability::TwoSync | Durability::Log => None,
        };
        let redo =
            RedoSettings { log_size: self.log_size, memory: self.log_memory, thread: self.checkpoint_thread, period };
        Settings {
            read_only: self.file.read_only,
            carry: self.freelist_sync.carry(),
            strict: self.strict,
            no_sync: self.no_sync,
            shrink: self.shrink.into(),
            initial_size: self.initial_size,
            write_memory: self.write_memory,
            read_cache: self.read_cache,
            redo: Some(redo).filter(|_| self.durability.is_logged()),
        }
    }
}
