//! A file is created whole, once, and never over another one.

#[macro_use]
extern crate kv_testkit;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use pagefile_std::{FileOptions, Operation, PageFile, PageStore, StoreError};

fn create(path: &Path, bytes: &[u8]) -> Result<PageFile, StoreError> {
    PageFile::open_or_create(path, &FileOptions::default(), &mut || bytes.to_vec())
}

/// An error's text, followed by those of its causes.
fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn creates_with_the_first_bytes_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let store = create(&path, b"first").unwrap();
    assert_eq!((store.len(), store.path()), (5, path.as_path()));
    assert_eq!(store.view().bytes(0, 5), Some(&b"first"[..]));
    assert_eq!(names(dir.path()), ["new"]);
}

#[test]
fn opens_what_is_there_without_asking_for_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old");
    fs::write(&path, b"old bytes").unwrap();
    let store = PageFile::open_or_create(&path, &FileOptions::default(), &mut || panic!("the file exists")).unwrap();
    assert_eq!(store.view().bytes(0, 9), Some(&b"old bytes"[..]));
}

#[test]
fn an_empty_file_counts_as_absent_and_keeps_its_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty");
    fs::write(&path, b"").unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    drop(create(&path, b"first").unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(dir.path()), ["empty"]);
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o640);
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    drop(create(&path, b"first").unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[cfg(unix)]
#[test]
fn a_dangling_link_names_the_file_to_create() {
    let dir = tempfile::tempdir().unwrap();
    let (link, target) = (dir.path().join("link"), dir.path().join("target"));
    std::os::unix::fs::symlink("target", &link).unwrap();
    drop(create(&link, b"first").unwrap());
    assert_eq!(fs::read(&target).unwrap(), b"first");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    let own = dir.path().join("own");
    std::os::unix::fs::symlink("own", &own).unwrap();
    let error = create(&own, b"first").unwrap_err();
    assert!(chain(&error).contains("too many symbolic links"), "{error:?}");
}

/// Threads that create the same file at once: one makes it, the others find it made. Every one of
/// them adds one byte under the lock, and none is lost to a second creation.
fn race(prepare: impl Fn(&Path)) {
    const RACERS: u8 = 8;
    for round in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("raced");
        prepare(&path);
        let start = Barrier::new(usize::from(RACERS));
        thread::scope(|threads| {
            for racer in 0..RACERS {
                let (path, start) = (&path, &start);
                threads.spawn(move || {
                    start.wait();
                    let options = FileOptions { no_sync: true, ..FileOptions::default() };
                    let first = || vec![0; usize::from(RACERS)];
                    // A process is not to wait for itself: a racer that finds another at work tries again.
                    let store = loop {
                        match PageFile::open_or_create(path, &options, &mut first.clone()) {
                            Err(StoreError::AlreadyOpen { .. }) => thread::yield_now(),
                            opened => break opened.unwrap(),
                        }
                    };
                    store.write_at(u64::from(racer), &[io::IoSlice::new(&[racer + 1])]).unwrap();
                });
            }
        });
        let expected: Vec<u8> = (1..=RACERS).collect();
        assert_eq!(fs::read(&path).unwrap(), expected, "round {round}");
        assert_eq!(names(dir.path()), ["raced"], "round {round}");
    }
}

#[test]
fn creators_of_an_absent_file_do_not_clobber_each_other() {
    race(|_| {});
}

#[test]
fn creators_over_an_empty_file_do_not_clobber_each_other() {
    race(|path| fs::write(path, b"").unwrap());
}

/// The one who is waited for is another process: `flock` takes the same lock.
#[cfg(target_os = "linux")]
#[test]
fn a_file_put_in_place_of_the_one_waited_for_is_the_one_opened() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    for lock_timeout in [None, Some(Duration::from_secs(600))] {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("pages"), dir.path().join("other"));
        fs::write(&path, b"old").unwrap();
        let mut flock = Command::new("flock");
        let mut holder = flock
            .arg(&path)
            .args(["sh", "-c", "echo held; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command flock");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        thread::scope(|threads| {
            let options = FileOptions { lock_timeout, ..FileOptions::default() };
            let path = &path;
            let waiter = threads.spawn(move || PageFile::open(path, &options).unwrap());
            // However the two run, the waiter must end with the new file.
            thread::sleep(Duration::from_millis(50));
            fs::write(&other, b"new").unwrap();
            fs::rename(&other, path).unwrap();
            drop(holder.stdin.take());
            assert_eq!(waiter.join().unwrap().view().bytes(0, 3), Some(&b"new"[..]), "{lock_timeout:?}");
        });
        holder.wait().unwrap();
    }
}

#[test]
fn what_a_killed_creator_has_left_is_removed_and_what_a_living_one_writes_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let [abandoned, living] =
        ["1-0123456789abcdef", "1-fedcba9876543210"].map(|name| dir.path().join(format!(".pagefile-{name}.new")));
    for left in [&abandoned, &living] {
        fs::write(left, b"half of i").unwrap();
    }
    let maker = PageFile::open(&living, &FileOptions::default()).unwrap();
    drop(create(&dir.path().join("new"), b"first").unwrap());
    assert_eq!(fs::read(dir.path().join("new")).unwrap(), b"first");
    assert!(!abandoned.exists(), "nobody holds its lock");
    assert_eq!(fs::read(&living).unwrap(), b"half of i", "somebody does");
    drop(maker);
    pagefile_std::create_whole(&dir.path().join("copy"), &mut |file| file.write_all(b"copy")).unwrap();
    assert_eq!(names(dir.path()), ["copy", "new"]);
}

#[test]
fn read_only_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("absent");
    let options = FileOptions { read_only: true, ..FileOptions::default() };
    for result in [
        PageFile::open(&path, &options),
        PageFile::open(&path, &FileOptions::default()),
        PageFile::open_or_create(&path, &options, &mut || vec![1]),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains("absent"), "{error}");
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn what_cannot_be_created_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("no such directory").join("new");
    let cases = [
        (create(&nowhere, b"first"), "no such directory"),
        (create(dir.path(), b"first"), dir.path().to_str().unwrap()),
        (create(&dir.path().join("new"), b""), "no bytes were given"),
    ];
    for (result, place) in cases {
        let error = result.unwrap_err();
        let StoreError::Io { operation: Operation::Create | Operation::Open, .. } = error else {
            panic!("{error}");
        };
        assert!(chain(&error).contains(place), "{error:?}");
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_whole_file_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy");
    let error = pagefile_std::create_whole(&path, &mut |file| {
        file.write_all(b"half of i")?;
        Err(io::Error::other("the source ended"))
    });
    assert!(chain(&error.unwrap_err()).contains("the source ended"));
    assert!(names(dir.path()).is_empty());

    fs::write(&path, b"").unwrap();
    let error = pagefile_std::create_whole(&path, &mut |_| panic!("there is a file")).unwrap_err();
    let StoreError::Io { operation: Operation::Create, source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::AlreadyExists, "even an empty one");
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(names(dir.path()), ["copy"]);
}
