//! The file was renamed, removed or replaced while it was open: the next commit that looks says so and writes nothing.

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use kv::{Db, Error, Options};

/// A handle that has not committed yet: its first commit looks.
fn fresh(path: &Path) -> Db {
    let db = Db::open(path).unwrap();
    db.update(|tx| tx.create_bucket_if_absent("b")?.put("k", "before")).unwrap();
    db.close().unwrap();
    Db::open(path).unwrap()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    (dir, path)
}

fn put(db: &Db, value: &'static str) -> kv::Result<()> {
    db.update(|tx| tx.bucket_mut("b")?.put("k", value))
}

fn get(db: &Db) -> Vec<u8> {
    db.view(|tx| Ok(tx.bucket("b")?.get("k")?.unwrap().to_vec())).unwrap()
}

/// The commit is refused, and the file is as it was.
#[track_caller]
fn refused(result: kv::Result<()>, said: &str) {
    let error = result.unwrap_err();
    let Error::NotCommitted { cause } = &error else { panic!("{error}") };
    assert!(matches!(**cause, Error::FileMoved { .. }), "{cause}");
    let text = error.source().unwrap().to_string();
    assert!(text.contains(said) && text.contains("a.db no longer names the open file"), "{text}");
    assert!(cause.source().is_none(), "the cause is the end of the chain");
}

#[test]
fn a_removed_file_gets_no_commit() {
    let (_dir, path) = place();
    let db = fresh(&path);
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        refused(put(&db, "lost"), "it was removed or renamed");
    }
    assert_eq!(get(&db), b"before", "reads go on");
    refused(db.batch(|tx| tx.bucket_mut("b")?.put("k", "lost")), "it was removed or renamed");
    // A refused commit has given up the log of the free space, and closing cannot write another.
    refused(db.close(), "it was removed or renamed");
}

#[test]
fn a_renamed_file_gets_no_commit_until_it_is_back() {
    let (dir, path) = place();
    let db = fresh(&path);
    let away = dir.path().join("away.db");
    fs::rename(&path, &away).unwrap();
    let bytes = fs::read(&away).unwrap();
    refused(put(&db, "lost"), "it was removed or renamed");
    assert_eq!(fs::read(&away).unwrap(), bytes, "nothing was written");
    fs::rename(&away, &path).unwrap();
    put(&db, "back").unwrap();
    db.close().unwrap();
    assert_eq!(get(&Db::open(&path).unwrap()), b"back");
}

/// As etcd's defragmentation does: a new file takes the name.
#[test]
fn a_file_replaced_by_its_copy_gets_no_commit() {
    let (dir, path) = place();
    let db = fresh(&path);
    let copy = dir.path().join("copy.db");
    db.begin_read().copy_file(&copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    refused(put(&db, "lost"), "another file is there now");
    assert_eq!(get(&db), b"before");
    drop(db);
    let db = Db::open(&path).unwrap();
    assert_eq!(get(&db), b"before");
    put(&db, "after").unwrap();
}

#[test]
fn a_file_that_may_lose_its_name_gets_its_commits() {
    let (_dir, path) = place();
    drop(fresh(&path));
    let db = Options::new().allow_moved(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    put(&db, "scratch").unwrap();
    assert_eq!(get(&db), b"scratch");
    db.close().unwrap();
}

/// A relative path means what it meant when the file was opened.
#[test]
fn a_changed_directory_moves_no_file() {
    const CHILD: &str = "KV_PROMISES_MOVED_DIRECTORY";
    if let Some(dir) = std::env::var_os(CHILD) {
        std::env::set_current_dir(&dir).unwrap();
        let db = Db::open("a.db").unwrap();
        std::env::set_current_dir("/").unwrap();
        put(&db, "after").unwrap();
        return;
    }
    if std::env::var_os("PAGEFILE_KERNEL").is_some_and(|value| value == "skip") {
        eprintln!("PAGEFILE_KERNEL=skip: left out, the kernel cannot start this program without its emulator");
        return;
    }
    let (dir, path) = place();
    drop(fresh(&path));
    // Only a process of its own may change its directory.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let test = ["--exact", "moved::a_changed_directory_moves_no_file"];
    let output = child.args(test).env(CHILD, dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(get(&Db::open(&path).unwrap()), b"after");
}
