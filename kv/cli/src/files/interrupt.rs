//! Ctrl-C, and the signals that end a program: the file that a command has begun is removed.

use std::fs;
use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The exit code, as shells have it for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// What is removed. A command begins one file at most.
static BEGUN: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From here on an interrupt removes `path`. Until this is called, an interrupt ends the program as it ends any.
pub(crate) fn remove(path: &Path) {
    static INSTALLED: Once = Once::new();
    *begun() = Some(path.to_owned());
    INSTALLED.call_once(|| {
        // Where there can be no handler, an interrupt leaves the file, as a kill does.
        let _ = ctrlc::set_handler(end);
    });
}

/// The file is finished, or is removed by whoever began it.
pub(crate) fn forget() {
    *begun() = None;
}

fn begun() -> MutexGuard<'static, Option<PathBuf>> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In a thread of its own, while the command goes on.
fn end() {
    // Held to the end, so that no other file is begun meanwhile.
    let begun = begun();
    if let Some(path) = &*begun {
        // It may not have been made yet.
        let _ = fs::remove_file(path);
    }
    // After `^C` and what there is of a progress bar.
    let new_line = if stderr().is_terminal() { "\n" } else { "" };
    let _ = stderr().write_fmt(format_args!("{new_line}kv: interrupted\n"));
    process::exit(INTERRUPTED);
}
