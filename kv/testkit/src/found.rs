//! Other programs that tests need: Go and its bbolt, etcd, `strace`, `patch`. Where one is missing, its tests are
//! skipped: each says so past the test harness's capture, with the command that installs it, and when the test program
//! ends they are counted.
//!
//! | `KV_PEERS` | |
//! | --- | --- |
//! | not set | tests of what is missing are skipped |
//! | `require` | tests of what is missing fail |
//! | `skip` | bbolt and etcd are left out even where they are installed |

use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::{env, io, thread};

/// Whether a program is installed. If not, the calling test is skipped, and returns; `packages` would have it run.
///
/// # Panics
/// If it is not, and `KV_PEERS=require`.
#[must_use]
pub fn found(program: &str, packages: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        missing(&format!("`{program}` is missing, install it: apt-get install {packages}"));
    }
    found
}

/// Skips the calling test, which returns, for want of something.
///
/// # Panics
/// If `KV_PEERS=require`.
pub fn missing(want: &str) {
    assert!(env::var_os("KV_PEERS").is_none_or(|value| value != "require"), "KV_PEERS=require, and {want}");
    skip(want);
}

/// Says that the calling test is skipped, and why, and counts it.
///
/// # Panics
/// If it cannot be counted.
pub fn skip(why: &str) {
    // In one piece: other threads write there, too.
    let line = format!("SKIPPED {}: {why}\n", thread::current().name().unwrap_or("a test"));
    let _ = io::stderr().write_all(line.as_bytes());
    if let Some(counter) = &*COUNTER {
        let mut counter = counter.lock().expect("no panic while it is held");
        let _ = writeln!(counter, "SKIPPED: {why}");
    }
}

/// A shell that counts equal lines. The test harness has no place for a last word, but this child sees that the program
/// has ended, by the end of its input. Systems without a shell have no count.
static COUNTER: LazyLock<Option<Mutex<ChildStdin>>> = LazyLock::new(|| {
    let counter = Command::new("sh").args(["-c", "sort | uniq -c >&2"]).stdin(Stdio::piped()).spawn();
    counter.ok().and_then(|child| child.stdin).map(Mutex::new)
});
