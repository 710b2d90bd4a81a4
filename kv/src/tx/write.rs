//! The write transaction: its life, and the buckets at the top.
//!
//! ```text
//!            begin                 commit                              commit returns
//!   (lock) ---------> open ---------------------> spilled -> placed -> written -> synced -> meta written -> durable
//!                      |  drop, rollback             |                                |
//!                      v                             v NotCommitted                   v Unknown
//!                  forgotten                 forgotten (after a failed write the store is poisoned)
//! ```
//! While it is open nothing of it is in the file, and forgetting it is dropping its [`WriteSet`].

use std::fmt;

use freelist_core::{PageId, TxId};

use super::bucket_mut::{create, create_if_absent, named};
use super::core::{Core, Handle};
use super::open_buckets::{BucketIndex, OpenBuckets, ROOT};
use super::plan::next_tx;
use super::writer::Writer;
use super::writer_lock::Ends;
use super::{Bucket, BucketMut, Cursor, TxStats, commit};
use crate::error::{Error, Result};
use crate::store::{Link, WriteSet};

/// What [`WriteTx::on_commit`] is given.
pub(crate) type Hook = Box<dyn FnOnce() + Send>;

/// The one transaction at a time that may change the database.
///
/// It sees its own changes; nobody else does before [`commit`](Self::commit) returns. Dropping it is a rollback.
/// Changes are held in memory until then.
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
        let mut writer = take_writer(&core, ends)?;
        let buffers = std::mem::take(&mut writer.buffers);
        // A share of the map, even where the transaction only borrows its database: a changeable bucket then borrows
        // nothing but its transaction, and one reference count is nothing to a writer.
        let write_set = WriteSet::new(core.store.view_owned(), core.page_size, writer.visible.high_water, buffers);
        let buckets = OpenBuckets::new(Link::page(PageId::new(writer.visible.root)), writer.visible.root_sequence);
        let last = writer.visible;
        let mut tx = Self { write_set, buckets, writer: Some(writer), hooks: Vec::new(), id: TxId::new(last.tx), core };
        // From here on an error drops `tx`, which releases the writer lock.
        tx.id = next_tx(&last)?;
        if let Some(writer) = &mut tx.writer {
            writer.retire(&tx.core.readers)?;
        }
        Ok(tx)
    }

    /// The number that this transaction's state will have.
    #[must_use]
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// Bytes of the file up to the high-water mark, before this transaction.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.write_set.high_water().saturating_mul(self.write_set.page_size() as u64)
    }

    /// What this transaction has done so far: nodes changed in memory, pages of the old state that it no longer uses,
    /// splits. Merging and writing come with the commit; [`Stats::tx`](crate::Stats) counts everything of all
    /// transactions.
    #[must_use]
    pub fn stats(&self) -> TxStats {
        TxStats {
            nodes: self.write_set.nodes() as u64,
            pages_freed: self.write_set.freed().iter().map(|span| span.len()).sum(),
            splits: self.write_set.splits,
            merges: self.write_set.merges,
            ..TxStats::default()
        }
    }

    /// The bucket that holds all others, to read.
    #[must_use]
    pub fn root(&self) -> Bucket<'_> {
        Bucket::opened(self.write_set.pages(), &self.buckets, ROOT)
    }

    /// The bucket that holds all others, to change. Only buckets belong into it.
    pub(crate) fn root_mut(&mut self) -> BucketMut<'_> {
        self.opened_mut(ROOT)
    }

    /// The bucket that this transaction has opened as number `at`.
    pub(crate) fn opened_mut(&mut self, at: BucketIndex) -> BucketMut<'_> {
        BucketMut::opened(&mut self.write_set, &mut self.buckets, at)
    }

    /// The top-level bucket `name`, to read. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`].
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Bucket<'_>> {
        self.root().bucket(name)
    }

    /// The top-level bucket `name`, if there is one. O(log n).
    pub fn get_bucket(&self, name: impl AsRef<[u8]>) -> Result<Option<Bucket<'_>>> {
        self.root().get_bucket(name)
    }

    /// The top-level buckets with their names, in name order.
    pub fn buckets(&self) -> impl Iterator<Item = Result<(&[u8], Bucket<'_>)>> {
        self.root().buckets()
    }

    /// A cursor over the names of the top-level buckets.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        self.root().cursor()
    }

    /// The top-level bucket `name`, to change. O(log n), O(1) when it was opened before.
    ///
    /// # Errors
    /// [`Error::BucketNotFound`].
    pub fn bucket_mut(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        BucketMut::child(&mut self.write_set, &mut self.buckets, ROOT, name.as_ref())
    }

    /// Creates the top-level bucket `name`. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketExists`], [`Error::BucketNameRequired`], [`Error::BucketNameTooLarge`].
    pub fn create_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create(&mut self.write_set, &mut self.buckets, ROOT, named(name.as_ref())?)
    }

    /// The top-level bucket `name`, created if it is not there. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNameRequired`], [`Error::BucketNameTooLarge`].
    pub fn create_bucket_if_absent(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(&mut self.write_set, &mut self.buckets, ROOT, named(name.as_ref())?)
    }

    /// The top-level bucket `name`, created if it is not there, however long the name is: for whoever copies what
    /// another engine wrote. See [`BucketMut::import_bucket`].
    ///
    /// # Errors
    /// [`Error::BucketNameRequired`].
    pub fn import_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<BucketMut<'_>> {
        create_if_absent(&mut self.write_set, &mut self.buckets, ROOT, name.as_ref())
    }

    /// Deletes the top-level bucket `name` and everything in it. O(pages of the bucket).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`].
    pub fn delete_bucket(&mut self, name: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        if self.buckets.delete(&mut self.write_set, ROOT, name)? {
            Ok(())
        } else {
            Err(Error::BucketNotFound { name: name.to_vec() })
        }
    }

    /// Moves the bucket `name` from the bucket at the path `from` into the one at `to`; an empty path is the top level.
    /// Whatever this transaction did to it moves along. O(log n), whatever the bucket's size.
    ///
    /// # Errors
    /// [`Error::BucketNotFound`]; [`Error::BucketExists`] or [`Error::IncompatibleValue`] if the name is taken at the
    /// target; [`Error::SameBuckets`] if source and target are one, or the target lies inside what is moved.
    pub fn move_bucket(&mut self, name: impl AsRef<[u8]>, from: &[&[u8]], to: &[&[u8]]) -> Result<()> {
        let (from, to) = (self.descend(from)?, self.descend(to)?);
        self.buckets.relocate(&mut self.write_set, name.as_ref(), from, to)
    }

    /// Runs `hook` after this transaction is durable, when the next writer may already have begun. Never after a rollback.
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// Takes the hooks so far out; the caller then runs them after the commit.
    pub(crate) fn take_hooks(&mut self) -> Vec<Hook> {
        std::mem::take(&mut self.hooks)
    }

    /// Makes all changes durable and visible, or none.
    ///
    /// The pages are written and synced before the meta page that names them, and that is synced before anybody sees
    /// the new state. A transaction that changed nothing writes nothing.
    ///
    /// # Errors
    /// [`Error::NotCommitted`]: the state before stands. [`Error::Unknown`]: the last sync failed, opening the file
    /// again decides. After a failed write or sync this handle answers further writes with [`Error::Poisoned`].
    pub fn commit(mut self) -> Result<()> {
        let Some(writer) = self.writer.as_mut() else { return Ok(()) };
        commit::commit(&self.core, writer, &mut self.write_set, &mut self.buckets, self.id)?;
        let hooks = self.take_hooks();
        drop(self);
        for hook in hooks {
            hook();
        }
        Ok(())
    }

    /// Forgets all changes, as dropping does.
    pub fn rollback(self) {}

    fn descend(&mut self, path: &[&[u8]]) -> Result<usize> {
        path.iter().try_fold(ROOT, |at, name| {
            self.buckets
                .open(&mut self.write_set, at, name)?
                .ok_or_else(|| Error::BucketNotFound { name: name.to_vec() })
        })
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

/// The writer, unless there can be none.
fn take_writer(core: &Core, ends: Ends) -> Result<Box<Writer>> {
    let refused = || {
        if core.settings.read_only {
            return Err(Error::ReadOnly);
        }
        if core.store.poisoned() { Err(Error::Poisoned) } else { Ok(()) }
    };
    refused()?;
    let writer = core.writer_lock.take(ends)?;
    if let Err(error) = refused() {
        core.writer_lock.give_back(writer);
        return Err(error);
    }
    Ok(writer)
}
