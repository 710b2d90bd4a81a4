//! Reads and writes at a position, to the end.

use std::fs::File;
use std::io::{self, IoSlice};

/// How many buffers one call takes (`IOV_MAX` on Linux; more are an error there).
const BUFS_MAX: usize = 1024;

/// Fills `buf` from `offset` on.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

/// Fills `buf` from `offset` on.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buf = &mut buf[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bufs`, one behind the other, from `offset` on. An error names the place that was
/// reached.
pub(crate) fn write_all_at(file: &File, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), (u64, io::Error)> {
    write_all_with(offset, bufs, |bufs, offset| write_some_at(file, bufs, offset))
}

#[cfg(target_os = "linux")]
fn write_some_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    crate::sys::write_vectored_at(file, bufs, offset)
}

/// macOS has had `pwritev` since version 11 only, Windows has nothing like it: one buffer at a
/// time.
#[cfg(all(unix, not(target_os = "linux")))]
fn write_some_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, &bufs[0], offset)
}

#[cfg(windows)]
fn write_some_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, &bufs[0], offset)
}

/// Calls `write_some` until all is written: from where a short write ended, and again where one
/// was interrupted. `write_some` is given at least one buffer, the first of them not empty, and
/// says how many bytes it has written.
fn write_all_with(
    offset: u64,
    bufs: &[IoSlice<'_>],
    mut write_some: impl FnMut(&[IoSlice<'_>], u64) -> io::Result<usize>,
) -> Result<(), (u64, io::Error)> {
    let mut at = offset;
    let mut rest = bufs;
    // Bytes of `rest[0]` that are written.
    let mut done = 0;
    while let Some(first) = rest.first() {
        if done >= first.len() {
            done -= first.len();
            rest = &rest[1..];
            continue;
        }
        let written = if done == 0 {
            write_some(&rest[..rest.len().min(BUFS_MAX)], at)
        } else {
            write_some(&[IoSlice::new(&first[done..])], at)
        };
        match written {
            Ok(0) => return Err((at, io::ErrorKind::WriteZero.into())),
            Ok(count) => {
                done += count;
                at += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((at, error)),
        }
    }
    Ok(())
}
