//! What a path names: a regular file, at the end of its links, in a directory that can be synced.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Operation, StoreError, failed};
use crate::sys;

/// Opens the regular file that a path names, for reading and perhaps for writing. Never waits: an
/// open that would have to is an error of kind `WouldBlock`.
///
/// Anything else is refused before it is opened, because opening is not harmless there: it waits
/// for the other end of a FIFO, and devices may act on it.
pub(crate) fn open_regular(path: &Path, write: bool) -> io::Result<File> {
    check_regular(&fs::metadata(path)?)?;
    open_at_once(path, write)
}

/// The second half of [`open_regular`]: something else may have taken the name since its first.
fn open_at_once(path: &Path, write: bool) -> io::Result<File> {
    let file = sys::open_at_once(path, write)?;
    check_regular(&file.metadata()?)?;
    sys::wait_from_now_on(&file)?;
    Ok(file)
}

fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// Whether the path still names this open file.
pub(crate) fn still_names(path: &Path, file: &File) -> Result<bool, StoreError> {
    match sys::names(path, file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map_err(|source| failed(Operation::Open, path, source)),
    }
}

/// Follows symbolic links to the file that a path names, which need not exist yet.
pub(crate) fn follow_links(path: &Path) -> Result<PathBuf, StoreError> {
    const LINKS_MAX: usize = 40;
    let mut named = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&named) {
            // A relative target is relative to the directory of its link.
            Ok(target) => named = named.parent().unwrap_or(Path::new("")).join(target),
            // Not a link, or nothing there: what is wrong with it shows when it is opened.
            Err(_) => return Ok(named),
        }
    }
    let source = io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links");
    Err(failed(Operation::Open, path, source))
}

/// The directory that a path lies in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Makes the directory entry of a file durable, where the system can do so.
///
/// Every opener that may write does this, not only the creator, which may have been killed before it
/// got so far: if a power cut took the file's name, it would take all commits with it.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let directory = directory_of(path);
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // A directory that may be searched but not read, and file systems that cannot sync one.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other.map_err(|source| failed(Operation::Sync, directory, source)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_their_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("pages"), dir.path().join("other"));
        fs::write(&path, b"old").unwrap();
        let file = open_regular(&path, true).unwrap();
        assert!(still_names(&path, &file).unwrap());
        fs::write(&other, b"new").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(!still_names(&path, &file).unwrap(), "replaced");
        fs::remove_file(&path).unwrap();
        assert!(!still_names(&path, &file).unwrap(), "removed");
    }

    #[test]
    fn a_path_that_cannot_be_looked_up_is_an_error_and_not_a_file_that_has_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pages");
        fs::write(&path, b"old").unwrap();
        let file = open_regular(&path, true).unwrap();
        assert!(still_names(&path.join("\0"), &file).is_err());
        assert!(!still_names(&dir.path().join("nothing"), &file).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn later_calls_on_an_opened_file_may_wait() {
        use std::os::fd::AsRawFd;

        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = open_regular(file.path(), true).unwrap();
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", opened.as_raw_fd())).unwrap();
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        assert_eq!(i32::from_str_radix(flags.trim(), 8).unwrap() & libc::O_NONBLOCK, 0, "{about}");
    }

    /// A FIFO that takes the name after the type was looked at.
    #[test]
    fn a_fifo_that_slips_in_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (done, waited) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for write in [false, true] {
                done.send(open_at_once(&path, write).unwrap_err()).unwrap();
            }
        });
        for _ in 0..2 {
            let error = waited.recv_timeout(std::time::Duration::from_secs(20)).expect("no wait for the other end");
            assert_eq!(error.to_string(), "not a regular file");
        }
    }
}
