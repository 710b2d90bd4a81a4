//! The write transaction: its life, and the top-level buckets.
//!
//! ```text
//!          begin           commit: plan           persist                     publish
//!   (lock) -----> open ------------------> planned ------> pages synced -> meta synced -----> visible
//!                  |  drop, rollback |        |                 |
//!                  v                 v        v                 v
//!             rolled back            NotCommitted            Unknown (the store is poisoned)
//! ```
//! While the transaction is open, no meta names any of its changes: they are in memory, or in pages behind the newest state.
//! A rollback drops its [`WriteSet`].

use std::fmt;
use std::sync::Arc;

use freelist_core::{PageId, TxId};

use super::bucket_mut::{create, create_if_absent, named};
use super::commit::Made;
use super::core::{Core, Handle};
use super::open_buckets::{BucketIndex, OpenBuckets, ROOT};
use super::plan::next_tx;
use super::taken::{take, take_writer};
use super::writer::Writer;
use super::writer_lock::Ends;
use super::{Bucket, BucketMut, Cursor, TxStats, commit, redo};
use crate::error::{Error, Result};
use crate::format::Meta;
use crate::store::{Generation, Link, WriteSet};

/// The argument of [`WriteTx::on_commit`].
pub(crate) type Hook = Box<dyn FnOnce() + Send>;

/// A write transaction. Only one exists at a time; the next one waits for it to end.
///
/// Readers see its changes after [`commit`](Self::commit) has made them durable; the transaction itself sees them at once, and
/// those of commits before it that still wait for the log of [`Durability::Log`](crate::Durability::Log).
/// It holds its changes in memory, and writes pages to the end of the file before the commit when they take more than
/// [`Options::write_memory`](crate::Options::write_memory). Dropping it without a commit is a rollback.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let mut tx = db.begin_write()?;
/// tx.create_bucket("b")?.put("key", "value")?;
/// assert_eq!(tx.bucket("b")?.get("key")?, Some(&b"value"[..]));
/// assert!(db.begin_read().get_bucket("b")?.is_none(), "not committed yet");
/// tx.commit()?;
/// assert!(db.begin_read().get_bucket("b")?.is_some());
/// # Ok::<_, kv::Error>(())
/// ```
pub struct WriteTx<'db> {
    pub(super) write_set: WriteSet,
    pub(super) buckets: OpenBuckets,
    writer: Option<Box<Writer>>,
    hooks: Vec<Hook>,
    id: TxId,
    core: Handle<'db>,
}

impl fmt::Debug for WriteTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTx").field("id", &self.id).field("hooks", &self.hooks.len()).finish_non_exhaustive()
    }
}

impl<'db> WriteTx<'db> {
    /// Waits for the writer lock.
    pub(crate) fn begin(core: Handle<'db>) -> Result<Self> {
        // A transaction that borrows its database seldom leaves its thread; an owned one is made to.
        let ends = match core {
            Handle::Borrowed(_) => Ends::Here,
            Handle::Shared(_) => Ends::Anywhere,
        };
        let mut taken = take_writer(&core, ends)?;
        redo::tend(&core, &mut taken)?;
        taken.retire(&core.readers, &core.published)?;
        redo::begin_checkpoint(&core, &mut taken);
        let writer = taken.keep();
        Self::with(core, writer)
    }

    /// Begins a transaction that is not committed: of a database that is read-only, whose one writer nobody else has.
    pub(super) fn begin_in_memory(core: &'db Core) -> Result<Self> {
        assert!(core.settings.read_only, "what may be written is committed");
        let mut taken = take(core, Ends::Here)?;
        taken.retire(&core.readers, &core.published)?;
        Self::with(Handle::Borrowed(core), taken.keep())
    }

    /// Begins a transaction that has the writer, whose pinned states are known.
    fn with(core: Handle<'db>, mut writer: Box<Writer>) -> Result<Self> {
        let published = core.published.read().0.tx;
        let waits = core.settings.redo.is_some();
        assert!(
            published == writer.visible.tx || (waits && published < writer.visible.tx),
            "a transaction builds on what readers see, or will see"
        );
        let buffers = std::mem::take(&mut writer.buffers);
        // A share of the map, even where the transaction only borrows its database: a changeable bucket then borrows
        // nothing but its transaction, and one reference count is nothing to a writer.
        let write_set = core.write_set(&writer, buffers);
        let root = Link::page(PageId::new(writer.visible.root));
        let mut buckets = OpenBuckets::new(root, writer.visible.root_sequence);
        buckets.log = core.change_log(&writer);
        let last = writer.visible;
        let mut tx = Self { write_set, buckets, writer: Some(writer), hooks: Vec::new(), id: TxId::new(last.tx), core };
        // From here on an error drops `tx`, which releases the writer lock.
        tx.id = next_tx(&last)?;
        assert_eq!(tx.write_set.nodes(), 0, "a transaction begins without dirty nodes");
        Ok(tx)
    }

    /// Returns the id that the state of this transaction will have. O(1).
    #[must_use]
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// Returns the bytes of the file up to the high-water mark of the state before this transaction. O(1).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.write_set.high_water().saturating_mul(self.write_set.page_size() as u64)
    }

    /// Returns counts of the work of this transaction so far: nodes changed in memory, pages that it no longer uses, and
    /// splits. The commit adds merges and writes; [`Stats::tx`](crate::Stats::tx) counts the work of all commits. O(changed
    /// nodes).
    #[must_use]
    pub fn stats(&self) -> TxStats {
        let early = self.write_set.early_written();
        TxStats {
            nodes: early.nodes.saturating_add(self.write_set.nodes() as u64),
            pages_early: early.pages,
            pages_freed: self.write_set.pages_freed(),
            splits: self.write_set.splits,
            merges: self.write_set.merges,
            ..TxStats::default()
        }
    }

    /// Returns the root bucket, whose items are the top-level buckets, for reading. O(1).
    #[must_use]
    pub fn root(&self) -> Bucket<'_> {
        Bucket::opened(self.write_set.pages(), &self.buckets, ROOT)
    }

    /// The root bucket for changing. All of its items must be buckets.
    pub(crate) fn root_mut(&mut self) -> BucketMut<'_> {
        self.opened_mut(ROOT)
    }

    /// The bucket that this transaction has opened as number `at`.
    pub(crate) fn opened_mut(&mut self, at: BucketIndex) -> BucketMut<'_> {
        BucketMut::opened(&mut self.write_set, &mut self.buckets, at)
    }

    /// Returns the top-level bucket `name` for reading. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no such bucket.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Bucket<'_>> {
        self.root().bucket(name)
    }

    /// Returns the top-level bucket `name` for reading, or `None` if there is no such bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn get_bucket(&self, name: impl AsRef<[u8]>) -> Result<Option<Bucket<'_>>> {
        self.root().get_bucket(name)
    }

    /// Iterates over the top-level buckets with their names, in name order; see [`Bucket::buckets`].
    pub fn buckets(&self) -> impl Iterator<Item = Result<(&[u8], Bucket<'_>)>> {
        self.root().buckets()
    }

    /// Returns a cursor over the names of the top-level buckets. O(1).
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        self.root().cursor()
    }

    /// Returns the top-level bucket `name` for changing. O(log n); cheaper if the transaction has opened it before.
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no such bucket.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn bucket_mut(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        BucketMut::child(&mut self.write_set, &mut self.buckets, ROOT, name.as_ref())
    }

    /// Creates the top-level bucket `name` and returns it. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketExists`] if the bucket is there already.
    /// - [`Error::BucketNameRequired`] for an empty name.
    /// - [`Error::BucketNameTooLarge`] for a name of more than [`MAX_KEY_SIZE`](crate::MAX_KEY_SIZE) bytes.
    /// - [`Error::Corrupt`] if a page on the way to it is damaged.
    pub fn create_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create(&mut self.write_set, &mut self.buckets, ROOT, named(name.as_ref())?)
    }

    /// Returns the top-level bucket `name` and creates it if it is absent. O(log n).
    ///
    /// # Errors
    /// As [`create_bucket`](Self::create_bucket), without [`Error::BucketExists`].
    pub fn create_bucket_if_absent(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(&mut self.write_set, &mut self.buckets, ROOT, named(name.as_ref())?)
    }

    /// Returns the top-level bucket `name` and creates it if it is absent, even if its name is longer than
    /// [`MAX_KEY_SIZE`](crate::MAX_KEY_SIZE) bytes. O(log n). See [`BucketMut::import_bucket`].
    ///
    /// # Errors
    /// As [`create_bucket_if_absent`](Self::create_bucket_if_absent), without [`Error::BucketNameTooLarge`].
    pub fn import_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(&mut self.write_set, &mut self.buckets, ROOT, name.as_ref())
    }

    /// Deletes the top-level bucket `name` with everything in it. O(pages of the bucket).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no such bucket.
    /// - [`Error::Corrupt`] if a page of the bucket is damaged.
    pub fn delete_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        if self.buckets.delete(&mut self.write_set, ROOT, name)? {
            Ok(())
        } else {
            Err(Error::BucketNotFound { name: name.to_vec() })
        }
    }

    /// Moves the bucket `name` from the bucket at the path `from` into the bucket at the path `to`. An empty path is the
    /// root bucket. The changes of this transaction move with the bucket. O(log n) for a bucket of any size.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// # let mut tx = db.begin_write()?;
    /// tx.create_bucket("inbox")?.create_bucket("letter")?;
    /// tx.create_bucket("archive")?.create_bucket("2026")?;
    /// tx.move_bucket("letter", &[b"inbox"], &[b"archive", b"2026"])?;
    /// assert!(tx.bucket("archive")?.bucket("2026")?.get_bucket("letter")?.is_some());
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`] if there is no bucket `name` in `from`, or a path does not lead to a bucket.
    /// - [`Error::BucketExists`] or [`Error::IncompatibleValue`] if the target has an item `name`.
    /// - [`Error::SameBuckets`] if source and target are the same bucket, or the target lies inside the moved bucket.
    /// - [`Error::Corrupt`] if a page on the way is damaged.
    pub fn move_bucket(&mut self, name: impl AsRef<[u8]>, from: &[&[u8]], to: &[&[u8]]) -> Result<()> {
        let (from, to) = (self.descend(from)?, self.descend(to)?);
        self.buckets.relocate(&mut self.write_set, name.as_ref(), from, to)
    }

    /// Registers `hook`. [`commit`](Self::commit) runs all hooks, in their order, after it has released the writer lock; a
    /// rollback or a failed commit runs none. O(1).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// db.update(|tx| {
    ///     tx.on_commit(move || sender.send("durable").unwrap_or_default());
    ///     tx.create_bucket("b").map(drop)
    /// })?;
    /// assert_eq!(receiver.try_recv(), Ok("durable"));
    /// # Ok::<_, kv::Error>(())
    /// ```
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// Takes the hooks so far out; the caller then runs them after the commit.
    pub(crate) fn take_hooks(&mut self) -> Vec<Hook> {
        std::mem::take(&mut self.hooks)
    }

    /// Makes all changes durable and visible, or none.
    ///
    /// A commit writes and syncs the pages, then writes durably the meta page that names them, and then shows the new
    /// state to readers. Without changes it writes nothing. O(changed pages), and two waits for the disk; one with
    /// [`Durability::Log`](crate::Durability::Log), which it shares with the commits of other threads at that time, and none with
    /// [`Durability::Eventual`](crate::Durability::Eventual).
    ///
    /// # Errors
    /// - [`Error::NotCommitted`] if it certainly failed: the database has the state before. Also if a change of this
    ///   transaction met a damaged page ([`Error::Corrupt`]): that change may be done by half. And if it was queued for the log
    ///   behind a write that failed.
    /// - [`Error::Unknown`] if the last write or sync failed: opening the file again decides.
    ///
    /// After a failed write or sync, further writes through this handle fail with [`Error::Poisoned`].
    pub fn commit(self) -> Result<()> {
        self.hand_in()?.finish()
    }

    /// The part of a commit that needs the writer, and gives it back: the next transaction builds on this one.
    pub(crate) fn hand_in(mut self) -> Result<HandedIn<'db>> {
        let Some(writer) = self.writer.as_mut() else { unreachable!("a transaction has the writer until it ends") };
        let made = commit::commit(&self.core, writer, &mut self.write_set, &mut self.buckets, self.id)?;
        let newest = writer.visible.tx;
        // Told before the next transaction can begin, so in the order of the commits. One that changed nothing is no commit.
        if made == Made::Visible {
            debug_assert_eq!(self.core.published.read().0.tx, self.id.get(), "what is told is what readers see");
            self.core.listeners.tell(self.id, self.buckets.log.as_ref());
        }
        let (core, hooks) = (self.core.clone(), self.take_hooks());
        drop(self);
        Ok(HandedIn { core, newest, hooks })
    }

    /// Drops the transaction and its changes, and waits until what it has seen is durable: so that what a caller learns from
    /// it is not lost in a power cut.
    pub(crate) fn abandon(self) -> Result<()> {
        let Some(writer) = &self.writer else { unreachable!("a transaction has the writer until it ends") };
        let (core, newest) = (self.core.clone(), writer.visible.tx);
        drop(self);
        redo::wait(&core, newest)
    }

    /// Ends the log with a commit of these changes, which are those of all transactions up to `newest`.
    pub(super) fn leave(mut self, newest: u64) -> Result<()> {
        let Some(writer) = self.writer.as_mut() else { return Ok(()) };
        redo::leave_with(&self.core, writer, (&mut self.write_set, &mut self.buckets), newest)
    }

    /// The state of these changes, which are those of all transactions up to `newest`, and its pages in memory. Nothing is
    /// written.
    pub(super) fn keep(mut self, newest: u64) -> Result<(Arc<Generation>, Meta)> {
        let Some(mut writer) = self.writer.take() else { unreachable!("a transaction has the writer until it ends") };
        assert!(newest > writer.visible.tx, "what the log has comes after the checkpoint");
        let kept = redo::keep(&mut writer, (&mut self.write_set, &mut self.buckets), TxId::new(newest));
        self.writer = Some(writer);
        kept
    }

    /// Drops the transaction and its changes. O(changed pages).
    pub fn rollback(self) {}

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    pub(super) fn descend(&mut self, path: &[&[u8]]) -> Result<usize> {
        path.iter().try_fold(ROOT, |at, name| {
            self.buckets
                .open(&mut self.write_set, at, name)?
                .ok_or_else(|| Error::BucketNotFound { name: name.to_vec() })
        })
    }
}

/// A commit that has given the writer back.
#[must_use = "it is not known to be durable"]
pub(crate) struct HandedIn<'db> {
    core: Handle<'db>,
    /// The newest state when it was handed in: its own, or what it has seen if it changed nothing.
    newest: u64,
    hooks: Vec<Hook>,
}

impl HandedIn<'_> {
    /// Waits until it is durable, and runs the hooks.
    ///
    /// # Errors
    /// Those of a commit whose write fails.
    pub(crate) fn finish(self) -> Result<()> {
        redo::wait(&self.core, self.newest)?;
        for hook in self.hooks {
            hook();
        }
        Ok(())
    }
}

impl Drop for WriteTx<'_> {
    fn drop(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            writer.buffers = self.write_set.take_buffers();
            self.core.writer_lock.give_back(writer);
        }
    }
}
