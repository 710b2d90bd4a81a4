//! A stretch of address space that shows the bytes of a file, or holds bytes of its own.
//!
//! One of the two files with `unsafe` code. What every block here relies on:
//!
//! - **Bounds.** `len <= room`, where `room` is what the system mapped. `len` only grows. Nothing
//!   at or past `len` is ever touched: on 64-bit Unix the mapping of a file is longer than the
//!   file, and touching it past the file's end is a fatal signal. `len` is raised only after the
//!   file has been made that long.
//! - **No write under a borrow.** The bytes of a slice that was handed out do not change while it
//!   lives. This is the protocol that the crate's documentation asks of the layer above (it does
//!   not write what a view may still reach) and of other processes (they heed the lock). The
//!   compiler cannot check it, as with every shared map of a file.
//! - **Nobody truncates the file** while it is mapped: this crate never does, and other processes
//!   are kept away by the lock if they heed it.

use std::io;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::lock::LockedFile;
use crate::sys;

/// Bytes in the address space of the process. Made by the stores of this crate, read through a
/// [`View`](crate::View).
#[derive(Debug)]
pub struct Map {
    memory: MmapRaw,
    /// How many bytes, from the start on, may be touched.
    len: AtomicUsize,
    backing: Backing,
}

/// What the bytes belong to.
#[derive(Debug)]
enum Backing {
    /// A file. Its handle holds the advisory lock, so that nobody else writes to the file before
    /// the last view is gone, even if the store is gone earlier.
    File { _locked: Arc<LockedFile> },
    /// Nothing: private memory, writable by its store.
    Memory,
}

impl Map {
    /// Whether a map may have room beyond the end of its file: then growth need not move it.
    pub(crate) const CAN_RESERVE: bool = cfg!(all(unix, target_pointer_width = "64"));

    /// Maps the first `len` bytes of a file, with room for `room`, read-only.
    ///
    /// The file must have `len` bytes. Room beyond them needs [`Map::CAN_RESERVE`].
    pub(crate) fn of_file(file: &Arc<LockedFile>, len: u64, room: u64) -> io::Result<Map> {
        let len = addressable(len)?;
        let memory =
            MmapOptions::new().len(addressable(room)?.max(len)).no_reserve_swap().map_raw_read_only(&***file)?;
        Ok(Map { memory, len: AtomicUsize::new(len), backing: Backing::File { _locked: Arc::clone(file) } })
    }

    /// Maps `len` zero bytes of memory, with room for `room`.
    pub(crate) fn in_memory(len: u64, room: u64) -> io::Result<Map> {
        let len = addressable(len)?;
        let memory = MmapOptions::new().len(addressable(room)?.max(len)).no_reserve_swap().map_anon()?;
        Ok(Map { memory: MmapRaw::from(memory), len: AtomicUsize::new(len), backing: Backing::Memory })
    }

    /// How many bytes there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire) as u64
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `len` bytes from `offset` on; `None` unless all of them are there. O(1).
    #[inline]
    #[must_use]
    pub fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(len)?;
        if end > self.len.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: `start..end` lies below `self.len`, hence inside the mapping and inside the
        // file (Bounds). The mapping lives as long as `self`, which the slice borrows. The bytes
        // are initialised: a file's are, and anonymous memory starts as zeros. They are not
        // written while the slice lives (No write under a borrow). `end` fits `isize`, because
        // `addressable` has checked the room.
        Some(unsafe { slice::from_raw_parts(self.memory.as_ptr().add(start), len) })
    }

    /// Whether it can show more bytes than it does.
    pub(crate) fn has_room(&self) -> bool {
        self.memory.len() > self.len.load(Ordering::Acquire)
    }

    /// Shows bytes up to `len`, if there is room; says whether there is.
    ///
    /// The file must have been made that long before.
    pub(crate) fn extend(&self, len: u64) -> bool {
        match usize::try_from(len) {
            Ok(len) if len <= self.memory.len() => {
                self.len.fetch_max(len, Ordering::Release);
                true
            }
            _ => false,
        }
    }

    /// Shows no bytes past `len` any more. Nobody borrows them: the map is borrowed as a whole. They
    /// stay what they are, so they must be zeros, which is what growth has to show.
    #[cfg(feature = "sim")]
    pub(crate) fn shorten(&mut self, len: u64) {
        let shown = self.len.get_mut();
        *shown = usize::try_from(len).map_or(*shown, |len| len.min(*shown));
    }

    /// Writes into private memory.
    ///
    /// # Panics
    /// If the range is not inside the map, or the map is of a file: errors of this crate.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) {
        let start = usize::try_from(offset).expect("an offset inside the map");
        let end = start.checked_add(bytes.len()).expect("an end in the map");
        assert!(end <= self.len.load(Ordering::Acquire), "write past the end");
        assert!(matches!(self.backing, Backing::Memory), "write to a file");
        // SAFETY: `start..end` lies inside the mapping (Bounds), which is writable because it is
        // private memory. `bytes` cannot overlap it: it would be a slice handed out by `bytes`,
        // and those are not written while they live (No write under a borrow), which also rules
        // out every other reader of the range. Two writers at once are kept apart by the lock
        // that `MemStore` holds around this call.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.as_mut_ptr().add(start), bytes.len());
        }
    }

    /// Keeps the bytes up to [`len`](Map::len) in main memory until the map is gone.
    pub(crate) fn lock_in_memory(&self) -> io::Result<()> {
        sys::lock_in_memory(self.memory.as_ptr(), self.len.load(Ordering::Acquire))
    }
}

/// A length that a slice can have: less than 2 GiB on 32-bit machines.
pub(crate) fn addressable(len: u64) -> io::Result<usize> {
    isize::try_from(len)
        .map(isize::unsigned_abs)
        .map_err(|_| io::Error::new(io::ErrorKind::OutOfMemory, "too long for this machine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_end_where_the_map_ends() {
        let map = Map::in_memory(100, 200).unwrap();
        assert_eq!(map.bytes(0, 100), Some(&[0; 100][..]));
        assert_eq!(map.bytes(100, 0), Some(&[][..]));
        for (offset, len) in [(0, 101), (100, 1), (101, 0), (u64::MAX, 1), (1, usize::MAX), (u64::MAX, usize::MAX)] {
            assert_eq!(map.bytes(offset, len), None, "{offset} + {len}");
        }
    }

    #[test]
    fn extends_into_its_room_only_and_never_shrinks() {
        let map = Map::in_memory(100, 200).unwrap();
        map.write(99, b"x");
        assert!(map.extend(200));
        assert!(map.extend(150));
        assert_eq!(map.len(), 200);
        assert!(!map.extend(201));
        assert_eq!(map.bytes(98, 3), Some(&b"\0x\0"[..]));
    }

    #[test]
    #[should_panic(expected = "write past the end")]
    fn a_write_outside_is_refused() {
        Map::in_memory(100, 200).unwrap().write(99, b"xy");
    }

    #[test]
    fn too_long_a_map_is_an_error() {
        assert!(Map::in_memory(u64::MAX, 0).is_err());
        assert!(Map::in_memory(0, u64::MAX).is_err());
    }
}
