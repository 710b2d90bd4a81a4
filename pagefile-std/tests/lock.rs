//! One writer or many readers, whichever handle or process they are of.

#[macro_use]
extern crate kv_testkit;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use pagefile_std::{FileOptions, PageFile, PageStore, StoreError};

fn file(dir: &tempfile::TempDir) -> PathBuf {
    let path = dir.path().join("pages");
    fs::write(&path, vec![1; 4096]).unwrap();
    path
}

fn once(read_only: bool) -> FileOptions {
    FileOptions { read_only, lock_timeout: Some(Duration::ZERO), ..FileOptions::default() }
}

fn is_locked(path: &Path, read_only: bool) -> bool {
    match PageFile::open(path, &once(read_only)) {
        Ok(_) => false,
        Err(StoreError::Locked { .. } | StoreError::AlreadyOpen { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_writer_keeps_everyone_out_and_readers_keep_writers_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir);
    let writer = PageFile::open(&path, &once(false)).unwrap();
    assert!(is_locked(&path, false) && is_locked(&path, true));
    drop(writer);

    let readers = [0, 1].map(|_| PageFile::open(&path, &once(true)).unwrap());
    assert!(is_locked(&path, false) && !is_locked(&path, true));
    drop(readers);
    assert!(!is_locked(&path, false));
}

#[test]
fn a_second_handle_in_one_process_is_refused_at_once_however_long_it_may_wait() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir);
    for (first, second) in [(false, false), (false, true), (true, false)] {
        let open = PageFile::open(&path, &once(first)).unwrap();
        let forever = FileOptions { read_only: second, lock_timeout: None, ..FileOptions::default() };
        let error = PageFile::open(&path, &forever).unwrap_err();
        assert!(matches!(&error, StoreError::AlreadyOpen { path: found } if *found == path), "{error}");
        assert!(error.to_string().contains("in this process already"), "{error}");
        // Under another name it is the same file.
        let link = dir.path().join("link");
        if cfg!(unix) && fs::hard_link(&path, &link).is_ok() {
            assert!(matches!(PageFile::open(&link, &forever), Err(StoreError::AlreadyOpen { .. })));
            fs::remove_file(link).unwrap();
        }
        drop(open);
        PageFile::open(&path, &forever).unwrap();
    }
}

#[test]
fn an_owned_view_keeps_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir);
    let view = PageFile::open(&path, &once(false)).unwrap().view_owned();
    assert!(is_locked(&path, false));
    assert_eq!(view.bytes(0, 1), Some(&[1][..]));
    drop(view);
    assert!(!is_locked(&path, false));
}

#[test]
fn a_reader_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir);
    assert!(!PageFile::open(&path, &once(false)).unwrap().is_read_only());
    let store = PageFile::open(&path, &once(true)).unwrap();
    assert!(store.is_read_only());
    for result in [store.write_at(0, &[]), store.grow(1 << 20), store.sync()] {
        assert!(matches!(result, Err(StoreError::ReadOnly { .. })));
    }
    assert!(!store.poisoned());
    assert_eq!(fs::read(&path).unwrap(), vec![1; 4096]);
}

/// A FIFO has no bytes at an offset, and opening one waits for its other end.
#[cfg(unix)]
#[test]
fn a_fifo_is_refused_at_once() {
    use pagefile_std::Operation;
    use std::io::ErrorKind;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("the command mkfifo").success());
    let (done, opened) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for read_only in [true, false] {
            for lock_timeout in [None, Some(Duration::ZERO)] {
                let options = FileOptions { read_only, lock_timeout, ..FileOptions::default() };
                done.send(PageFile::open(&path, &options)).unwrap();
                done.send(PageFile::open_or_create(&path, &options, &mut || vec![1])).unwrap();
            }
        }
    });
    for _ in 0..8 {
        let error = opened.recv_timeout(Duration::from_secs(20)).expect("no wait for the other end").unwrap_err();
        let StoreError::Io { operation: Operation::Open, source, .. } = &error else { panic!("{error}") };
        assert_eq!((source.kind(), source.to_string()), (ErrorKind::InvalidInput, "not a regular file".into()));
    }
}

/// bbolt takes the same lock as the command `flock` does.
#[cfg(target_os = "linux")]
#[test]
fn another_process_is_kept_out_and_keeps_us_out() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir);
    let try_flock = |mode| {
        let status = Command::new("flock").args([mode, "-n"]).arg(&path).arg("true").status();
        status.expect("the command flock").success()
    };
    let writer = PageFile::open(&path, &once(false)).unwrap();
    assert!(!try_flock("-x") && !try_flock("-s"));
    drop(writer);
    let reader = PageFile::open(&path, &once(true)).unwrap();
    assert!(!try_flock("-x") && try_flock("-s"));
    drop(reader);

    let mut holder = Command::new("flock")
        .arg(&path)
        .args(["sh", "-c", "echo held; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command flock");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    assert!(is_locked(&path, false) && is_locked(&path, true));
    let limit = Duration::from_millis(120);
    let options = FileOptions { lock_timeout: Some(limit), ..FileOptions::default() };
    let error = PageFile::open(&path, &options).unwrap_err();
    let StoreError::Locked { waited, .. } = error else { panic!("{error}") };
    assert!(waited >= limit);
    let text = error.to_string();
    assert!(text.contains("pages") && text.contains("waited"), "{text}");
    thread::scope(|threads| {
        let waiter = threads.spawn(|| PageFile::open(&path, &FileOptions::default()).unwrap());
        drop(holder.stdin.take());
        waiter.join().unwrap();
    });
    holder.wait().unwrap();
}
