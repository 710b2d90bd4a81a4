//! The handle: what an application holds of a database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::batch::Queue;
use super::options::Options;
use super::stats::Stats;
use crate::error::{Error, Result};
use crate::tx::{self, Core, Ends, Handle, ReadTx, WriteTx};

/// An open database. Share it between threads by reference or in an [`Arc`].
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let db = kv::Db::open(dir.path().join("hello.db"))?;
/// db.update(|tx| tx.create_bucket_if_absent("greetings")?.put("world", "hello"))?;
/// let hello = db.view(|tx| Ok::<_, kv::Error>(tx.bucket("greetings")?.get("world")?.map(<[u8]>::to_vec)))?;
/// assert_eq!(hello.as_deref(), Some(&b"hello"[..]));
/// db.close()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Db {
    core: Arc<Core>,
    /// The callers of `batch` that wait for the next shared transaction.
    queue: Queue,
    options: Options,
    /// The freelist has been written by `close`, or shall not be.
    closed: bool,
}

impl Db {
    pub(super) fn new(core: Core, options: &Options) -> Self {
        Self { core: Arc::new(core), queue: Queue::default(), options: options.clone(), closed: false }
    }

    /// Opens the database at `path`, or creates it, with default [`Options`].
    ///
    /// # Errors
    /// Those of [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Options::new().open(path)
    }

    /// Options to open a database with.
    pub fn options() -> Options {
        Options::new()
    }

    /// Runs `f` in a read transaction.
    #[inline]
    pub fn view<T, E: From<Error>>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        f(&self.begin_read())
    }

    /// Runs `f` in a write transaction and commits it; if `f` fails, or panics, nothing is changed.
    ///
    /// # Errors
    /// What `f` answers, [`Error::ReadOnly`], [`Error::Poisoned`], and those of [`WriteTx::commit`].
    pub fn update<T, E: From<Error>>(&self, f: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut tx = self.begin_write()?;
        let value = f(&mut tx)?;
        tx.commit()?;
        Ok(value)
    }

    /// Runs `f` in a write transaction that it may share with other callers of `batch`, and returns when that is
    /// durable: one sync for all of them.
    ///
    /// The closure may run more than once: if one of those in the transaction fails, the others begin again without
    /// it, and it runs once more alone; what it then answers is the result. So it must not have effects of its own
    /// before it succeeds. A panic of one caller's closure is its own and no other's.
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
    /// db.view(|tx| {
    ///     assert_eq!(tx.bucket("log")?.iter().count(), 8);
    ///     Ok::<_, kv::Error>(())
    /// })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`update`](Self::update).
    pub fn batch<T, E>(&self, f: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.queue.batch(&self.core, f)
    }

    /// Begins a read transaction. No lock, no allocation.
    #[inline]
    #[must_use]
    pub fn begin_read(&self) -> ReadTx<'_> {
        ReadTx::begin(&self.core)
    }

    /// A read transaction that keeps the database open by itself, to be held wherever one likes.
    #[must_use]
    pub fn begin_read_owned(&self) -> ReadTx<'static> {
        ReadTx::begin_owned(Arc::clone(&self.core))
    }

    /// Begins the one write transaction there can be at a time, after waiting for the one before to end.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::Poisoned`] after a failed write.
    pub fn begin_write(&self) -> Result<WriteTx<'_>> {
        WriteTx::begin(Handle::Borrowed(&self.core))
    }

    /// A write transaction that keeps the database open by itself.
    ///
    /// # Errors
    /// Those of [`begin_write`](Self::begin_write).
    pub fn begin_write_owned(&self) -> Result<WriteTx<'static>> {
        WriteTx::begin(Handle::Shared(Arc::clone(&self.core)))
    }

    /// Closes the database: writes the list of free pages, if the file has none, so that the next to open it need not
    /// look for them. Dropping the handle does the same, and says nothing if it fails.
    ///
    /// Waits for a write transaction that owns its share of the database to end. Transactions of that kind keep the
    /// file open, and locked, until they end too.
    ///
    /// # Errors
    /// Those of a commit. Nothing that was committed is lost by them.
    pub fn close(mut self) -> Result<()> {
        self.closed = true;
        if !self.writable() {
            return Ok(());
        }
        let mut writer = self.core.writer_lock.take(Ends::Here)?;
        let stored = tx::store_freelist(&self.core, &mut writer);
        self.core.writer_lock.give_back(writer);
        stored
    }

    /// Turns [`Options::no_sync`] on or off for the commits to come. Turning it off does not make durable what has been
    /// committed before: call [`sync`](Self::sync).
    pub fn set_no_sync(&self, no_sync: bool) {
        self.core.no_sync.store(no_sync, Ordering::Relaxed);
    }

    /// Makes durable whatever commits have written with [`Options::no_sync`].
    ///
    /// # Errors
    /// [`Error::Store`]; the handle then refuses writes.
    pub fn sync(&self) -> Result<()> {
        Ok(self.core.store.sync()?)
    }

    /// What has been done, and how many pages are free.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.core)
    }

    /// The file, unless the database lives in another kind of store.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.core.path.as_deref()
    }

    /// The options it was opened with.
    pub const fn opened_with(&self) -> &Options {
        &self.options
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> u32 {
        self.core.page_size
    }

    /// Bytes of the file, with what it has grown ahead.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.core.store.len()
    }

    /// Whether it was opened read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.core.settings.read_only
    }

    fn writable(&self) -> bool {
        !self.core.settings.read_only && !self.core.store.poisoned()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if self.closed || !self.writable() || std::thread::panicking() {
            return;
        }
        // A transaction that owns its share may still hold the seat; the list is then found again at the next open.
        if let Some(mut writer) = self.core.writer_lock.try_take() {
            let _ = tx::store_freelist(&self.core, &mut writer);
            self.core.writer_lock.give_back(writer);
        }
    }
}
