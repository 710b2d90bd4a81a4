//! System calls that std lacks, one small function each.
//!
//! The other file with `unsafe` code; `map.rs` is the first.

#[cfg(not(windows))]
use std::fs::{File, TryLockError};
use std::io;

#[cfg(windows)]
pub(crate) use windows::{same_file, try_lock, unlock};

/// Takes the advisory lock if nobody is in the way.
#[cfg(not(windows))]
pub(crate) fn try_lock(file: &File, shared: bool) -> Result<(), TryLockError> {
    if shared { file.try_lock_shared() } else { file.try_lock() }
}

/// Lets go of the lock, whoever has a copy of the handle.
#[cfg(not(windows))]
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    file.unlock()
}

/// Whether two handles are of one file.
#[cfg(unix)]
pub(crate) fn same_file(a: &File, b: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let (a, b) = (a.metadata()?, b.metadata()?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Keeps `len` bytes from `start` on in main memory. They may belong to any mapping; what is not
/// mapped is an error.
#[cfg(unix)]
pub(crate) fn lock_in_memory(start: *const u8, len: usize) -> io::Result<()> {
    // SAFETY: mlock reads and writes no memory through the pointer; it refuses ranges that are not
    // mapped.
    if unsafe { libc::mlock(start.cast(), len) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Windows bounds locked memory by the working set, which is not ours to change.
#[cfg(not(unix))]
pub(crate) fn lock_in_memory(_start: *const u8, _len: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Writes from several buffers to one place, as much as the system takes at once.
#[cfg(target_os = "linux")]
pub(crate) fn write_vectored_at(file: &File, bufs: &[io::IoSlice<'_>], offset: u64) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    let count = libc::c_int::try_from(bufs.len()).unwrap_or(libc::c_int::MAX);
    let offset = libc::off64_t::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
    // SAFETY: `IoSlice` has the layout of `iovec` (std guarantees it on Unix), and `bufs` holds at
    // least `count` of them, each a live slice. The descriptor is open while `file` is borrowed.
    let written = unsafe { libc::pwritev64(file.as_raw_fd(), bufs.as_ptr().cast(), count, offset) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

#[cfg(windows)]
mod windows {
    use std::fs::{File, TryLockError};
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::windows::io::AsRawHandle;

    use windows_sys::Win32::Foundation::ERROR_LOCK_VIOLATION;
    use windows_sys::Win32::Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, GetFileInformationByHandle, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY,
        LockFileEx, UnlockFileEx,
    };
    use windows_sys::Win32::System::IO::OVERLAPPED;

    /// Takes the lock on the last possible byte if nobody is in the way: bbolt's lock. Locks are
    /// mandatory on Windows, so the file's own bytes must stay free of them, and std's lock, which
    /// covers all but that byte, would not see bbolt's.
    pub(crate) fn try_lock(file: &File, shared: bool) -> Result<(), TryLockError> {
        let mut place = last_byte();
        let mode = if shared { 0 } else { LOCKFILE_EXCLUSIVE_LOCK };
        // SAFETY: the handle is open while `file` is borrowed. `place` outlives the call, which is
        // over when it returns: std opens files for synchronous use.
        let locked =
            unsafe { LockFileEx(file.as_raw_handle(), mode | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &raw mut place) };
        if locked != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION.cast_signed()) {
            return Err(TryLockError::WouldBlock);
        }
        Err(TryLockError::Error(error))
    }

    /// Lets go of the lock, whoever has a copy of the handle.
    pub(crate) fn unlock(file: &File) -> io::Result<()> {
        let mut place = last_byte();
        // SAFETY: as for `LockFileEx` above.
        if unsafe { UnlockFileEx(file.as_raw_handle(), 0, 1, 0, &raw mut place) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn last_byte() -> OVERLAPPED {
        let mut place = OVERLAPPED::default();
        place.Anonymous.Anonymous.Offset = u32::MAX;
        place.Anonymous.Anonymous.OffsetHigh = u32::MAX;
        place
    }

    /// Whether two handles are of one file.
    pub(crate) fn same_file(a: &File, b: &File) -> io::Result<bool> {
        Ok(identity(a)? == identity(b)?)
    }

    fn identity(file: &File) -> io::Result<(u32, u32, u32)> {
        let mut about = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::uninit();
        // SAFETY: the handle is open while `file` is borrowed, and `about` has room for the answer.
        if unsafe { GetFileInformationByHandle(file.as_raw_handle(), about.as_mut_ptr()) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded, so it has filled in all of it.
        let about = unsafe { about.assume_init() };
        Ok((about.dwVolumeSerialNumber, about.nFileIndexHigh, about.nFileIndexLow))
    }
}
