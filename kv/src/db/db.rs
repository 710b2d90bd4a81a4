//! The handle of an open database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use freelist_core::PageId;
use pagefile_std::PageStore;

use super::batch::Queue;
use super::open::{open_path, open_store};
use super::options::Options;
use super::stats::Stats;
use crate::error::{Error, Result};
use crate::tx::{self, Changes, Core, Ends, Handle, ReadTx, Scope, WriteTx};

/// An open database. Threads share it by reference or by clones: a clone is one more reference to the same open file, and
/// costs O(1). The file is closed when the last clone and the last owned transaction are dropped, or by
/// [`close`](Self::close).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let db = kv::Db::open(dir.path().join("hello.db"))?;
/// db.update(|tx| tx.create_bucket_if_absent("greetings")?.put("world", "hello"))?;
/// let hello = db.view(|tx| Ok(tx.bucket("greetings")?.get("world")?.map(<[u8]>::to_vec)))?;
/// assert_eq!(hello.as_deref(), Some(&b"hello"[..]));
/// db.close()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Db(Arc<Open>);

/// What all clones of a handle share.
#[derive(Debug)]
struct Open {
    core: Arc<Core>,
    /// The callers of `batch` that wait for the next shared transaction.
    queue: Queue,
    options: Options,
    /// `close` has run: dropping does not write the list of free pages.
    closed: bool,
}

impl Db {
    fn new(core: Core, options: &Options) -> Self {
        assert_eq!(core.settings.read_only, options.file.read_only, "a handle has the options of its file");
        Self(Arc::new(Open { core: Arc::new(core), queue: Queue::default(), options: options.clone(), closed: false }))
    }

    /// Opens the database at `path`, or creates it, with default [`Options`].
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Options::new().open(path)
    }

    /// Returns default options for opening a database.
    pub fn options() -> Options {
        Options::new()
    }

    /// Runs `f` in a read transaction and returns its result.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
    /// db.view(|tx| {
    ///     assert_eq!(tx.bucket("b")?.get("key")?, Some(&b"value"[..]));
    ///     Ok(())
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of `f`.
    #[inline]
    pub fn view<T>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        self.try_view(f)
    }

    /// [`view`](Self::view) for a closure with errors of its own: any type that a [`kv::Error`](enum@Error) becomes, such as
    /// `anyhow::Error`, `Box<dyn Error>`, or an enum with `#[from] kv::Error`. Where the compiler asks for the type, the
    /// closure says it: `|tx| -> anyhow::Result<()> { ... }`.
    ///
    /// # Errors
    /// The errors of `f`.
    #[inline]
    pub fn try_view<T, E: From<Error>>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        f(&self.begin_read())
    }

    /// Runs `f` in a write transaction and commits it. If `f` fails or panics, nothing changes.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| {
    ///     let mut bucket = tx.create_bucket_if_absent("b")?;
    ///     bucket.put("key", "value")
    /// })?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of [`begin_write`](Self::begin_write), of `f`, and of [`WriteTx::commit`].
    pub fn update<T>(&self, f: impl FnOnce(&mut WriteTx<'_>) -> Result<T>) -> Result<T> {
        self.try_update(f)
    }

    /// [`update`](Self::update) for a closure with errors of its own; see [`try_view`](Self::try_view). If it fails, nothing
    /// changes.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// #[derive(Debug, thiserror::Error)]
    /// enum Refused {
    ///     #[error("not enough in the account")]
    ///     Overdrawn,
    ///     #[error(transparent)]
    ///     Store(#[from] kv::Error),
    /// }
    ///
    /// let taken = db.try_update(|tx| {
    ///     tx.create_bucket("accounts")?.put("ada", [0])?;
    ///     Err::<(), _>(Refused::Overdrawn)
    /// });
    /// assert!(matches!(taken, Err(Refused::Overdrawn)));
    /// assert!(db.begin_read().get_bucket("accounts")?.is_none(), "nothing changed");
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn try_update<T, E: From<Error>>(&self, f: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut tx = self.begin_write()?;
        match f(&mut tx) {
            Ok(value) => tx.commit().map(|()| value).map_err(E::from),
            // Why it failed may have been a commit that is still on its way to the disk.
            Err(error) => tx.abandon().map_err(E::from).and(Err(error)),
        }
    }

    /// Runs `f` in a write transaction that it may share with other callers of `batch`, and returns when that transaction
    /// is durable. The callers of one commit share its syncs.
    ///
    /// The closure may run more than once, so it must not have side effects; [`WriteTx::on_commit`] is the place for them.
    /// If a closure fails, the other closures begin again without it, and it runs once more in a transaction without
    /// others; the result of that run is the result of the call. A panic of a closure reaches only its caller. At most
    /// 1,000 closures share a commit.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let db = kv::Db::open(dir.path().join("batch.db"))?;
    /// db.update(|tx| tx.create_bucket("log").map(|_| ()))?;
    /// std::thread::scope(|scope| {
    ///     for n in 0..8u8 {
    ///         let db = &db;
    ///         scope.spawn(move || db.batch(move |tx| tx.bucket_mut("log")?.put([n], "entry")).unwrap());
    ///     }
    /// });
    /// assert_eq!(db.begin_read().bucket("log")?.iter().count(), 8);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn batch<T>(&self, f: impl FnMut(&mut WriteTx<'_>) -> Result<T> + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
    {
        self.try_batch(f)
    }

    /// [`batch`](Self::batch) for a closure with errors of its own; see [`try_view`](Self::try_view).
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn try_batch<T, E>(&self, f: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.queue.batch(&self.0.core, f)
    }

    /// Begins a read transaction. O(1), without a lock or an allocation.
    #[inline]
    #[must_use]
    pub fn begin_read(&self) -> ReadTx<'_> {
        ReadTx::begin(&self.0.core)
    }

    /// Begins a read transaction that does not borrow the database: it shares it, and keeps the file open. O(1).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
    /// let tx: kv::ReadTx<'static> = db.begin_read_owned();
    /// drop(db);
    /// assert_eq!(tx.bucket("b")?.get("key")?, Some(&b"value"[..]));
    /// # Ok::<_, kv::Error>(())
    /// ```
    #[must_use]
    pub fn begin_read_owned(&self) -> ReadTx<'static> {
        ReadTx::begin_owned(Arc::clone(&self.0.core))
    }

    /// Waits for the current write transaction to end, and begins the next one.
    ///
    /// # Errors
    /// - [`Error::ReadOnly`] if the database was opened read-only.
    /// - [`Error::Poisoned`] after a failed write or sync. Of one that was not made by a commit, the first who asks is told the
    ///   cause: in [`Error::NotCommitted`], or in [`Error::Unknown`] with [`Durability::Eventual`](crate::Durability::Eventual).
    /// - [`Error::AlreadyWriting`] if this thread began the current write transaction, which is not an owned one, and so
    ///   would wait for itself.
    pub fn begin_write(&self) -> Result<WriteTx<'_>> {
        WriteTx::begin(Handle::Borrowed(&self.0.core))
    }

    /// Waits for the current write transaction to end, and begins one that does not borrow the database: it shares it, and
    /// keeps the file open.
    ///
    /// Any thread may end such a transaction. So the library cannot know that a thread waits for itself if it holds one and
    /// begins another.
    ///
    /// # Errors
    /// As [`begin_write`](Self::begin_write).
    pub fn begin_write_owned(&self) -> Result<WriteTx<'static>> {
        WriteTx::begin(Handle::Shared(Arc::clone(&self.0.core)))
    }

    /// Tells the changes of a part of the database, from the next commit on: see [`Scope`], [`Changes`] and
    /// [`Event`](crate::Event). Each commit is told after it is durable and visible, in the order of the commits; a rollback
    /// or a failed commit is not told. Not told either is what changes no content, such as [`shrink`](Self::shrink).
    ///
    /// `limit` bounds the bytes of changes that wait for this listener. The writer never waits for it: what does not fit is
    /// told as [`Event::Missed`](crate::Event::Missed), and so is a transaction that had begun before. Each listener gets its
    /// own events; dropping [`Changes`] ends it.
    ///
    /// While somebody listens, write transactions keep their changes in memory until they end, up to the largest limit.
    /// Without listeners this costs a look at one word at the begin and at the commit of a transaction.
    ///
    /// ```
    /// use kv::{Change, Event, Scope};
    ///
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// let mut changes = db.subscribe(Scope::bucket(["orders"]).prefix("2026-"), 1 << 20);
    /// let listener = std::thread::spawn(move || {
    ///     let mut open = std::collections::BTreeSet::new();
    ///     for event in &mut changes {
    ///         let Event::Commit { changes, .. } = event else { panic!("missed some: read the bucket again") };
    ///         for change in changes {
    ///             match change {
    ///                 Change::Put { key, .. } => drop(open.insert(key)),
    ///                 Change::Deleted { key, .. } => drop(open.remove(&key)),
    ///                 _ => {}
    ///             }
    ///         }
    ///     }
    ///     open.len()
    /// });
    /// db.update(|tx| {
    ///     let mut orders = tx.create_bucket("orders")?;
    ///     orders.put("2025-0999", "not told")?;
    ///     orders.put("2026-0001", "a teapot")
    /// })?;
    /// db.close()?;
    /// assert_eq!(listener.join().unwrap(), 1);
    /// # Ok::<_, kv::Error>(())
    /// ```
    #[must_use]
    pub fn subscribe(&self, scope: Scope, limit: usize) -> Changes {
        self.0.core.listeners.subscribe(scope, limit)
    }

    /// Closes the database. It writes the list of free pages if the file has none, so that the next open does not have to
    /// search for them. O(free pages), and two waits for the disk. Dropping the last handle does the same and ignores errors.
    ///
    /// It waits for an owned write transaction to end. Owned transactions keep the file open and locked until they end.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let db = kv::Db::open(dir.path().join("closed.db"))?;
    /// let clone = db.clone();
    /// assert!(matches!(db.close(), Err(kv::Error::StillShared { clones: 1, .. })));
    /// clone.close()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::StillShared`] if there are clones of this handle, which keep the database open.
    /// - As [`WriteTx::commit`]. Committed transactions are not lost.
    /// - Why an earlier write has failed, if nobody was told, as [`begin_write`](Self::begin_write) tells it.
    pub fn close(self) -> Result<()> {
        let mut open = self.alone()?;
        open.closed = true;
        let mut writer = match tx::take_writer(&open.core, Ends::Here) {
            Ok(writer) => writer,
            // There is nothing that may be written.
            Err(Error::ReadOnly | Error::Poisoned) => return Ok(()),
            Err(error) => return Err(error),
        };
        let stored = tx::close(&open.core, &mut writer);
        drop(writer);
        assert!(!open.core.writer_lock.is_held_here(), "closing gives the writer back");
        stored
    }

    /// Closes the database and opens its file again with the same options: what to do after a failed write or sync, of a full
    /// disk for example, when there is room again. The state is the last one that is whole in the file. It costs what
    /// [`Options::open`] does.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let mut db = kv::Db::open(dir.path().join("again.db"))?;
    /// db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
    /// db = db.reopen()?;
    /// assert_eq!(db.begin_read().bucket("b")?.get("key")?, Some(&b"value"[..]));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::StillShared`] if there are clones of this handle or owned transactions.
    /// - [`Error::NoFile`] if the database is in a store that is no file.
    /// - As [`Options::open`]. The database is closed then.
    pub fn reopen(self) -> Result<Self> {
        let open = self.alone()?;
        let transactions = Arc::strong_count(&open.core).saturating_sub(1);
        if transactions > 0 {
            return Err(Error::StillShared { clones: 0, transactions });
        }
        let (path, options) = (open.core.path.clone().ok_or(Error::NoFile)?, open.options.clone());
        drop(open);
        let again = options.open(path)?;
        assert!(!again.0.core.store.poisoned(), "a handle that is new has failed at nothing");
        Ok(again)
    }

    /// What clones share, if this is the only one.
    fn alone(self) -> Result<Open> {
        let transactions = Arc::strong_count(&self.0.core).saturating_sub(1);
        Arc::try_unwrap(self.0).map_err(|open| {
            let clones = Arc::strong_count(&open).saturating_sub(1);
            Error::StillShared { clones, transactions }
        })
    }

    /// Turns [`Options::no_sync`] on or off for later commits, and for the growth of the file that they need. Turning it off
    /// does not make earlier commits durable: call [`sync`](Self::sync) for that. O(1). With
    /// [`Durability::Log`](crate::Durability::Log), whose commits are durable each, it does nothing.
    pub fn set_no_sync(&self, no_sync: bool) {
        if self.0.core.settings.redo.is_some() {
            return;
        }
        self.0.core.store.set_no_grow_sync(no_sync || self.0.options.file.no_grow_sync);
        self.0.core.no_sync.store(no_sync, Ordering::Relaxed);
    }

    /// Makes all commits so far durable, for [`Options::no_sync`] and [`Durability::Eventual`](crate::Durability::Eventual).
    /// One sync; with the latter one write of what is queued in place of it.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("rebuilt.db");
    /// let db = kv::Options::new().no_sync(true).open(path)?;
    /// for n in 0..10_u8 {
    ///     db.update(|tx| tx.create_bucket_if_absent("b")?.put([n], "rebuildable"))?;
    /// }
    /// db.sync()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`] if the sync fails, [`Error::Unknown`] if a write of what was queued did; the handle then refuses writes.
    /// And why a checkpoint has failed, as [`begin_write`](Self::begin_write) tells it.
    pub fn sync(&self) -> Result<()> {
        tx::drain(&self.0.core)?;
        if self.0.core.settings.redo.is_some() {
            return self.0.core.refusal().map_or(Ok(()), Err);
        }
        Ok(self.0.core.store.sync()?)
    }

    /// Brings everything that commits have left in the log of [`Durability::Log`](crate::Durability::Log) into the trees, by
    /// two syncs; nothing if there is nothing in it, or no log. Commits have that done by themselves when the log fills: this is
    /// for a moment at which nobody waits, or before a copy of the file. O(changed pages since the last one).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("log.db");
    /// let db = kv::Options::new().durability(kv::Durability::Log).open(path)?;
    /// db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
    /// db.checkpoint()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`begin_write`](Self::begin_write) and of [`WriteTx::commit`]. Committed transactions are not lost.
    pub fn checkpoint(&self) -> Result<()> {
        let made = tx::checkpoint(&self.0.core, &mut *tx::take_writer(&self.0.core, Ends::Here)?);
        assert!(!self.0.core.writer_lock.is_held_here(), "a checkpoint gives the writer back");
        made
    }

    /// Returns figures about the database. O(readers).
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.0.core)
    }

    /// Returns the meta page, 0 or 1, whose state this database shows, if the other one is valid and of the same transaction
    /// too but names another state: see [`Error::TwoStates`]. Only a database that was opened read-only has one. O(1).
    #[must_use]
    pub fn contested_meta(&self) -> Option<PageId> {
        self.0.core.contested
    }

    /// Returns the path of the file, or `None` if the database is in another kind of store. O(1).
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.core.path.as_deref()
    }

    /// Returns the options that the database was opened with. O(1).
    pub fn opened_with(&self) -> &Options {
        &self.0.options
    }

    /// Returns the page size in bytes. O(1).
    #[must_use]
    pub fn page_size(&self) -> u32 {
        self.0.core.page_size
    }

    /// Returns the length of the file in bytes. It is larger than the pages need, because the file grows ahead. O(1).
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.0.core.store.len()
    }

    /// Returns whether the database was opened read-only. O(1).
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.0.core.settings.read_only
    }

    pub(super) fn core(&self) -> &Core {
        &self.0.core
    }
}

impl Options {
    /// Opens the database at `path`, or creates it.
    ///
    /// Opening for writing writes and syncs a meta page. It costs O(free pages) if the file has a list of them that this
    /// library wrote. Otherwise a walk over all trees finds the free pages, or checks the list of another program before it
    /// is believed, at O(pages); [`Stats::freelist`] says which. Opening for reading costs O(1).
    ///
    /// Where the last commits are in a [log](crate::Durability::Log) that a crash has left, opening for writing does what the
    /// log says, and makes the file one without a log. Opening for reading does it in memory and leaves the file as it is:
    /// O(the log, and the pages that it changes), in time and memory, which is about twice those pages meanwhile.
    ///
    /// # Errors
    /// - [`Error::InvalidOption`] for a page size out of range.
    /// - [`Error::AlreadyOpen`] if this process has the file open, unless both handles are read-only.
    /// - [`Error::Locked`] if the lock is not free within the [`lock_timeout`](Self::lock_timeout).
    /// - [`Error::NotADatabase`], [`Error::ByteSwapped`], [`Error::VersionMismatch`], [`Error::ChecksumMismatch`] if the
    ///   meta pages show that the file is not a database that this library reads.
    /// - [`Error::Truncated`], [`Error::Corrupt`] if the file is damaged. Opening read-only does not meet damage behind the
    ///   meta pages.
    /// - [`Error::TwoStates`] if the meta pages disagree and the file is to be written.
    /// - [`Error::Unsettled`] if the last commits are in a [log](crate::Durability::Log), the file is opened read-only, and they
    ///   change more pages than memory can be had for.
    /// - [`Error::Store`] if the system refuses.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Db> {
        self.validate()?;
        Ok(Db::new(open_path(path.as_ref(), self)?, self))
    }

    /// Opens the database in `store`, or creates it if the store is empty.
    ///
    /// The options that concern files (lock, permissions, growth syncs, map) have no effect here. A power cut during creation may
    /// leave a store that does not open; a file does not have this problem.
    ///
    /// ```
    /// let store = pagefile_std::MemStore::new();
    /// let db = kv::Options::new().open_store(Box::new(store))?;
    /// db.update(|tx| tx.create_bucket("in memory").map(|_| ()))?;
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open), without [`Error::Locked`].
    pub fn open_store(&self, store: Box<dyn PageStore>) -> Result<Db> {
        self.validate()?;
        Ok(Db::new(open_store(store, self, None)?, self))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let core = &self.core;
        if self.closed || core.settings.read_only || core.refuses_writes() || std::thread::panicking() {
            return;
        }
        // An owned transaction may still hold the writer lock; the next open then finds the free pages by a walk.
        if let Some(mut writer) = core.writer_lock.try_take() {
            if !core.refuses_writes() && !writer.in_doubt {
                let _ = tx::close(core, &mut writer);
            }
            core.writer_lock.give_back(writer);
        }
    }
}
