//! A range of address space that shows the bytes of a file, or private memory.
//!
//! The memory of a file is the system's map of it, or a private copy that is made block by block
//! ([`Copied`]), for files that other programs may truncate.
//!
//! One of the two files with `unsafe` code. What every block here relies on:
//!
//! - **Bounds.** `len <= room`, where `room` is what the system mapped. Nothing at or past `len` is
//!   ever touched: on 64-bit Unix the mapping of a file is longer than the file, and touching it past
//!   the file's end is a fatal signal. `len` is raised only after the file has been made that long,
//!   and lowered before the file is made shorter. Whoever has read the old `len` may still make a
//!   slice that ends past the new one; the layer above truncates only what nobody looks at again.
//! - **No write under a borrow.** The bytes of a slice that was handed out do not change while it
//!   lives. This is the protocol in the crate's documentation: the layer above does not write bytes
//!   that a view may still reach, and other processes heed the lock. The compiler cannot check it, as
//!   with every shared map of a file.
//! - **A copy is made once.** A block of a private copy is written before its bytes are handed out for
//!   the first time, and afterwards only as the file is written: see above.
//! - **Nobody else truncates the file** while it is mapped: the lock keeps away other processes that
//!   heed it.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::copied::Copied;
use crate::error::{Operation, StoreError};
use crate::live::Confirm;
use crate::lock::LockedFile;
use crate::store::check_range;
use crate::sys;

/// Bytes in the address space of the process. The stores of this crate make maps; a
/// [`View`](crate::View) reads them.
///
/// ```
/// use pagefile_std::{MemStore, PageStore, View};
///
/// let store = MemStore::with_bytes(b"bytes");
/// let View::Kept(map) = store.view_owned() else { panic!("an owned view counts its map") };
/// drop(store);
/// assert_eq!((map.len(), map.is_empty()), (5, false));
/// assert_eq!(map.bytes(1, 3), Some(&b"yte"[..]));
/// ```
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
    /// the last view is dropped, even if the store is dropped earlier.
    File { _locked: Arc<LockedFile> },
    /// A file, of which this private memory has copies.
    Copy(Copied),
    /// No file: private memory, writable by its store.
    Memory,
}

impl Map {
    /// Whether a map may have room beyond the end of its file: then growth need not move it.
    pub(crate) const CAN_RESERVE: bool = cfg!(all(unix, target_pointer_width = "64"));

    /// Whether a file may become shorter than its map. Windows refuses to truncate a file that is mapped.
    pub(crate) const CAN_OUTLAST_ITS_FILE: bool = cfg!(unix);

    /// Maps the first `len` bytes of a file, with room for `room`, read-only.
    ///
    /// The file must have `len` bytes. Room beyond them needs [`Map::CAN_RESERVE`].
    pub(crate) fn of_file(file: &Arc<LockedFile>, len: u64, room: u64) -> io::Result<Map> {
        let len = addressable(len)?;
        let room = addressable(room)?.max(len);
        assert!(room == len || Map::CAN_RESERVE, "only 64-bit Unix maps room beyond the end of a file");
        let memory = MmapOptions::new().len(room).no_reserve_swap().map_raw_read_only(&***file)?;
        Ok(Map::of(memory, len, Backing::File { _locked: Arc::clone(file) }))
    }

    /// Private memory for copies of the first `len` bytes of a file, with room for `room`.
    pub(crate) fn copy_of_file(file: &Arc<LockedFile>, path: &Path, len: u64, room: u64) -> io::Result<Map> {
        Map::for_copies(len, room, |room| Copied::nothing(file, path, room))
    }

    /// Private memory for copies of the first `len` bytes of a file that somebody else may write to: those that `confirm`
    /// confirms.
    pub(crate) fn copy_of_live_file(
        file: &Arc<LockedFile>,
        path: &Path,
        len: u64,
        confirm: &Confirm,
    ) -> io::Result<Map> {
        Map::for_copies(len, len, |room| Copied::nothing(file, path, room).confirmed_by(confirm))
    }

    fn for_copies(len: u64, room: u64, copied: impl FnOnce(usize) -> Copied) -> io::Result<Map> {
        let Map { memory, len, .. } = Map::in_memory(len, room)?;
        let copied = copied(memory.len());
        assert!(len.load(Ordering::Relaxed) <= memory.len(), "there is room for a copy of each byte");
        Ok(Map { memory, len, backing: Backing::Copy(copied) })
    }

    /// Maps `len` zero bytes of memory, with room for `room`.
    pub(crate) fn in_memory(len: u64, room: u64) -> io::Result<Map> {
        let len = addressable(len)?;
        let memory = MmapOptions::new().len(addressable(room)?.max(len)).no_reserve_swap().map_anon()?;
        Ok(Map::of(MmapRaw::from(memory), len, Backing::Memory))
    }

    fn of(memory: MmapRaw, len: usize, backing: Backing) -> Map {
        assert!(len <= memory.len(), "a map shows no more bytes than the system has mapped");
        assert!(isize::try_from(memory.len()).is_ok(), "every range of a map is a valid slice");
        Map { memory, len: AtomicUsize::new(len), backing }
    }

    /// How many bytes the map shows. Growth of the store may raise it. O(1).
    #[inline]
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire) as u64
    }

    /// Whether it shows none. O(1).
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `len` bytes from `offset` on; `None` unless the map shows all of them, and can read them if it has not done
    /// so yet. O(1), after the first time.
    #[inline]
    #[must_use]
    pub fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.present(offset, len).or_else(|| self.fetch(offset, len).ok())
    }

    /// The same; the error says why not.
    ///
    /// # Errors
    /// [`StoreError::OutOfBounds`] if the map does not show all of them; [`StoreError::Io`] if they cannot be read, with
    /// [`FileOptions::private_reads`](crate::FileOptions::private_reads).
    #[inline]
    pub fn read(&self, offset: u64, len: usize) -> Result<&[u8], StoreError> {
        match self.present(offset, len) {
            Some(bytes) => Ok(bytes),
            None => self.fetch(offset, len),
        }
    }

    /// Bytes that are in memory already, or that the system brings there.
    #[inline]
    pub(crate) fn present(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(len)?;
        if end > self.len.load(Ordering::Acquire) {
            return None;
        }
        if let Backing::Copy(copied) = &self.backing
            && !copied.has(&(start..end))
        {
            return None;
        }
        debug_assert!(end <= self.memory.len(), "what a map shows, it has");
        // SAFETY: `start..end` lies below `self.len`, hence inside the mapping and inside the
        // file (Bounds). The mapping lives as long as `self`, which the slice borrows. The bytes
        // are initialised: a file's are, and anonymous memory starts as zeros. They are not
        // written while the slice lives (No write under a borrow; A copy is made once: all blocks of
        // the range are there). `end` fits `isize`, because
        // `addressable` has checked the room.
        Some(unsafe { slice::from_raw_parts(self.memory.as_ptr().add(start), len) })
    }

    /// Copies what is not in memory yet.
    #[cold]
    fn fetch(&self, offset: u64, len: usize) -> Result<&[u8], StoreError> {
        let outside = || check_range(Operation::Read, offset, len as u64, self.len());
        outside()?;
        if let (Backing::Copy(copied), Ok(start)) = (&self.backing, usize::try_from(offset)) {
            let mut buffer = copied.alone();
            // Read now: nobody makes the file longer or writes to it meanwhile.
            let shown = self.len.load(Ordering::Acquire);
            copied.copy(&(start..start.saturating_add(len)), shown, &mut buffer, |at, bytes| {
                self.write(at as u64, bytes);
            })?;
        }
        let fetched = self.present(offset, len);
        assert!(fetched.is_some(), "what lies inside the map is there once it is copied");
        Ok(fetched.unwrap_or_default())
    }

    /// Runs `write`, which writes `bufs` to the file from `offset` on, and then shows these bytes where the map has
    /// copied what was there before.
    pub(crate) fn with_file<E>(
        &self,
        offset: u64,
        bufs: &[IoSlice<'_>],
        write: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let Backing::Copy(copied) = &self.backing else { return write() };
        let _alone = copied.alone();
        let len = bufs.iter().map(|buf| buf.len() as u64).sum::<u64>();
        assert!(offset + len <= self.len(), "the map shows whatever is written");
        write()?;
        let mut at = usize::try_from(offset).expect("an offset inside the map");
        for buf in bufs {
            let whole = at..at + buf.len();
            copied.parts(whole.clone()).for_each(|Range { start, end }| {
                self.write(start as u64, &buf[start - at..end - at]);
            });
            at = whole.end;
        }
        Ok(())
    }

    /// Whether the map could show more bytes than it does.
    pub(crate) fn has_room(&self) -> bool {
        self.memory.len() > self.len.load(Ordering::Acquire)
    }

    /// Shows bytes up to `len`, if there is room; returns whether there is.
    ///
    /// The file must be that long already.
    pub(crate) fn extend(&self, len: u64) -> bool {
        match usize::try_from(len) {
            Ok(len) if len <= self.memory.len() => {
                let before = self.len.fetch_max(len, Ordering::Release);
                assert!(before <= self.memory.len(), "a map never shows more than it has mapped");
                true
            }
            _ => false,
        }
    }

    /// Stops showing the bytes past `len`. To be called before the file is made shorter, while nobody borrows them. Memory
    /// past `len` becomes zeros, as the file's bytes there do, so that growth shows no old bytes.
    pub(crate) fn shorten(&self, len: u64) {
        let _alone = if let Backing::Copy(copied) = &self.backing { Some(copied.alone()) } else { None };
        let before = self.len.load(Ordering::Acquire);
        let Some(len) = usize::try_from(len).ok().filter(|len| *len < before) else { return };
        match &self.backing {
            Backing::File { .. } => {}
            Backing::Copy(copied) => copied.forget(len..before, |part| self.clear(part)),
            Backing::Memory => self.clear(len..before),
        }
        let lowered = self.len.swap(len, Ordering::AcqRel);
        assert_eq!(lowered, before, "a map becomes longer or shorter by one caller at a time");
    }

    /// Writes zeros over private memory. What has never been written is only read: the system then gives no memory for it.
    fn clear(&self, range: Range<usize>) {
        const ZEROS: [u8; 4096] = [0; 4096];
        assert!(range.start <= range.end && range.end <= self.memory.len(), "what is cleared lies inside the map");
        for start in range.clone().step_by(ZEROS.len()) {
            let zeros = &ZEROS[..ZEROS.len().min(range.end - start)];
            if self.present(start as u64, zeros.len()) != Some(zeros) {
                self.write(start as u64, zeros);
            }
        }
    }

    /// Writes into private memory.
    ///
    /// # Panics
    /// If the range is not inside the map, or the map is the system's map of a file: errors of this crate.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) {
        let start = usize::try_from(offset).expect("an offset inside the map");
        let end = start.checked_add(bytes.len()).expect("an end in the map");
        assert!(end <= self.len.load(Ordering::Acquire), "write past the end");
        assert!(!matches!(self.backing, Backing::File { .. }), "write to a file");
        // SAFETY: `start..end` lies inside the mapping (Bounds), which is writable because it is
        // private memory. `bytes` cannot overlap it: it would be a slice handed out by `bytes`,
        // and those are not written while they live (No write under a borrow), which also rules
        // out every other reader of the range; a block of a copy has no reader before it is there
        // (A copy is made once). Two writers at once are kept apart by the lock that `MemStore`
        // holds around this call, and the one of `Copied` for a copy.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.as_mut_ptr().add(start), bytes.len());
        }
    }

    /// Private memory as words, of which each may be read and written at any time. Whoever calls this hands out no bytes
    /// of the same map, and does not write to it otherwise.
    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        debug_assert!(matches!(self.backing, Backing::Memory), "only private memory is written word by word");
        let count = self.len.load(Ordering::Relaxed) / size_of::<AtomicU64>();
        // SAFETY: the words lie below `self.len`, hence inside the mapping (Bounds), which lives as long as `self`, which
        // the slice borrows. A mapping begins at the start of a page of memory, so the words are aligned. They are
        // initialised: anonymous memory starts as zeros. It is writable, and shared references to atomics are all that
        // there is to it (the caller hands out no bytes of it).
        unsafe { slice::from_raw_parts(self.memory.as_mut_ptr().cast(), count) }
    }

    /// Asks the system for huge pages behind the first `small` bytes, where it has them. It may do as it likes.
    pub(crate) fn prefer_huge_pages(&self, small: usize) {
        let len = self.len.load(Ordering::Relaxed);
        assert!(len <= self.memory.len(), "only mapped bytes are in pages");
        #[cfg(target_os = "linux")]
        if let Some(rest) = len.checked_sub(small) {
            let _unless_it_has_none = self.memory.advise_range(memmap2::Advice::HugePage, small, rest);
        }
        #[cfg(not(target_os = "linux"))]
        let _no_huge_pages_here = small;
    }

    /// Keeps the bytes up to [`len`](Map::len) in main memory until the map is dropped.
    pub(crate) fn lock_in_memory(&self) -> io::Result<()> {
        let len = self.len.load(Ordering::Acquire);
        assert!(len <= self.memory.len(), "only mapped bytes are locked in memory");
        sys::lock_in_memory(self.memory.as_ptr(), len)
    }
}

/// Asks the processor to bring `bytes` near, and goes on without waiting for them. So many loads are under way together that
/// otherwise wait for each other. It changes nothing; bytes that are not in main memory stay where they are.
///
/// ```
/// pagefile_std::prefetch(b"read soon");
/// ```
#[inline]
pub fn prefetch<T>(values: &[T]) {
    let (start, len) = (values.as_ptr().cast::<u8>(), size_of_val(values));
    let Some(last) = len.checked_sub(1) else { return };
    for at in (0..last).step_by(LINE) {
        prefetch_line(start.wrapping_add(at));
    }
    // What begins within a line ends in one more.
    prefetch_line(start.wrapping_add(last));
}

/// Bytes of a cache line.
const LINE: usize = 64;

#[inline]
fn prefetch_line(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which reads and writes nothing that the program sees, and faults at no address. SSE, which has it, is
    // part of every x86-64 processor.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above: `prfm` is a hint, and touches neither registers, flags nor the stack.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _no_hint_here = at;
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
        assert!(!map.is_empty() && Map::in_memory(0, 200).unwrap().is_empty());
        assert_eq!(map.bytes(0, 100), Some(&[0; 100][..]));
        assert_eq!(map.bytes(100, 0), Some(&[][..]));
        for (offset, len) in [(0, 101), (100, 1), (101, 0), (u64::MAX, 1), (1, usize::MAX), (u64::MAX, usize::MAX)] {
            assert_eq!(map.bytes(offset, len), None, "{offset} + {len}");
        }
    }

    #[test]
    fn extends_into_its_room_only() {
        let map = Map::in_memory(100, 200).unwrap();
        map.write(99, b"x");
        assert!(map.extend(200));
        assert!(map.extend(150));
        assert_eq!(map.len(), 200);
        assert!(!map.extend(201));
        assert_eq!(map.bytes(98, 3), Some(&b"\0x\0"[..]));
    }

    #[test]
    fn what_it_stops_showing_comes_back_as_zeros() {
        let map = Map::in_memory(10_000, 20_000).unwrap();
        map.write(0, &[7; 10_000]);
        map.shorten(10_001);
        assert_eq!(map.len(), 10_000, "it does not become longer");
        map.shorten(1000);
        assert_eq!((map.len(), map.bytes(999, 2)), (1000, None));
        assert!(map.extend(12_000));
        assert_eq!(map.bytes(0, 1000), Some(&[7; 1000][..]));
        assert_eq!(map.bytes(1000, 11_000), Some(&[0; 11_000][..]));
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
