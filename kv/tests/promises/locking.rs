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

/// Refused at once, and not after a wait.
fn is_open_here(path: &Path, read_only: bool) -> bool {
    match Options::new().lock_timeout(Duration::MAX).read_only(read_only).open(path) {
        Err(error @ Error::AlreadyOpen { .. }) => {
            let text = error.to_string();
            assert!(text.contains("in this process already") && text.contains("clone the `Db`"), "{text}");
            true
        }
        _ => false,
    }
}

#[test]
fn a_second_handle_in_this_process_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    new(&path);

    let writer = Db::open(&path).unwrap();
    assert!(is_open_here(&path, false) && is_open_here(&path, true));
    writer.close().unwrap();

    let reader = soon().read_only(true).open(&path).unwrap();
    let beside = soon().read_only(true).open(&path).unwrap();
    assert!(is_open_here(&path, false));
    drop((reader, beside));

    // A transaction that holds its own share holds the lock too.
    let owned = Db::open(&path).unwrap().begin_read_owned();
    assert!(is_open_here(&path, false));
    drop(owned);
    soon().open(&path).unwrap();
}

#[test]
fn clones_are_one_database_and_the_last_one_closes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let db = Db::open(&path).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4_u8 {
            let db = db.clone();
            scope.spawn(move || db.update(|tx| tx.create_bucket_if_absent("b")?.put([n], "v")).unwrap());
        }
    });
    assert_eq!(db.begin_read().bucket("b").unwrap().len().unwrap(), 4);
    let (one, two) = (db.clone(), db.clone());
    let shared = db.close().unwrap_err();
    assert!(matches!(shared, Error::StillShared { clones: 2, transactions: 0 }));
    assert!(shared.to_string().contains("2 clones") && shared.to_string().contains("drop these first"), "{shared}");
    one.update(|tx| tx.bucket_mut("b")?.put("after", "v")).unwrap();
    drop(one);
    assert!(is_open_here(&path, false));
    two.close().unwrap();
    // The log of the free pages is there: nothing has to be searched for.
    let db = Db::open(&path).unwrap();
    assert_eq!(db.stats().freelist, kv::FreelistOrigin::Logged);
    assert!(db.begin_read().bucket("b").unwrap().get("after").unwrap().is_some());
}

#[test]
fn a_database_is_opened_again_with_its_options() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let db = Options::new().page_size(1024).max_size(40_000).open(&path).unwrap();
    db.update(|tx| tx.create_bucket("b")?.put("k", "v")).unwrap();
    let owned = db.begin_read_owned();
    let db = match db.clone().reopen() {
        Err(Error::StillShared { clones: 1, .. }) => db,
        other => panic!("{other:?}"),
    };
    drop(owned);
    let db = db.reopen().unwrap();
    assert_eq!(db.begin_read().bucket("b").unwrap().get("k").unwrap(), Some(&b"v"[..]));
    let full = db.update(|tx| tx.bucket_mut("b")?.put("large", vec![0; 50_000]));
    assert!(matches!(full, Err(Error::NotCommitted { .. })), "the limit is still there");
    let (in_memory, _) = crate::stores::in_memory(&Options::new());
    assert!(matches!(in_memory.reopen(), Err(Error::NoFile)));
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
