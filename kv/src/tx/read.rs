//! The read transaction.

use std::sync::Arc;

use freelist_core::{PageId, TxId};
use pagefile_std::View;

use super::core::{Core, Handle};
use super::published::Snapshot;
use super::readers::Ticket;
use super::{Bucket, Cursor};
use crate::error::Result;
use crate::store::{Link, Pages};

/// A consistent state of the database, to read, for as long as it is held.
///
/// Beginning and ending one takes no lock and allocates nothing. It holds nobody up: neither the writer, nor the
/// file's growth. The pages that it can see are not used again before it ends, so a very old one makes the file grow.
/// It may be sent to and shared between threads.
#[derive(Debug)]
pub struct ReadTx<'db> {
    // Dropped before the handle that keeps its map alive.
    view: View<'db>,
    snapshot: Snapshot,
    ticket: Ticket,
    core: Handle<'db>,
}

impl<'db> ReadTx<'db> {
    #[inline]
    pub(crate) fn begin(core: &'db Core) -> Self {
        // The view is taken after the snapshot: it covers all pages that the snapshot has.
        let (ticket, snapshot) = core.readers.enter(&core.published);
        Self { view: core.store.view(), snapshot, ticket, core: Handle::Borrowed(core) }
    }

    pub(crate) fn begin_owned(core: Arc<Core>) -> ReadTx<'static> {
        let (ticket, snapshot) = core.readers.enter(&core.published);
        ReadTx { view: core.store.view_owned(), snapshot, ticket, core: Handle::Shared(core) }
    }

    #[inline]
    pub(crate) fn pages(&self) -> Pages<'_> {
        Pages::new(&self.view, &[], self.core.page_size, self.snapshot.high_water)
    }

    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// The transaction whose state this is.
    #[must_use]
    pub const fn id(&self) -> TxId {
        TxId::new(self.snapshot.tx)
    }

    /// Bytes of the file that this state may use: pages up to the high-water mark.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.snapshot.high_water * u64::from(self.core.page_size)
    }

    /// The bucket that holds all others. It has no keys of its own.
    #[must_use]
    pub fn root(&self) -> Bucket<'_> {
        Bucket::at(self.pages(), Link::page(PageId::new(self.snapshot.root)), self.snapshot.root_sequence)
    }

    /// The top-level bucket `name`. O(log n).
    ///
    /// # Errors
    /// [`Error::BucketNotFound`](crate::Error::BucketNotFound).
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
}

impl Drop for ReadTx<'_> {
    #[inline]
    fn drop(&mut self) {
        self.core.readers.leave(self.ticket);
    }
}
