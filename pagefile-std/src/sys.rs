//! System calls that std lacks, one small function each.
//!
//! The other file with `unsafe` code; `map.rs` is the first.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(not(windows))]
use std::fs::TryLockError;

#[cfg(windows)]
pub(crate) use windows::{names, try_lock, unlock};

/// The most buffers for one call (`IOV_MAX` on Linux; more are an error there).
pub(crate) const BUFS_MAX: usize = 1024;

/// Opens a file without waiting for anything, such as the other end of a FIFO. Later calls do not
/// wait either, until [`wait_from_now_on`].
pub(crate) fn open_at_once(path: &Path, write: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(write);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// Undoes what [`open_at_once`] has set.
#[cfg(unix)]
pub(crate) fn wait_from_now_on(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    // SAFETY: F_GETFL and F_SETFL take and return integers and touch no memory of ours. The
    // descriptor is open while `file` is borrowed.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    // SAFETY: as above.
    if flags != -1 && unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags & !libc::O_NONBLOCK) } != -1 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Windows has no such flag on files.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as elsewhere")]
pub(crate) fn wait_from_now_on(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Takes the advisory lock if nobody is in the way.
#[cfg(not(windows))]
pub(crate) fn try_lock(file: &File, shared: bool) -> Result<(), TryLockError> {
    if shared { file.try_lock_shared() } else { file.try_lock() }
}

/// Releases the lock, even if there are copies of the handle.
#[cfg(not(windows))]
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    file.unlock()
}

/// What tells an open file from all others of the system.
#[cfg(unix)]
pub(crate) type Identity = (u64, u64);

/// What tells an open file from all others, as far as this system says: its path.
#[cfg(not(unix))]
pub(crate) type Identity = std::path::PathBuf;

#[cfg(unix)]
pub(crate) fn identity(file: &File, _path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;

    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(crate) fn identity(_file: &File, path: &Path) -> io::Result<Identity> {
    path.canonicalize()
}

/// Whether a path names this open file.
#[cfg(unix)]
pub(crate) fn names(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let (named, ours) = (std::fs::metadata(path)?, file.metadata()?);
    Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino()))
}

/// Whether a file is on a file system of another machine.
#[cfg(target_os = "linux")]
pub(crate) fn is_remote(file: &File) -> io::Result<bool> {
    /// AFS, Coda, NFS, SMB, NCP, 9P, Ceph, CIFS, SMB 2 and later, Lustre: the numbers of `linux/magic.h` and, for the last
    /// three, of their drivers.
    const REMOTE: [u32; 11] = [
        0x5346_414F,
        0x6B41_4653,
        0x7375_7245,
        0x6969,
        0x517B,
        0x564C,
        0x0102_1997,
        0x00C3_6400,
        0xFF53_4D42,
        0xFE53_4D42,
        0x0BD0_0BD0,
    ];
    Ok(REMOTE.contains(&file_system(file)?))
}

/// What kind of file system a file is on, as a number of `linux/magic.h`.
#[cfg(target_os = "linux")]
fn file_system(file: &File) -> io::Result<u32> {
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;

    let mut about = MaybeUninit::<libc::statfs64>::uninit();
    // SAFETY: the descriptor is open while `file` is borrowed, and `about` has room for the answer.
    if unsafe { libc::fstatfs64(file.as_raw_fd(), about.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so it has filled in all of it.
    let kind = unsafe { about.assume_init() }.f_type;
    // The width and sign of the field differ from machine to machine; the numbers have 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 32 bits are the number")]
    Ok(kind as u32)
}

/// Whether a file is on a file system of another machine.
#[cfg(target_vendor = "apple")]
pub(crate) fn is_remote(file: &File) -> io::Result<bool> {
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;

    let mut about = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open while `file` is borrowed, and `about` has room for the answer.
    if unsafe { libc::fstatfs(file.as_raw_fd(), about.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so it has filled in all of it.
    let flags = unsafe { about.assume_init() }.f_flags;
    Ok(flags & libc::MNT_LOCAL.cast_unsigned() == 0)
}

/// Other systems are not asked.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
#[allow(clippy::unnecessary_wraps, reason = "as elsewhere")]
pub(crate) fn is_remote(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// Opens a file once more for writing, so that each write is durable when it returns. None where it is another system than
/// Linux, where such writes do not reach the drive's own memory or have no promise at all; on a file system of another
/// machine; and on one that a program serves (FUSE), which is told the flag and may do nothing about it.
#[cfg(target_os = "linux")]
pub(crate) fn open_durable(file: &File) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;

    if !keeps_its_word(is_remote(file), file_system(file)) {
        return None;
    }
    OpenOptions::new().write(true).custom_flags(libc::O_DSYNC).open(in_proc(file)).ok()
}

/// Whether a file system takes the flag at its word, by whether it is remote and by its number.
#[cfg(target_os = "linux")]
fn keeps_its_word(remote: io::Result<bool>, file_system: io::Result<u32>) -> bool {
    /// `FUSE_SUPER_MAGIC`.
    const SERVED: u32 = 0x6573_5546;
    matches!((remote, file_system), (Ok(false), Ok(number)) if number != SERVED)
}

/// Other systems sync.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_durable(_file: &File) -> Option<File> {
    None
}

/// Makes a file without a name in a directory, open for reading and writing, that [`link_nameless`] can give one.
#[cfg(target_os = "linux")]
pub(crate) fn create_nameless(directory: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let file = OpenOptions::new().read(true).write(true).mode(mode).custom_flags(libc::O_TMPFILE).open(directory)?;
    std::fs::metadata(in_proc(&file))?;
    Ok(file)
}

/// Gives a file without a name this one, unless something has it.
#[cfg(target_os = "linux")]
pub(crate) fn link_nameless(file: &File, path: &Path) -> io::Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    let (from, to) = (CString::new(in_proc(file))?, CString::new(path.as_os_str().as_bytes())?);
    assert!(from.as_bytes().starts_with(b"/proc/"), "the link leads to the open file");
    // SAFETY: both arguments are strings that end with a zero byte and live through the call, which only reads them.
    let linked =
        unsafe { libc::linkat(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), libc::AT_SYMLINK_FOLLOW) };
    if linked == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A symbolic link to an open file, where `/proc` is mounted.
#[cfg(target_os = "linux")]
fn in_proc(file: &File) -> String {
    use std::os::fd::AsRawFd;

    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Other systems have no files without a name.
#[cfg(not(target_os = "linux"))]
pub(crate) fn create_nameless(_directory: &Path, _mode: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Other systems have no files without a name.
#[cfg(not(target_os = "linux"))]
pub(crate) fn link_nameless(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Keeps `len` bytes from `start` on in main memory. They may belong to any mapping; what is not
/// mapped is an error.
#[cfg(unix)]
pub(crate) fn lock_in_memory(start: *const u8, len: usize) -> io::Result<()> {
    assert!(start.addr().is_multiple_of(4096), "a mapping starts at a page of memory, as mlock may demand");
    // SAFETY: mlock reads and writes no memory through the pointer; it refuses ranges that are not
    // mapped.
    if unsafe { libc::mlock(start.cast(), len) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Windows bounds locked memory by the size of the working set, which only the program may change.
#[cfg(not(unix))]
pub(crate) fn lock_in_memory(_start: *const u8, _len: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Writes from several buffers to one place, as much as the system takes at once.
#[cfg(target_os = "linux")]
pub(crate) fn write_vectored_at(file: &File, bufs: &[io::IoSlice<'_>], offset: u64) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    assert!((1..=BUFS_MAX).contains(&bufs.len()), "one call takes between one buffer and IOV_MAX of them");
    assert!(!bufs[0].is_empty(), "a call without bytes would look like one that the system refused");
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
    use std::path::Path;

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

    /// Releases the lock, even if there are copies of the handle.
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

    /// Whether a path names this open file. Only an open file has an identity here.
    pub(crate) fn names(path: &Path, file: &File) -> io::Result<bool> {
        Ok(identity(&File::open(path)?)? == identity(file)?)
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_system_of_this_machine_that_no_program_serves_keeps_its_word() {
        const EXT4: u32 = 0xEF53;
        const FUSE: u32 = 0x6573_5546;
        let unknown = || io::Error::from(io::ErrorKind::Unsupported);
        assert!(keeps_its_word(Ok(false), Ok(EXT4)));
        assert!(!keeps_its_word(Ok(true), Ok(EXT4)), "another machine's");
        assert!(!keeps_its_word(Ok(false), Ok(FUSE)), "a program's");
        assert!(!keeps_its_word(Err(unknown()), Ok(EXT4)) && !keeps_its_word(Ok(false), Err(unknown())), "unknown");
    }
}
