//! One writer or any number of readers, across handles and across processes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kv::{Db, Error, Options};

/// Tells a child process of this test program which file to open.
const CHILD: &str = "KV_PROMISES_LOCKED_FILE";

fn soon() -> Options {
    Options::new().lock_timeout(Duration::from_millis(30))
}

fn new(path: &Path) {
    let db = Db::open(path).unwrap();
    db.update(|tx| tx.create_bucket("b")?.put("k", "v")).unwrap();
    db.close().unwrap();
}

fn is_locked(result: Result<Db, Error>) -> bool {
    match result {
        Err(error @ Error::Locked { waited, .. }) => {
            let text = error.to_string();
            assert!(text.contains("in use") && text.contains("close the other program"), "{text}");
            waited >= Duration::from_millis(30)
        }
        _ => false,
    }
}

#[test]
fn a_second_handle_waits_and_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    new(&path);

    let writer = Db::open(&path).unwrap();
    assert!(is_locked(soon().open(&path)));
    assert!(is_locked(soon().read_only(true).open(&path)));
    writer.close().unwrap();

    let reader = soon().read_only(true).open(&path).unwrap();
    let beside = soon().read_only(true).open(&path).unwrap();
    assert!(is_locked(soon().open(&path)));
    drop((reader, beside));

    // A transaction that holds its own share holds the lock too.
    let owned = Db::open(&path).unwrap().begin_read_owned();
    assert!(is_locked(soon().open(&path)));
    drop(owned);
    soon().open(&path).unwrap();
}

#[test]
fn who_waits_gets_the_file_when_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    new(&path);
    let first = Db::open(&path).unwrap();
    std::thread::scope(|scope| {
        let second =
            scope.spawn(|| Db::open(&path).unwrap().begin_read().bucket("b").unwrap().get("late").unwrap().is_some());
        std::thread::sleep(Duration::from_millis(20));
        first.update(|tx| tx.bucket_mut("b")?.put("late", "v")).unwrap();
        drop(first);
        assert!(second.join().unwrap(), "it sees what was written before");
    });
}

#[test]
fn another_process_is_kept_out() {
    if let Some(path) = std::env::var_os(CHILD) {
        assert!(is_locked(soon().open(path)), "the parent has it");
        return;
    }
    if std::env::var_os("PAGEFILE_KERNEL").is_some_and(|value| value == "skip") {
        eprintln!("PAGEFILE_KERNEL=skip: left out, the kernel cannot start this program without its emulator");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    new(&path);
    let child = || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "locking::another_process_is_kept_out"]).env(CHILD, &path).output().unwrap()
    };
    let db = Db::open(&path).unwrap();
    let output = child();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    drop(db);
    assert!(!child().status.success(), "a free file is not locked, and the child notices");
}
