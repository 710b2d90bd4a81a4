//! The temporary files of new files: their names, and what a kill has left of them.

use std::ffi::OsStr;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process;

use crate::path::{open_regular, still_names};
use crate::sys;

const PREFIX: &str = ".pagefile-";
const SUFFIX: &str = ".new";
const RANDOM_DIGITS: usize = 16;

/// A name in the directory of `target` that no other file has had.
pub(crate) fn temporary_path(target: &Path) -> PathBuf {
    let random = RandomState::new().hash_one(target);
    let name = format!("{PREFIX}{}-{random:0width$x}{SUFFIX}", process::id(), width = RANDOM_DIGITS);
    assert!(is_temporary(OsStr::new(&name)), "the name of a temporary file is known again");
    target.with_file_name(name)
}

/// Whether [`temporary_path`] has made this name.
fn is_temporary(name: &OsStr) -> bool {
    let middle = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    middle.and_then(|middle| middle.split_once('-')).is_some_and(|(process, random)| {
        process.parse::<u32>().is_ok()
            && random.len() == RANDOM_DIGITS
            && random.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Removes the temporary files in a directory whose makers are gone. Where anything is in the way, a harmless file
/// stays.
pub(crate) fn remove_abandoned(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if is_temporary(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_abandoned(&entry.path());
        }
    }
}

/// The maker of a temporary file holds its lock as long as it lives. So whoever can take the lock knows that the maker
/// is gone, or has only just begun: then it notices, and begins again with another name.
fn remove_if_abandoned(path: &Path) {
    assert!(path.file_name().is_some_and(is_temporary), "nothing but temporary files is removed");
    let Ok(file) = open_regular(path, true) else { return };
    if sys::try_lock(&file, false).is_err() {
        return;
    }
    // Not if it has become the target of a rename by now.
    if still_names(path, &file).unwrap_or(false) {
        let _ = fs::remove_file(path);
    }
    let _ = sys::unlock(&file);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_crate_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let kept = ["db", ".pagefile-1.new", ".pagefile-1-0123456789abcdef", ".pagefile-x-0123456789abcdef.new"];
        for name in kept.iter().chain(&[".pagefile-1-0123456789abcdef.new", ".pagefile-99-fedcba9876543210.new"]) {
            fs::write(dir.path().join(name), b"bytes").unwrap();
        }
        remove_abandoned(dir.path());
        for name in kept {
            assert!(dir.path().join(name).exists(), "{name}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), kept.len());
    }
}
