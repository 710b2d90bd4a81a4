//! A disk that is really full, or a file that may not grow: `NotCommitted`, reads go on, and it opens again, full as it
//! still is.
#![cfg(target_os = "linux")]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use kv::{Error, Options};
use kv_testkit::budget::{Budget, seed};
use kv_testkit::figure::print;

use crate::child::{command, kernel_is_left_out, say, start, work};
use crate::workload::{Expected, assert_whole};

/// How often a disk is filled, each time by a new handle.
const FILLS: u64 = 3;

fn options() -> Options {
    Options::new().page_size(1024)
}

/// Files of at most 100 or 200 KiB (shells differ); without the trap the signal would end the process.
const SHORT_FILES: [&str; 4] = ["sh", "-c", "trap '' XFSZ; ulimit -f 200; exec \"$@\"", "sh"];

/// A separate file system of 200 KiB, which no other process sees and which is gone with this one.
const SMALL_DISK: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=200k tmpfs \"$KV_FAULTS_WORK\" && exec \"$@\"", "sh"];

#[test]
fn a_file_that_may_not_grow() {
    run("full::a_file_that_may_not_grow", "a limit on the file", &SHORT_FILES);
}

/// The same limit, and a program that leaves the signal as it is.
const SIGNALLED: [&str; 4] = ["sh", "-c", "ulimit -f 200; exec \"$@\"", "sh"];

const SIGXFSZ: i32 = 25;

/// It has the effect of a kill: whole transactions are there, and the file opens.
#[test]
fn a_limit_ends_a_program_that_does_not_ignore_its_signal() {
    let test = "full::a_limit_ends_a_program_that_does_not_ignore_its_signal";
    if let Some(dir) = work() {
        return fill(&PathBuf::from(dir).join("db"));
    }
    if kernel_is_left_out() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (said, status) = start(command(&SIGNALLED, test, dir.path().as_os_str())).end();
    assert_eq!(status.signal(), Some(SIGXFSZ), "{status}: {}", said.join("\n"));
    let file = dir.path().join("db");
    let any: Vec<u64> = (1..1000).collect();
    assert_whole(&file, &options(), &mut Expected::nothing(seed(), 5000), &any);
}

#[test]
fn a_full_disk() {
    let mounts = Command::new("unshare").args(["--mount", "true"]).status();
    if work().is_none() && !mounts.is_ok_and(|status| status.success()) {
        assert!(!Budget::is_asked_for(), "a budget asks for a full disk, and this user may not mount one");
        return say("no disk was filled: this user may not mount one");
    }
    run("full::a_full_disk", "a file system of 200 KiB", &SMALL_DISK);
}

fn run(test: &str, what: &str, limited: &[&str]) {
    if let Some(dir) = work() {
        return fill(&PathBuf::from(dir).join("db"));
    }
    if kernel_is_left_out() {
        return;
    }
    let began = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let (said, status) = start(command(limited, test, dir.path().as_os_str())).end();
    assert!(status.success() && said.iter().any(|line| line == "full"), "{status}: {}", said.join("\n"));
    print("times full", FILLS, &format!(" with {what}"), seed(), began);
}

/// Commits until there is no room, more than once, for a new handle may write what fits.
fn fill(path: &Path) {
    let mut expected = Expected::nothing(seed(), 5000);
    for _ in 0..FILLS {
        let db = options().open(path).expect("it opens, full as the disk is");
        expected.assert_shown(&db.begin_read());
        let error = (0..1000).find_map(|_| expected.commit_next(&db).err()).expect("the disk fills up");
        let Error::NotCommitted { cause } = &error else { panic!("{error}") };
        let text = cause.to_string();
        assert!(text.contains("free some space") || text.contains("raise the limit"), "{text}");
        // Writes are refused and reads go on.
        assert!(matches!(db.begin_write(), Err(Error::Poisoned)));
        expected.assert_shown(&db.begin_read());
        drop(db);
        assert_whole(path, &options(), &mut expected.clone(), &[expected.number]);
    }
    say("full");
}
