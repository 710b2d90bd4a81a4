//! What happens when the system refuses: real refusals, in child processes with small limits.
//! `PAGEFILE_KERNEL=skip` leaves them out: for emulators, to which the limits would apply.
#![cfg(target_os = "linux")]

#[macro_use]
extern crate kv_testkit;

use std::env;
use std::fs;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::path::PathBuf;
use std::process::Command;

use pagefile_std::{FileOptions, MemStore, Operation, PageFile, PageStore, StoreError, View};

const LEN: u64 = 256 * 1024;
const FILE_OF_CHILD: &str = "PAGEFILE_TEST_FILE";

/// Runs the calling test once more, in a child process that a line of shell starts, on a file of
/// 256 KiB that holds sevens. In the child, returns the path of that file. Does nothing if the
/// environment says `PAGEFILE_KERNEL=skip`.
fn in_child(test: &str, shell: &str) -> Option<PathBuf> {
    if let Some(path) = env::var_os(FILE_OF_CHILD) {
        return Some(path.into());
    }
    if env::var_os("PAGEFILE_KERNEL").is_some_and(|value| value == "skip") {
        let _ = writeln!(io::stderr(), "PAGEFILE_KERNEL=skip: left out, nothing was refused");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pages");
    fs::write(&path, vec![7; usize::try_from(LEN).unwrap()]).unwrap();
    let output = Command::new("sh")
        .args(["-c", shell, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE_OF_CHILD, &path)
        .output()
        .expect("a shell");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    None
}

/// A limit on the length of files, of 50 or 100 KiB (shells differ); without the trap the signal
/// that comes with it would kill the process.
const SMALL_FILES: &str = "trap '' XFSZ; ulimit -f 100; exec \"$@\"";

fn assert_poisoned(store: &dyn PageStore) {
    assert!(store.poisoned());
    for result in [store.write_at(0, &[IoSlice::new(b"x")]), store.grow(1), store.sync()] {
        assert!(matches!(result, Err(StoreError::Poisoned)));
    }
    let mut read = [0; 10];
    store.read_at(0, &mut read).unwrap();
    assert_eq!((&read, store.view().bytes(0, 10)), (&[7; 10], Some(&[7; 10][..])), "reads go on");
}

#[test]
fn a_failed_growth_poisons_and_changes_nothing() {
    let Some(path) = in_child("a_failed_growth_poisons_and_changes_nothing", SMALL_FILES) else { return };
    let store = PageFile::open(&path, &FileOptions::default()).unwrap();
    let error = store.grow(LEN + 1).unwrap_err();
    let StoreError::Io { operation: Operation::Grow, source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), ErrorKind::FileTooLarge);
    assert!(error.to_string().contains("raise the limit on file size"), "{error}");
    assert_eq!((store.len(), fs::metadata(&path).unwrap().len()), (LEN, LEN));
    assert_poisoned(&store);

    drop(store);
    let again = PageFile::open(&path, &FileOptions::default()).unwrap();
    assert!(!again.poisoned(), "a new handle starts anew");
    again.write_at(0, &[IoSlice::new(b"x")]).unwrap();
}

#[test]
fn a_failed_write_poisons_and_names_the_place() {
    let Some(path) = in_child("a_failed_write_poisons_and_names_the_place", SMALL_FILES) else { return };
    let store = PageFile::open(&path, &FileOptions::default()).unwrap();
    // The system takes the part below the limit, then nothing: a short write, then an error.
    let (start, page) = (40_000, [8; 5000]);
    let error = store.write_at(start, &[IoSlice::new(&page); 40]).unwrap_err();
    let StoreError::Io { operation: Operation::Write, offset: Some(at), source, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(source.kind(), ErrorKind::FileTooLarge);
    assert!(*at == 51_200 || *at == 102_400, "{error}");
    let bytes = fs::read(&path).unwrap();
    let written = usize::try_from(start).unwrap()..usize::try_from(*at).unwrap();
    for (place, byte) in bytes.iter().enumerate() {
        assert_eq!(*byte, if written.contains(&place) { 8 } else { 7 }, "byte {place}");
    }
    assert_poisoned(&store);
}

#[test]
fn without_address_space_to_reserve_the_map_moves() {
    // 8 GiB of address space, in KiB: less than is usually reserved.
    let shell = "ulimit -v 8388608; exec \"$@\"";
    let Some(path) = in_child("without_address_space_to_reserve_the_map_moves", shell) else { return };
    let store = PageFile::open(&path, &FileOptions::default()).unwrap();
    let early = store.view();
    assert!(matches!(early, View::Kept(_)));
    store.grow(1 << 20).unwrap();
    assert_eq!((early.len(), store.view().len()), (LEN, 1 << 20));
    assert_eq!(early.bytes(0, 300), store.view().bytes(0, 300));
}

#[test]
fn without_address_space_for_the_file_it_does_not_open_or_grow() {
    // 1 GiB, in KiB. Files of 4 GiB are sparse, so the disk need not have them.
    let shell = "ulimit -v 1048576; exec \"$@\"";
    let Some(path) = in_child("without_address_space_for_the_file_it_does_not_open_or_grow", shell) else { return };
    let store = PageFile::open(&path, &FileOptions::default()).unwrap();
    let error = store.grow(4 << 30).unwrap_err();
    let StoreError::AddressSpace { len, .. } = &error else { panic!("{error}") };
    assert_eq!(*len, 4 << 30);
    assert!(!store.poisoned(), "nothing is uncertain");
    assert_eq!((store.len(), store.view().len()), (LEN, LEN));
    store.grow(LEN + 1).unwrap();
    assert_eq!(store.len(), 2 * LEN);
    let on_disk = fs::metadata(&path).unwrap().len();
    assert_eq!(on_disk, 4 << 30, "a growth never shortens what an earlier one has made");

    drop(store);
    let error = PageFile::open(&path, &FileOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::AddressSpace { .. }), "{error}");

    let memory = MemStore::with_bytes(b"kept");
    assert!(matches!(memory.grow(4 << 30), Err(StoreError::AddressSpace { .. })));
    assert_eq!(memory.snapshot(), b"kept");
}

#[test]
fn a_file_that_another_program_truncates_is_an_error_of_read_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pages");
    fs::write(&path, [7; 8192]).unwrap();
    let store = PageFile::open(&path, &FileOptions::default()).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
    let error = store.read_at(4000, &mut [0; 4096]).unwrap_err();
    assert!(error.to_string().contains("another program has truncated the file"), "{error}");
    assert!(!store.poisoned());
}

/// Kilobytes that this process keeps in main memory.
fn locked_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn mlock_holds_the_file_in_memory_as_it_grows() {
    // In a separate process: other tests must not add to its locked memory.
    let shell = "exec \"$@\"";
    let Some(path) = in_child("mlock_holds_the_file_in_memory_as_it_grows", shell) else { return };
    for reserve in [None, Some(0)] {
        let options = FileOptions { mlock: true, reserve, ..FileOptions::default() };
        let store = PageFile::open(&path, &options).unwrap();
        let len = store.len();
        assert_eq!(locked_kb(), len / 1024);
        store.grow(len + 1).unwrap();
        assert_eq!(locked_kb(), store.len() / 1024);
    }
    assert_eq!(locked_kb(), 0);
}

#[test]
fn too_low_a_limit_on_locked_memory_is_told() {
    // Root has the right to lock any amount, which has to go first.
    let shell = "ulimit -l 300
        test $(id -u) != 0 || exec setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock \"$@\"
        exec \"$@\"";
    let Some(path) = in_child("too_low_a_limit_on_locked_memory_is_told", shell) else { return };
    let options = FileOptions { mlock: true, ..FileOptions::default() };
    let store = PageFile::open(&path, &options).unwrap();
    let error = store.grow(LEN + 1).unwrap_err();
    assert!(matches!(error, StoreError::LockedMemory { .. }), "{error}");
    assert!(error.to_string().contains("ulimit -l"), "{error}");
    assert!(!store.poisoned());
    assert_eq!(store.len(), LEN);
    drop(store);

    let error = PageFile::open(&path, &options).unwrap_err();
    assert!(matches!(error, StoreError::LockedMemory { .. }), "{error}");
}
