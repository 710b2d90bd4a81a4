//! A store in memory.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use crate::error::{Operation, StoreError};
use crate::growth::grown_len;
use crate::map::Map;
use crate::mapping::Mapping;
use crate::store::{PageStore, View, check_range};

/// The room of a new store: address space where that costs nothing, little elsewhere.
const CAPACITY: u64 = if Map::CAN_RESERVE { 1 << 30 } else { CAPACITY_MIN };
const CAPACITY_MIN: u64 = 1 << 20;

/// Bytes of pages in memory. They die with the process.
///
/// It keeps the contract of [`PageStore`], except that its bytes do not outlive it: `sync` has
/// nothing to do. No operation fails half-way, so it is never poisoned. A growth that finds no memory
/// is an [`AddressSpace`](StoreError::AddressSpace) error and changes nothing.
///
/// A new store costs one system call; the system provides its memory page by page, as it is written.
/// Growth within the capacity moves nothing. Growth beyond it copies the bytes to new memory with
/// twice the room; the first memory stays until the store is dropped, later memory until its last
/// view is dropped.
///
/// ```
/// use pagefile_std::{MemStore, PageStore};
/// use std::io::IoSlice;
///
/// let store = MemStore::with_bytes(b"two pages");
/// store.write_at(4, &[IoSlice::new(b"words")])?;
/// assert_eq!(store.snapshot(), b"two words");
/// # Ok::<(), pagefile_std::StoreError>(())
/// ```
#[derive(Debug)]
pub struct MemStore {
    mapping: Mapping,
    /// Separates copies out of the memory from copies into it. Views need no lock: the bytes that they
    /// reach are not written.
    copying: RwLock<()>,
}

impl MemStore {
    /// An empty store with the usual capacity: 1 GiB of address space on 64-bit Unix, 1 MiB
    /// elsewhere.
    ///
    /// # Panics
    /// If the system has not even one page of memory.
    #[must_use]
    pub fn new() -> MemStore {
        MemStore::with_capacity(CAPACITY)
    }

    /// An empty store that can grow to `capacity` bytes before its bytes move. O(1).
    ///
    /// If the address space has no room for them, the store starts without room and moves its bytes
    /// with each growth.
    ///
    /// # Panics
    /// If the system has not even one page of memory.
    #[must_use]
    pub fn with_capacity(capacity: u64) -> MemStore {
        let mapping = match Map::in_memory(0, capacity) {
            Ok(map) => Mapping::reserved(map),
            Err(_) => Mapping::moving(Map::in_memory(0, 0).expect("a page of memory")),
        };
        MemStore { mapping, copying: RwLock::new(()) }
    }

    /// A store that holds a copy of `bytes`, with a capacity of twice as much, 1 MiB at least.
    /// O(`bytes`).
    ///
    /// # Panics
    /// If there is no memory for them, as `Vec` does.
    #[must_use]
    pub fn with_bytes(bytes: &[u8]) -> MemStore {
        let store = MemStore::with_capacity((2 * bytes.len() as u64).max(CAPACITY_MIN));
        store
            .lengthen(bytes.len() as u64)
            .and_then(|()| store.write_at(0, &[IoSlice::new(bytes)]))
            .expect("memory for the bytes");
        assert_eq!(store.len(), bytes.len() as u64, "the store has exactly the bytes given");
        store
    }

    /// A copy of all bytes. O(length); writes wait meanwhile.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let _unwritten = self.copying.read().unwrap_or_else(PoisonError::into_inner);
        let map = self.mapping.current();
        all_bytes(&map).to_vec()
    }

    /// Makes the store exactly `len` bytes long, unless it is longer.
    pub(crate) fn lengthen(&self, len: u64) -> Result<(), StoreError> {
        let _alone = self.copying.write().unwrap_or_else(PoisonError::into_inner);
        self.mapping.grow(len, |old| {
            let new = Map::in_memory(len, len.saturating_mul(2))
                .or_else(|_| Map::in_memory(len, len))
                .map_err(|source| StoreError::AddressSpace { path: PathBuf::from("memory"), len, source })?;
            new.write(0, all_bytes(old));
            Ok(new)
        })
    }

    /// Makes the store exactly `len` bytes long, unless it is shorter.
    pub(crate) fn cut(&self, len: u64) {
        let _alone = self.copying.write().unwrap_or_else(PoisonError::into_inner);
        self.mapping.shorten(len);
        assert!(self.mapping.current().len() <= len, "no byte past the cut is left");
    }

    /// The memory itself, if it has not moved and no owned view of it is alive.
    #[cfg(feature = "sim")]
    pub(crate) fn sole_map(&mut self) -> Option<&mut Map> {
        self.mapping.sole_map()
    }
}

/// Every byte that a map shows.
fn all_bytes(map: &Map) -> &[u8] {
    let len = usize::try_from(map.len()).expect("a map lies in memory");
    map.bytes(0, len).expect("a map shows its own length")
}

impl Default for MemStore {
    fn default() -> MemStore {
        MemStore::new()
    }
}

impl PageStore for MemStore {
    fn len(&self) -> u64 {
        self.mapping.view().len()
    }

    fn view(&self) -> View<'_> {
        self.mapping.view()
    }

    fn view_owned(&self) -> View<'static> {
        self.mapping.view_owned()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let _unwritten = self.copying.read().unwrap_or_else(PoisonError::into_inner);
        let view = self.mapping.view();
        check_range(Operation::Read, offset, buf.len() as u64, view.len())?;
        buf.copy_from_slice(view.bytes(offset, buf.len()).expect("the view has the range"));
        Ok(())
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        let _alone = self.copying.write().unwrap_or_else(PoisonError::into_inner);
        let map = self.mapping.current();
        let len: u64 = bufs.iter().map(|buf| buf.len() as u64).sum();
        check_range(Operation::Write, offset, len, map.len())?;
        let mut at = offset;
        for buf in bufs {
            map.write(at, buf);
            at += buf.len() as u64;
        }
        assert_eq!(at, offset + len, "the whole range is written, and no more");
        Ok(())
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        if min_len <= self.len() {
            return Ok(());
        }
        self.lengthen(grown_len(min_len))?;
        assert!(self.len() >= min_len, "a store is as long as its growth has promised");
        Ok(())
    }

    fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
        self.cut(grown_len(min_len));
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn poisoned(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_grows_without_moving() {
        let store = MemStore::new();
        store.grow(1).unwrap();
        let place = store.view().bytes(0, 1).unwrap().as_ptr();
        store.grow(CAPACITY_MIN).unwrap();
        assert_eq!(store.view().bytes(0, 1).unwrap().as_ptr(), place);
    }

    #[cfg(feature = "sim")]
    #[test]
    fn a_store_whose_bytes_have_moved_or_are_looked_at_has_no_sole_map() {
        let mut store = MemStore::with_capacity(64 * 1024);
        store.grow(1).unwrap();
        let view = store.view_owned();
        assert!(store.sole_map().is_none(), "looked at");
        drop(view);
        assert!(store.sole_map().is_some());
        store.grow(1 << 20).unwrap();
        assert!(store.sole_map().is_none(), "moved");
    }

    #[test]
    fn growth_beyond_the_capacity_keeps_the_bytes() {
        let store = MemStore::with_capacity(64 * 1024);
        store.grow(1).unwrap();
        store.write_at(0, &[IoSlice::new(b"early")]).unwrap();
        let early = store.view();
        assert!(matches!(early, View::Fixed(_)));

        store.grow(1 << 20).unwrap();
        store.write_at(5, &[IoSlice::new(b" late")]).unwrap();
        assert!(matches!(store.view(), View::Kept(_)));
        assert_eq!(early.bytes(0, 5), Some(&b"early"[..]));
        assert_eq!(store.view().bytes(0, 10), Some(&b"early late"[..]));
        assert_eq!(store.snapshot().len(), 1 << 20);
    }

    #[test]
    fn a_capacity_that_no_machine_has_still_makes_a_store() {
        let store = MemStore::with_capacity(u64::MAX);
        store.grow(100_000).unwrap();
        assert_eq!(store.len(), 128 * 1024);
        assert!(matches!(store.view(), View::Kept(_)));
    }

    #[test]
    fn a_growth_without_memory_changes_nothing() {
        let store = MemStore::with_bytes(b"kept");
        let error = store.grow(u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::AddressSpace { .. }), "{error}");
        assert_eq!(store.snapshot(), b"kept");
        assert!(!store.poisoned());
    }
}
