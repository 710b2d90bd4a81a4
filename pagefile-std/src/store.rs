//! The seam between a storage engine and the bytes of its pages.

use std::fmt::Debug;
use std::io::IoSlice;
use std::sync::Arc;

use crate::error::{Operation, StoreError};
use crate::map::Map;

/// The bytes of all pages, as one array that can grow and become shorter, with control over when they are durable.
///
/// # Durability
///
/// - [`sync`](PageStore::sync) is the only barrier. When it returns `Ok`, every `write_at` that
///   returned before the call of `sync` survives a power cut. Between two syncs nothing is promised:
///   a power cut may lose any part of any write and keep a later write, and the parts need not be
///   whole pages. Bytes outside the written ranges do not change.
/// - [`write_durable_at`](PageStore::write_durable_at) is a write and the promise that it survives a
///   power cut when it returns `Ok`: its own run of bytes, and nothing else. Earlier writes that are
///   not synced stay in doubt, and so do the parts of the run until it returns.
/// - [`grow`](PageStore::grow) is a barrier for the length: when it returns `Ok`, a power cut does
///   not make the store shorter. New bytes read as zero until they are written, also where the store
///   had other bytes before it was truncated.
/// - [`truncate`](PageStore::truncate) is no barrier: a power cut before the next sync or growth leaves the length
///   before it or the one after it. So truncate only what no durable byte needs any more.
/// - After the first `write_at`, `write_durable_at`, `grow` or `sync` that fails with
///   [`StoreError::Io`], the contents of the disk are unknown: operating systems forget which pages
///   they could not write, so a later sync would succeed without having written them. The store is
///   then [`poisoned`](PageStore::poisoned): it refuses all four with [`StoreError::Poisoned`], and no
///   sync is ever tried twice. Reads still work. To recover, open the store again, read what it
///   holds, and write again what must last.
/// - Other errors (out of bounds, read-only, no room to map) change nothing and poison nothing.
///
/// # Visibility
///
/// A view shows every write and growth that was complete when the view was taken. It may or may not
/// show later ones: take a new view after a write or `grow`. `read_at` shows every write that was
/// complete when `read_at` was called. What is truncated is no longer in any view.
///
/// # Who may write what
///
/// The crate's documentation states the [protocol](crate#the-protocol-that-makes-the-map-sound):
/// bytes that are borrowed from a view must be neither written nor truncated.
///
/// # Writing another store
///
/// Only this crate makes [`Map`]s, and every view is a view of a map. So another store wraps a
/// [`MemStore`](crate::MemStore) or a [`PageFile`](crate::PageFile) and adds to it. The feature
/// `conformance` has the tests that such a store must pass.
///
/// ```
/// use pagefile_std::{MemStore, PageStore, StoreError, View};
/// use std::io::IoSlice;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts the syncs of another store.
/// #[derive(Debug)]
/// struct Counted<S> {
///     store: S,
///     syncs: AtomicU64,
/// }
///
/// impl<S: PageStore> PageStore for Counted<S> {
///     fn sync(&self) -> Result<(), StoreError> {
///         self.syncs.fetch_add(1, Ordering::Relaxed);
///         self.store.sync()
///     }
/// #   fn len(&self) -> u64 { self.store.len() }
/// #   fn view(&self) -> View<'_> { self.store.view() }
/// #   fn view_owned(&self) -> View<'static> { self.store.view_owned() }
/// #   fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> { self.store.read_at(offset, buf) }
/// #   fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> { self.store.write_at(offset, bufs) }
/// #   fn grow(&self, min_len: u64) -> Result<(), StoreError> { self.store.grow(min_len) }
/// #   fn truncate(&self, min_len: u64) -> Result<(), StoreError> { self.store.truncate(min_len) }
/// #   fn check_name(&self) -> Result<(), StoreError> { self.store.check_name() }
/// #   fn poisoned(&self) -> bool { self.store.poisoned() }
///     // The other methods call those of `self.store`.
/// }
///
/// let store = Counted { store: MemStore::new(), syncs: AtomicU64::new(0) };
/// store.grow(4096)?;
/// store.write_at(0, &[IoSlice::new(b"page")])?;
/// store.sync()?;
/// assert_eq!(store.syncs.into_inner(), 1);
/// # Ok::<(), StoreError>(())
/// ```
pub trait PageStore: Send + Sync + Debug {
    /// Current length, in bytes. O(1).
    fn len(&self) -> u64;

    /// Whether the length is zero. O(1).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A view of the current bytes, to read them in place. O(1); no lock, no allocation and no shared
    /// counter where the map does not move.
    fn view(&self) -> View<'_>;

    /// The same as [`view`](PageStore::view), but it counts its map instead of borrowing the store, so
    /// it may outlive the store. O(1).
    fn view_owned(&self) -> View<'static>;

    /// Copies `buf.len()` bytes from `offset` on, but not through the map. So it may read bytes that
    /// change in place, and it reports a failing disk as an error. O(`buf.len()`).
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`] if the range ends past [`len`](PageStore::len);
    /// [`StoreError::Io`] if the disk or the system fails. Neither poisons.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError>;

    /// Writes `bufs`, one after the other, as one run of bytes from `offset` on, in as few system
    /// calls as possible. The bytes are not durable before the next [`sync`](PageStore::sync).
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`] if the run ends past [`len`](PageStore::len) (grow first),
    /// [`StoreError::ReadOnly`], [`StoreError::Poisoned`]: nothing was written.
    /// [`StoreError::Io`]: any part of the run may have been written, and the store is poisoned.
    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError>;

    /// Writes `bufs` as [`write_at`](PageStore::write_at) does, and returns when they are durable. It may be called beside
    /// a [`sync`](PageStore::sync), a growth, and writes to other bytes; of several calls one after the other has its turn.
    ///
    /// A store that does not say otherwise writes and syncs, which makes more durable than this promises.
    ///
    /// ```
    /// use pagefile_std::{MemStore, PageStore};
    /// use std::io::IoSlice;
    ///
    /// let store = MemStore::with_bytes(&[0; 4096]);
    /// store.write_durable_at(512, &[IoSlice::new(b"which of two "), IoSlice::new(b"trees is the newest")])?;
    /// assert_eq!(store.view().bytes(512, 8), Some(&b"which of"[..]));
    /// # Ok::<(), pagefile_std::StoreError>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`], [`StoreError::ReadOnly`], [`StoreError::Poisoned`]: nothing was written.
    /// [`StoreError::Io`]: any part of the run may have been written, and may be durable or not; the store is poisoned.
    fn write_durable_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.write_at(offset, bufs)?;
        self.sync()
    }

    /// Makes the store at least `min_len` bytes long, durably. Usually it becomes longer, so that
    /// growth is rare. Does nothing if the store is long enough.
    ///
    /// # Errors
    /// [`StoreError::AddressSpace`], [`StoreError::LockedMemory`], [`StoreError::ReadOnly`],
    /// [`StoreError::Poisoned`]: the length has not changed.
    /// [`StoreError::Io`]: the length on disk may be the old or the new one; the store is poisoned.
    fn grow(&self, min_len: u64) -> Result<(), StoreError>;

    /// Makes the store shorter, but not shorter than `min_len` bytes. Usually it stays a little longer, so that the
    /// next growth is not near. Does nothing if the store is short enough, or cannot become shorter at all: Windows does
    /// not truncate a file that is mapped, and a store that does not say otherwise has a fixed end. Writes that are not
    /// durable and lie past the new end are dropped. The system's work is in proportion to what goes.
    ///
    /// # Who may call it
    ///
    /// The layer above, when nobody will look past `min_len` again in any view taken so far: the map of a file that has
    /// become shorter ends the process where it is touched past the end (`SIGBUS`). See the
    /// [protocol](crate#the-protocol-that-makes-the-map-sound).
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Poisoned`]: the length has not changed.
    /// [`StoreError::Io`]: the length on disk may be the old or the new one; [`len`](PageStore::len) is the new one. This
    /// does not poison: no byte that the store still has is in doubt.
    fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
        let _ = min_len;
        Ok(())
    }

    /// Makes all earlier writes durable.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Poisoned`]: nothing was done.
    /// [`StoreError::Io`]: any part of the writes that were not yet durable may be lost; the store is
    /// poisoned.
    fn sync(&self) -> Result<(), StoreError>;

    /// Notices that the store is no longer where its user will look for it: a file that was renamed, removed or
    /// replaced. What is written to it then is lost to whoever opens the path. To be called before a change begins; it
    /// changes nothing, and costs a look at the clock most of the time. A store without a name has nothing to notice,
    /// and neither has one that does not say otherwise.
    ///
    /// # Errors
    /// [`StoreError::FileMoved`], until the file is back.
    fn check_name(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Turns the sync of each growth off or on, from the next growth on: see
    /// [`FileOptions::no_grow_sync`](crate::FileOptions::no_grow_sync). A store that does not sync its growth has nothing
    /// to turn off, and neither has one that does not say otherwise.
    fn set_no_grow_sync(&self, no_grow_sync: bool) {
        let _ = no_grow_sync;
    }

    /// Whether a write, growth or sync has failed, so that the store refuses all of them. O(1).
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
            fn write_durable_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
                (**self).write_durable_at(offset, bufs)
            }
            fn grow(&self, min_len: u64) -> Result<(), StoreError> {
                (**self).grow(min_len)
            }
            fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
                (**self).truncate(min_len)
            }
            fn sync(&self) -> Result<(), StoreError> {
                (**self).sync()
            }
            fn check_name(&self) -> Result<(), StoreError> {
                (**self).check_name()
            }
            fn set_no_grow_sync(&self, no_grow_sync: bool) {
                (**self).set_no_grow_sync(no_grow_sync);
            }
            fn poisoned(&self) -> bool {
                (**self).poisoned()
            }
        }
    )*};
}

forward!(Box<S>, Arc<S>, &S);

/// The bytes of a store as a transaction sees them. Cheap to clone, `Send` and `Sync`.
///
/// ```
/// use pagefile_std::{MemStore, PageStore};
///
/// let store = MemStore::with_bytes(b"a page");
/// let view = store.view();
/// assert_eq!(view.bytes(2, 4), Some(&b"page"[..]));
/// assert_eq!(view.bytes(2, 5), None, "only whole ranges");
///
/// let owned = store.view_owned();
/// drop(store);
/// assert_eq!((owned.len(), owned.bytes(0, 1)), (6, Some(&b"a"[..])));
/// ```
#[derive(Clone, Debug)]
pub enum View<'s> {
    /// Of the store's one map, which lives as long as the store: free to take.
    Fixed(&'s Map),
    /// Of a map that the store may replace: this count keeps it alive.
    Kept(Arc<Map>),
}

impl View<'_> {
    /// The `len` bytes from `offset` on, in place; `None` if the view does not have all of them.
    /// O(1).
    ///
    /// Nobody may write them while they are borrowed: see the
    /// [protocol](crate#the-protocol-that-makes-the-map-sound).
    #[inline]
    #[must_use]
    pub fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.map().bytes(offset, len)
    }

    /// The same as [`bytes`](View::bytes), but `None` too where that would have to read them from the file first, with
    /// [`FileOptions::private_reads`](crate::FileOptions::private_reads) or in a [`Look`](crate::Look): for bytes that may
    /// be needed soon. O(1).
    #[inline]
    #[must_use]
    pub fn at_hand(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.map().present(offset, len)
    }

    /// The same as [`bytes`](View::bytes); the error says why not. O(1).
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`] if the view does not have all of them; [`StoreError::Io`] if the file does not have
    /// them any more, or cannot be read, with [`FileOptions::private_reads`](crate::FileOptions::private_reads).
    #[inline]
    pub fn read(&self, offset: u64, len: usize) -> Result<&[u8], StoreError> {
        self.map().read(offset, len)
    }

    /// How many bytes the view has: as many as the store had when the view was taken, or more, or fewer once the store is
    /// truncated. O(1).
    #[inline]
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map().len()
    }

    /// Whether it has none. O(1).
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
    assert!(matches!(operation, Operation::Read | Operation::Write), "only reads and writes have a range");
    match offset.checked_add(len) {
        Some(range_end) if range_end <= end => Ok(()),
        _ => Err(StoreError::OutOfBounds { operation, offset, len, end }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use crate::{MemStore, PageStore};

    #[test]
    fn bytes_in_memory_are_at_hand() {
        let store = MemStore::with_bytes(b"some pages");
        let view = store.view();
        assert_eq!(view.at_hand(5, 5), Some(&b"pages"[..]));
        assert_eq!(view.at_hand(5, 6), None, "only whole ranges");
        store.write_at(0, &[IoSlice::new(b"more")]).unwrap();
        assert_eq!(store.view().at_hand(0, 4), Some(&b"more"[..]));
    }
}
