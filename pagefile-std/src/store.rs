//! The seam: what a storage engine asks of the bytes under its pages.

use std::fmt::Debug;
use std::io::IoSlice;
use std::sync::Arc;

use crate::error::{Operation, StoreError};
use crate::map::Map;

/// Bytes of pages, as one long array that can grow, with a say in when they are durable.
///
/// # Durability
///
/// - [`sync`](PageStore::sync) is the only barrier. When it returns `Ok`, every `write_at` that
///   returned before it was called survives a power cut. Between two syncs nothing is promised:
///   any part of any write may be lost while a later one is kept, and parts are not whole writes,
///   not even whole pages. Bytes outside the written ranges do not change.
/// - [`grow`](PageStore::grow) is its own barrier for the length: when it returns `Ok`, a power cut
///   does not make the store shorter. New bytes read as zero until written.
/// - After the first `write_at`, `grow` or `sync` that fails with [`StoreError::Io`] it is unknown
///   what the disk holds: operating systems forget which pages they could not write, so a later
///   sync would succeed without having written them. The store is then
///   [`poisoned`](PageStore::poisoned): it refuses all three with [`StoreError::Poisoned`], and no
///   sync is ever tried twice. Reads go on. Only opening the store again, reading what is there and
///   writing again what must last leads out of it.
/// - Other errors (out of bounds, read-only, no room to map) change nothing and poison nothing.
///
/// # Visibility
///
/// A view shows every write and growth that was complete when it was taken. Whether it shows
/// later ones is not promised: take a new view after `write_at` or `grow` to be sure.
/// `read_at` shows every write that is complete when it is called.
///
/// # Who may write what
///
/// The crate's documentation states the [protocol](crate#the-protocol-that-makes-the-map-sound):
/// bytes that are borrowed from a view must not be written.
///
/// # Writing another store
///
/// Views are views of a [`Map`], and only this crate makes maps: another store keeps a
/// [`MemStore`](crate::MemStore) or a [`PageFile`](crate::PageFile) inside and adds to it. The
/// feature `conformance` has the tests that such a store has to pass.
pub trait PageStore: Send + Sync + Debug {
    /// Length now, in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as they are now, to be read in place. O(1); no lock, no allocation and no shared
    /// counter where the map does not move.
    fn view(&self) -> View<'_>;

    /// The same, kept alive by a count of its own instead of by a borrow of the store. O(1).
    fn view_owned(&self) -> View<'static>;

    /// Copies `buf.len()` bytes from `offset` on. Never through the map, so it may read what is
    /// written in place and reports a failing disk as an error.
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`] if the range ends past [`len`](PageStore::len);
    /// [`StoreError::Io`] if the disk or the system fails. Neither poisons.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError>;

    /// Writes `bufs`, one behind the other, as one run of bytes from `offset` on, in as few calls
    /// to the system as it allows. Not durable before the next [`sync`](PageStore::sync).
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`] if the run ends past [`len`](PageStore::len) (grow first),
    /// [`StoreError::ReadOnly`], [`StoreError::Poisoned`]: nothing was written.
    /// [`StoreError::Io`]: any part of the run may have been written, and the store is poisoned.
    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError>;

    /// Makes the store at least `min_len` bytes long, durably, and usually longer than asked so
    /// that it is not called often. Does nothing if it is long enough.
    ///
    /// # Errors
    /// [`StoreError::AddressSpace`], [`StoreError::LockedMemory`], [`StoreError::ReadOnly`],
    /// [`StoreError::Poisoned`]: the length is as before.
    /// [`StoreError::Io`]: the length on disk may be the old or the new one; poisoned.
    fn grow(&self, min_len: u64) -> Result<(), StoreError>;

    /// Makes all that was written so far durable.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Poisoned`]: nothing was done.
    /// [`StoreError::Io`]: any part of what was not yet durable may be lost; poisoned.
    fn sync(&self) -> Result<(), StoreError>;

    /// Whether a write, growth or sync has failed, so that all of them are refused from now on.
    fn poisoned(&self) -> bool;
}

/// A store behind a pointer is a store.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: PageStore + ?Sized> PageStore for $pointer {
            fn len(&self) -> u64 {
                (**self).len()
            }
            fn view(&self) -> View<'_> {
                (**self).view()
            }
            fn view_owned(&self) -> View<'static> {
                (**self).view_owned()
            }
            fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
                (**self).read_at(offset, buf)
            }
            fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
                (**self).write_at(offset, bufs)
            }
            fn grow(&self, min_len: u64) -> Result<(), StoreError> {
                (**self).grow(min_len)
            }
            fn sync(&self) -> Result<(), StoreError> {
                (**self).sync()
            }
            fn poisoned(&self) -> bool {
                (**self).poisoned()
            }
        }
    )*};
}

forward!(Box<S>, Arc<S>, &S);

/// The bytes of a store as a transaction sees them. Cheap to clone, `Send` and `Sync`.
#[derive(Clone, Debug)]
pub enum View<'s> {
    /// Of the store's one map, which lives as long as the store: costs nothing to take.
    Fixed(&'s Map),
    /// Of a map that the store may leave for another: alive while this count of it is.
    Kept(Arc<Map>),
}

impl View<'_> {
    /// The `len` bytes from `offset` on, in place; `None` if any of them lies outside the bytes
    /// that the view has. O(1).
    ///
    /// They must not be written while they are borrowed: see the
    /// [protocol](crate#the-protocol-that-makes-the-map-sound).
    #[inline]
    #[must_use]
    pub fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.map().bytes(offset, len)
    }

    /// How many bytes the view has: those of the store when it was taken, or more.
    #[inline]
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map().len()
    }

    /// Whether it has none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn map(&self) -> &Map {
        match self {
            View::Fixed(map) => map,
            View::Kept(map) => map,
        }
    }
}

/// Refuses a range that ends past `end`.
pub(crate) fn check_range(operation: Operation, offset: u64, len: u64, end: u64) -> Result<(), StoreError> {
    match offset.checked_add(len) {
        Some(range_end) if range_end <= end => Ok(()),
        _ => Err(StoreError::OutOfBounds { operation, offset, len, end }),
    }
}
