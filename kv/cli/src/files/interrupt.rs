//! Ctrl-C, and the other signals that end a program: the file that a command has begun is removed.

use std::fs;
use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The exit code that shells give a program which Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// The file to remove, if it has a name. A command begins one file at most. The thread that ends the process, the handler's or the
/// command's, holds this lock until the process is gone, so that the other can neither print nor end it.
static BEGUN: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A file is begun, or is about to be: from here on an interrupt removes it, if it has a name, and says so. Before the first
/// call an interrupt ends the program, as usual.
pub(crate) fn begin(path: Option<&Path>) {
    static INSTALLED: Once = Once::new();
    *begun() = path.map(Path::to_owned);
    INSTALLED.call_once(|| {
        // Where there can be no handler, an interrupt leaves the file, as a kill does.
        let _ = ctrlc::set_handler(end);
    });
}

/// The file is finished, or the command itself removes it.
pub(crate) fn forget() {
    *begun() = None;
}

/// The command has ended and the process is about to: an interrupt no longer does anything. If one came before, this
/// call does not return.
pub(crate) fn too_late() {
    std::mem::forget(begun());
}

fn begun() -> MutexGuard<'static, Option<PathBuf>> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs in a thread made for the handler, while the command goes on.
fn end() {
    // Held to the end: the command can no longer report that its file is missing.
    let begun = begun();
    if let Some(path) = &*begun {
        // It may not have been made yet.
        let _ = fs::remove_file(path);
    }
    // Held to the end too: the command can no longer print a line after this one.
    let mut stderr = stderr().lock();
    // After `^C` and what is left of a progress bar.
    let new_line = if stderr.is_terminal() { "\n" } else { "" };
    let _ = stderr.write_fmt(format_args!("{new_line}kv: interrupted\n"));
    process::exit(INTERRUPTED);
}
