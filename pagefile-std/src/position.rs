//! Reads and writes at a position, to the end.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;

use crate::error::{Operation, StoreError};
use crate::sys::BUFS_MAX;

/// Fills `buf` from `offset` on, of the file at `path`.
pub(crate) fn read(file: &File, path: &Path, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
    read_exact_at(file, offset, buf).map_err(|source| {
        let source = match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(source.kind(), format!("the file ends before {} bytes that belong here do", buf.len()))
            }
            _ => source,
        };
        StoreError::Io { operation: Operation::Read, path: path.to_path_buf(), offset: Some(offset), source }
    })
}

/// Fills `buf` from `offset` on.
#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

/// Fills `buf` from `offset` on.
#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
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

/// Writes all of `bufs`, one after the other, from `offset` on. An error comes with the offset that
/// was reached.
pub(crate) fn write_all_at(file: &File, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), (u64, io::Error)> {
    write_all_with(offset, bufs, |bufs, offset| write_some_at(file, bufs, offset))
}

#[cfg(target_os = "linux")]
fn write_some_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    crate::sys::write_vectored_at(file, bufs, offset)
}

/// macOS has `pwritev` only since version 11, Windows has no such call: one buffer at a time.
#[cfg(all(unix, not(target_os = "linux")))]
fn write_some_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, &bufs[0], offset)
}

#[cfg(windows)]
fn write_some_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, &bufs[0], offset)
}

/// Calls `write_some` until all is written. After a short write it goes on where that ended; an
/// interrupted write it repeats. `write_some` gets at least one buffer, of which the first is not
/// empty, and returns how many bytes it has written.
pub(crate) fn write_all_with(
    offset: u64,
    bufs: &[IoSlice<'_>],
    mut write_some: impl FnMut(&[IoSlice<'_>], u64) -> io::Result<usize>,
) -> Result<(), (u64, io::Error)> {
    let len_of = |bufs: &[IoSlice<'_>]| bufs.iter().map(|buf| buf.len()).sum::<usize>();
    debug_assert!(offset.checked_add(len_of(bufs) as u64).is_some(), "the range lies inside a store");
    let mut at = offset;
    let mut rest = bufs;
    // How many bytes of `rest[0]` are written.
    let mut done = 0;
    while let Some(first) = rest.first() {
        if done >= first.len() {
            done -= first.len();
            rest = &rest[1..];
            continue;
        }
        let tail = [IoSlice::new(&first[done..])];
        let offered = if done == 0 { &rest[..rest.len().min(BUFS_MAX)] } else { &tail };
        match write_some(offered, at) {
            Ok(0) => return Err((at, io::ErrorKind::WriteZero.into())),
            Ok(count) => {
                assert!(count <= len_of(offered), "a call writes no more than it was given");
                done += count;
                at += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((at, error)),
        }
    }
    assert_eq!(at, offset + len_of(bufs) as u64, "all bytes are written, each once");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system may answer to one call: take at most so many bytes, or fail.
    type Answer = Result<usize, io::ErrorKind>;
    type Outcome = Result<(), (u64, io::ErrorKind)>;

    /// Writes `bufs` to a pretended file that gives these answers in turn, then takes everything;
    /// returns its bytes and the calls that it got, as (offset, buffers).
    fn write(bufs: &[&[u8]], answers: &[Answer]) -> (Outcome, Vec<u8>, Vec<(u64, usize)>) {
        let slices: Vec<_> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
        let (mut bytes, mut calls) = (Vec::new(), Vec::new());
        let mut answers = answers.iter();
        let result = write_all_with(1000, &slices, |bufs, offset| {
            assert_eq!(offset, 1000 + bytes.len() as u64, "from where the last call ended");
            assert!(!bufs[0].is_empty());
            calls.push((offset, bufs.len()));
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            let taken = answers.next().map_or(Ok(all.len()), |answer| answer.map(|most| most.min(all.len())))?;
            bytes.extend_from_slice(&all[..taken]);
            Ok(taken)
        });
        (result.map_err(|(at, error)| (at, error.kind())), bytes, calls)
    }

    #[test]
    fn one_call_takes_many_buffers() {
        let (result, bytes, calls) = write(&[b"ab", b"", b"cde"], &[]);
        assert_eq!((result, &bytes[..], &calls[..]), (Ok(()), &b"abcde"[..], &[(1000, 3)][..]));
    }

    #[test]
    fn more_buffers_than_a_call_takes() {
        let bufs = vec![&b"xyz"[..]; 2 * BUFS_MAX + 1];
        let (result, bytes, calls) = write(&bufs, &[]);
        assert_eq!((result, bytes), (Ok(()), bufs.concat()));
        assert_eq!(calls.iter().map(|call| call.1).collect::<Vec<_>>(), [BUFS_MAX, BUFS_MAX, 1]);
    }

    #[test]
    fn nothing_to_write_is_no_call() {
        assert_eq!(write(&[], &[]).2, []);
        assert_eq!(write(&[b"", b""], &[]).2, []);
    }

    #[test]
    fn every_pair_of_short_writes_is_carried_on() {
        for first in 1..=6 {
            for second in 1..=6 {
                let (result, bytes, _) = write(&[b"a", b"bcd", b"", b"ef"], &[Ok(first), Ok(second)]);
                assert_eq!((result, &bytes[..]), (Ok(()), &b"abcdef"[..]), "{first}, {second}");
            }
        }
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let interrupted = Err(io::ErrorKind::Interrupted);
        let (result, bytes, calls) = write(&[b"abc"], &[interrupted, Ok(1), interrupted, interrupted]);
        assert_eq!((result, &bytes[..], calls.len()), (Ok(()), &b"abc"[..], 5));
    }

    #[test]
    fn an_error_names_the_place() {
        let (result, bytes, _) = write(&[b"abc", b"def"], &[Ok(4), Err(io::ErrorKind::StorageFull)]);
        assert_eq!((result, &bytes[..]), (Err((1004, io::ErrorKind::StorageFull)), &b"abcd"[..]));
    }

    #[test]
    fn a_system_that_takes_nothing_is_an_error() {
        let (result, _, calls) = write(&[b"abc"], &[Ok(1), Ok(0)]);
        assert_eq!((result, calls.len()), (Err((1001, io::ErrorKind::WriteZero)), 2));
    }
}
