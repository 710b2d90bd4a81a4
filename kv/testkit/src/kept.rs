//! What tests build or download once: it is kept beside the test programs, and goes with `cargo clean`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

/// Where it is kept.
pub(crate) fn directory() -> &'static Path {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let test_program = env::current_exe().expect("a test program has a path");
        test_program.with_file_name("peers")
    });
    &DIRECTORY
}

/// Does the work while no other test program does any: several may come here at once.
pub(crate) fn under_lock<T>(work: impl FnOnce() -> T) -> T {
    fs::create_dir_all(directory()).expect("the target directory is writable");
    let lock = File::create(directory().join("peer.lock")).expect("the target directory is writable");
    lock.lock().expect("a lock in the target directory");
    work()
}

/// What a program complains about, if it has failed.
pub(crate) fn succeeded(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
