//! Which system calls reach the file, in what order, and what follows when one fails: seen, and
//! made to fail, by `strace` on a child process. `PAGEFILE_KERNEL=skip` leaves them out: for
//! emulators, whose own calls these would be.
#![cfg(target_os = "linux")]

#[macro_use]
extern crate kv_testkit;

use std::env;
use std::fs;
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pagefile_std::{FileOptions, Operation, PageFile, PageStore, StoreError, create_whole};

const FILE_OF_CHILD: &str = "PAGEFILE_TEST_FILE";

enum Process {
    /// The child, and the file that it is to work on.
    Child(PathBuf),
    /// The parent, and the calls that the child made to that file and its directory.
    Parent(Vec<String>),
}

/// Runs the calling test once more under `strace` with these arguments, in which `FILE` is the file
/// of the child. None if the environment says `PAGEFILE_KERNEL=skip`, or there is no `strace`.
fn under_strace(test: &str, arguments: &[&str]) -> Option<Process> {
    if let Some(path) = env::var_os(FILE_OF_CHILD) {
        return Some(Process::Child(path.into()));
    }
    if env::var_os("PAGEFILE_KERNEL").is_some_and(|value| value == "skip") {
        let _ = writeln!(io::stderr(), "PAGEFILE_KERNEL=skip: left out, no system call was watched");
        return None;
    }
    if Command::new("strace").arg("--version").output().is_err() {
        let want = "`strace` is missing, install it: apt-get install strace";
        assert!(env::var_os("KV_PEERS").is_none_or(|value| value != "require"), "KV_PEERS=require, and {want}");
        let _ = writeln!(io::stderr(), "SKIPPED {test}: {want}");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let place = dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let traced = "trace=write,pwritev,pwrite64,ftruncate,fsync,fdatasync,link,linkat,unlink,unlinkat";
    let file = place.join("pages");
    let output = Command::new("strace")
        .args(["-f", "-y", "-qq", "-e", traced])
        .args(arguments.iter().map(|argument| if *argument == "FILE" { file.as_os_str() } else { argument.as_ref() }))
        .arg("-o")
        .arg(&log)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE_OF_CHILD, &file)
        .output()
        .expect("the command strace");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    let place = place.to_str().unwrap();
    let log = fs::read_to_string(log).unwrap();
    let calls = log.lines().filter(|line| line.contains(place)).map(|line| call(line, place)).collect();
    Some(Process::Parent(calls))
}

/// What a line of the log says in short: the call, and what it was made on.
fn call(line: &str, place: &str) -> String {
    let (_process, call) = line.split_once(' ').unwrap();
    let (name, rest) = call.trim_start().split_once('(').unwrap();
    let (_before, on) = rest.split_once(place).unwrap();
    let on = match on {
        on if on.starts_with("/pages") => "pages",
        on if on.starts_with("/.pagefile-") => "temporary",
        on if on.starts_with("/#") => "nameless",
        _ => "directory",
    };
    format!("{} {on}", name.trim_end_matches("at"))
}

fn expect(calls: &[String], expected: &[&str]) {
    assert_eq!(calls.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn every_step_is_durable_before_the_next_one() {
    let Some(process) = under_strace("every_step_is_durable_before_the_next_one", &[]) else { return };
    let calls = match process {
        Process::Parent(calls) => calls,
        Process::Child(path) => {
            let options = FileOptions::default();
            let store = PageFile::open_or_create(&path, &options, &mut || vec![0; 4096]).unwrap();
            store.grow(1 << 20).unwrap();
            store.write_at(0, &[IoSlice::new(&[1; 4096]), IoSlice::new(&[2; 4096])]).unwrap();
            store.sync().unwrap();
            store.set_no_grow_sync(true);
            store.grow(2 << 20).unwrap();
            store.sync().unwrap();
            store.set_no_grow_sync(false);
            store.set_no_sync(true);
            store.grow(4 << 20).unwrap();
            store.sync().unwrap();
            store.write_durable_at(0, &[IoSlice::new(&[3; 4096])]).unwrap();
            return;
        }
    };
    let (creation, work) = calls.split_at(4);
    expect(creation, &["write nameless", "fsync nameless", "link pages", "fsync directory"]);
    expect(&work[..4], &["ftruncate pages", "fsync pages", "pwritev pages", "fdatasync pages"]);
    expect(&work[4..], &["ftruncate pages", "fdatasync pages", "ftruncate pages", "pwritev pages"]);
}

/// How often this process has a file open, and how often so that each write is durable.
fn open_files(path: &Path) -> (usize, usize) {
    /// `O_DSYNC` as Linux's processors know it; the flags are printed in octal.
    const DURABLE: [u32; 2] = [0o10000, 0o20];
    let numbers = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    let here =
        numbers.filter(|number| fs::read_link(Path::new("/proc/self/fd").join(number)).is_ok_and(|at| at == path));
    let flags = here.map(|number| {
        let about = fs::read_to_string(Path::new("/proc/self/fdinfo").join(number)).unwrap();
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        u32::from_str_radix(flags.trim(), 8).unwrap()
    });
    let flags: Vec<u32> = flags.collect();
    let mips = usize::from(cfg!(any(target_arch = "mips", target_arch = "mips64")));
    (flags.len(), flags.iter().filter(|flags| *flags & DURABLE[mips] != 0).count())
}

/// The file is opened twice, the second time for writes that wait for the disk: only those go there, and one that fails is
/// not tried again.
#[test]
fn a_durable_write_is_one_call() {
    let inject = ["-e", "inject=pwritev:error=EIO:when=3"];
    let Some(process) = under_strace("a_durable_write_is_one_call", &inject) else { return };
    match process {
        Process::Parent(calls) => {
            let work = ["pwritev pages", "pwritev pages", "fdatasync pages", "pwritev pages"];
            expect(&calls[3..], &work);
        }
        Process::Child(path) => {
            fs::write(&path, [7; 8192]).unwrap();
            let store = PageFile::open(&path, &FileOptions::default()).unwrap();
            assert_eq!(open_files(&path), (2, 1), "one of two waits for the disk");
            let reading = path.with_file_name("read");
            fs::write(&reading, [7; 8192]).unwrap();
            let read_only = FileOptions { read_only: true, ..FileOptions::default() };
            let _reading = PageFile::open(&reading, &read_only).unwrap();
            assert_eq!(open_files(&reading), (1, 0), "nothing is written there");
            store.write_at(0, &[IoSlice::new(&[1; 512])]).unwrap();
            store.write_durable_at(512, &[IoSlice::new(&[2; 512])]).unwrap();
            store.sync().unwrap();
            let error = store.write_durable_at(1024, &[IoSlice::new(&[3; 512])]).unwrap_err();
            assert!(matches!(error, StoreError::Io { offset: Some(1024), .. }), "{error}");
            for result in [store.write_durable_at(0, &[]), store.sync(), store.grow(1 << 20)] {
                assert!(matches!(result, Err(StoreError::Poisoned)));
            }
        }
    }
}

/// Opens a file of 8 KiB in a child where the calls of `inject` fail, and does `operation` there:
/// it must fail, and neither it nor anything else be tried again. The parent compares the calls.
fn fails_once(test: &str, inject: &str, operation: fn(&PageFile) -> Result<(), StoreError>, expected: &[&str]) {
    let Some(process) = under_strace(test, &["-e", &format!("inject={inject}")]) else { return };
    match process {
        Process::Parent(calls) => expect(&calls, expected),
        Process::Child(path) => {
            fs::write(&path, [7; 8192]).unwrap();
            let store = PageFile::open(&path, &FileOptions::default()).unwrap();
            let error = operation(&store).unwrap_err();
            let StoreError::Io { source, .. } = &error else { panic!("{error}") };
            assert!(source.raw_os_error().is_some(), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert!(store.poisoned());
            for result in [operation(&store), store.sync(), store.grow(1 << 20)] {
                assert!(matches!(result, Err(StoreError::Poisoned)));
            }
            assert_eq!(store.view().bytes(0, 8192), Some(&[7; 8192][..]), "reads go on");
        }
    }
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    fails_once(
        "a_failed_sync_is_never_tried_again",
        "fdatasync:error=EIO:when=1",
        PageStore::sync,
        &["write pages", "fsync directory", "fdatasync pages"],
    );
}

#[test]
fn a_failed_sync_of_growth_is_never_tried_again() {
    fails_once(
        "a_failed_sync_of_growth_is_never_tried_again",
        "fsync:error=EIO:when=2",
        |store| store.grow(1 << 20),
        &["write pages", "fsync directory", "ftruncate pages", "fsync pages"],
    );
}

#[test]
fn a_failed_write_is_never_tried_again() {
    fails_once(
        "a_failed_write_is_never_tried_again",
        "pwritev:error=ENOSPC:when=1",
        |store| store.write_at(0, &[IoSlice::new(&[8; 4096])]),
        &["write pages", "fsync directory", "pwritev pages"],
    );
}

#[test]
fn a_file_whose_name_may_not_be_durable_is_not_opened() {
    let test = "a_file_whose_name_may_not_be_durable_is_not_opened";
    let Some(process) = under_strace(test, &["-e", "inject=fsync:error=EIO:when=1"]) else { return };
    match process {
        Process::Parent(calls) => expect(&calls, &["write pages", "fsync directory"]),
        Process::Child(path) => {
            fs::write(&path, [7; 8192]).unwrap();
            let error = PageFile::open(&path, &FileOptions::default()).unwrap_err();
            assert!(matches!(error, StoreError::Io { operation: Operation::Sync, .. }), "{error}");
        }
    }
}

#[test]
fn a_file_system_that_cannot_sync_a_directory_is_good_enough() {
    let test = "a_file_system_that_cannot_sync_a_directory_is_good_enough";
    let Some(process) = under_strace(test, &["-e", "inject=fsync:error=EINVAL:when=1"]) else { return };
    match process {
        Process::Parent(calls) => expect(&calls, &["write pages", "fsync directory"]),
        Process::Child(path) => {
            fs::write(&path, [7; 8192]).unwrap();
            PageFile::open(&path, &FileOptions::default()).unwrap();
        }
    }
}

#[test]
fn an_interrupted_write_is_made_again() {
    let test = "an_interrupted_write_is_made_again";
    let Some(process) = under_strace(test, &["-e", "inject=pwritev:error=EINTR:when=1..3"]) else { return };
    match process {
        Process::Parent(calls) => expect(&calls[2..], &["pwritev pages"; 4]),
        Process::Child(path) => {
            fs::write(&path, [7; 8192]).unwrap();
            let store = PageFile::open(&path, &FileOptions::default()).unwrap();
            store.write_at(0, &[IoSlice::new(&[8; 8192])]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), [8; 8192]);
        }
    }
}

#[test]
fn without_hard_links_the_name_is_claimed_by_an_empty_file() {
    let test = "without_hard_links_the_name_is_claimed_by_an_empty_file";
    let Some(process) = under_strace(test, &["-e", "inject=link,linkat:error=EPERM"]) else { return };
    match process {
        Process::Parent(calls) => {
            let claim = ["write nameless", "fsync nameless", "link pages"];
            // A file without a name cannot be renamed, so a copy with a name is.
            let copy = ["link temporary", "fsync temporary", "fsync directory"];
            expect(&calls, &[&claim[..], &claim[..2], &copy].concat());
        }
        Process::Child(path) => {
            let store = PageFile::open_or_create(&path, &FileOptions::default(), &mut || vec![7; 4096]).unwrap();
            assert_eq!(store.view().bytes(0, 4096), Some(&[7; 4096][..]));
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        }
    }
}

/// What `create_whole` does in a child with these arguments for `strace`; the parent compares the calls.
fn copies_durably(test: &str, arguments: &[&str], expected: &[&str]) {
    match under_strace(test, arguments) {
        None => {}
        Some(Process::Parent(calls)) => expect(&calls, expected),
        Some(Process::Child(path)) => {
            create_whole(&path, &mut |file| file.write_all(&[7; 4096])).unwrap();
            assert_eq!(fs::read(&path).unwrap(), [7; 4096]);
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        }
    }
}

#[test]
fn a_copy_is_durable_under_its_name_when_it_is_done() {
    copies_durably(
        "a_copy_is_durable_under_its_name_when_it_is_done",
        &[],
        &["write nameless", "fsync nameless", "link pages", "fsync directory"],
    );
}

#[test]
fn a_copy_without_hard_links_is_durable_too() {
    copies_durably(
        "a_copy_without_hard_links_is_durable_too",
        &["-e", "inject=link,linkat:error=EPERM"],
        // The copy with a temporary name is renamed, so there is nothing left to unlink.
        &["write nameless", "fsync nameless", "link pages", "link temporary", "fsync temporary", "fsync directory"],
    );
}

/// A file on which another process has a lease: the system refuses to open it at once.
#[test]
fn an_open_that_would_wait_is_tried_again_within_the_time_limit() {
    let test = "an_open_that_would_wait_is_tried_again_within_the_time_limit";
    // The first call makes the file, the next three are refused.
    let refuse = ["-e", "trace=open,openat", "-P", "FILE", "-e", "inject=open,openat:error=EAGAIN:when=2..4"];
    let Some(process) = under_strace(test, &refuse) else { return };
    match process {
        Process::Parent(calls) => expect(&calls, &["open pages"; 5]),
        Process::Child(path) => {
            let waiting = |limit| FileOptions { lock_timeout: Some(limit), ..FileOptions::default() };
            fs::write(&path, [7; 4096]).unwrap();
            let error = PageFile::open(&path, &waiting(Duration::ZERO)).unwrap_err();
            assert!(matches!(error, StoreError::Locked { .. }), "{error}");
            PageFile::open(&path, &waiting(Duration::from_secs(600))).unwrap();
        }
    }
}

#[test]
fn a_creation_that_fails_leaves_nothing() {
    let test = "a_creation_that_fails_leaves_nothing";
    let Some(process) = under_strace(test, &["-e", "inject=fsync:error=ENOSPC:when=1"]) else { return };
    match process {
        Process::Parent(calls) => expect(&calls, &["write nameless", "fsync nameless"]),
        Process::Child(path) => {
            let result = PageFile::open_or_create(&path, &FileOptions::default(), &mut || vec![7; 4096]);
            let error = result.unwrap_err().to_string();
            assert!(error.contains("cannot create") && error.contains("free some space"), "{error}");
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        }
    }
}

/// A truncation that fails poisons nothing, and the next growth does not show what it has left behind.
#[test]
fn a_failed_truncation_is_made_up_for_before_the_file_grows() {
    let test = "a_failed_truncation_is_made_up_for_before_the_file_grows";
    let Some(process) = under_strace(test, &["-e", "inject=ftruncate:error=EIO:when=1"]) else { return };
    match process {
        Process::Parent(calls) => expect(
            &calls[2..],
            &["ftruncate pages", "fdatasync pages", "ftruncate pages", "ftruncate pages", "fsync pages"],
        ),
        Process::Child(path) => {
            fs::write(&path, vec![7; 80_000]).unwrap();
            let store = PageFile::open(&path, &FileOptions::default()).unwrap();
            let error = store.truncate(8192).unwrap_err();
            assert!(matches!(error, StoreError::Io { operation: Operation::Truncate, .. }), "{error}");
            assert_eq!((store.len(), store.poisoned()), (32 * 1024, false));
            store.sync().unwrap();
            store.grow(70_000).unwrap();
            let new = store.view().bytes(32 * 1024, 70_000 - 32 * 1024).unwrap().to_vec();
            assert!(new.iter().all(|byte| *byte == 0), "old bytes are not shown");
        }
    }
}
