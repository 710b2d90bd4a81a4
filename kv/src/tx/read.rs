//! The read transaction.

use std::sync::Arc;

use freelist_core::{PageId, TxId};
use pagefile_std::View;

use super::core::{Core, Handle};
use super::published::Snapshot;
use super::readers::Ticket;
use super::{Bucket, Cursor};
use crate::error::Result;
use crate::store::{Link, Pages, ResidentView};

/// A read transaction: one consistent state of the database. Commits after its beginning do not change what it sees.
///
/// Beginning and ending a read transaction takes no lock and allocates nothing. It never blocks the writer or the growth
/// of the file. The writer does not reuse the pages that a read transaction can see, so a long one makes the file grow.
/// Threads can share a read transaction and send it to each other.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("b")?.put("key", "old"))?;
/// let before = db.begin_read();
/// db.update(|tx| tx.bucket_mut("b")?.put("key", "new"))?;
/// let after = db.begin_read();
///
/// assert_eq!(before.bucket("b")?.get("key")?, Some(&b"old"[..]));
/// assert_eq!(after.bucket("b")?.get("key")?, Some(&b"new"[..]));
/// assert!(before.id() < after.id());
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Debug)]
pub struct ReadTx<'db> {
    // Dropped before the handle that keeps its map alive.
    view: View<'db>,
    /// Pages of the snapshot that the file does not have yet.
    resident: Option<ResidentView<'db>>,
    snapshot: Snapshot,
    ticket: Ticket,
    core: Handle<'db>,
}

impl<'db> ReadTx<'db> {
    #[inline]
    pub(crate) fn begin(core: &'db Core) -> Self {
        // The view is taken after the snapshot: it covers all pages that the snapshot has.
        let (ticket, snapshot) = core.readers.enter(&core.published);
        debug_assert!(snapshot.root >= 2 && snapshot.root < snapshot.high_water, "a published state has a root");
        let resident = core.resident(&snapshot);
        Self { view: core.store.view(), resident, snapshot, ticket, core: Handle::Borrowed(core) }
    }

    pub(crate) fn begin_owned(core: Arc<Core>) -> ReadTx<'static> {
        let (ticket, snapshot) = core.readers.enter(&core.published);
        let resident = core.resident_owned(&snapshot);
        ReadTx { view: core.store.view_owned(), resident, snapshot, ticket, core: Handle::Shared(core) }
    }

    #[inline]
    pub(crate) fn pages(&self) -> Pages<'_> {
        let pages = Pages::new(&self.view, &[], self.core.page_size, self.snapshot.high_water);
        let pages = pages.with_resident(self.resident.as_ref());
        match &self.core.heads {
            Some(heads) => pages.with_heads(heads),
            None => pages,
        }
    }

    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Returns the id of the transaction that committed this state. O(1).
    #[must_use]
    pub const fn id(&self) -> TxId {
        TxId::new(self.snapshot.tx)
    }

    /// Returns the bytes of the file up to this state's high-water mark, free pages included. The file may be longer.
    /// O(1).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.snapshot.high_water.saturating_mul(self.core.page_size.into())
    }

    /// Returns the root bucket, whose items are the top-level buckets. O(1).
    #[must_use]
    pub fn root(&self) -> Bucket<'_> {
        Bucket::at(self.pages(), Link::page(PageId::new(self.snapshot.root)), self.snapshot.root_sequence)
    }

    /// Returns the top-level bucket `name`. O(log n).
    ///
    /// # Errors
    /// - [`Error::BucketNotFound`](crate::Error::BucketNotFound) if there is no such bucket.
    /// - [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way to it is damaged.
    pub fn bucket(&self, name: impl AsRef<[u8]>) -> Result<Bucket<'_>> {
        self.root().bucket(name)
    }

    /// Returns the top-level bucket `name`, or `None` if there is no such bucket. O(log n).
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way to it is damaged.
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
}

impl Drop for ReadTx<'_> {
    #[inline]
    fn drop(&mut self) {
        self.core.readers.leave(self.ticket);
    }
}
