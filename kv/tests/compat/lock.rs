//! The engines keep out of each other's way: one that opens a file for writing
//! has it alone, and any number read it together.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use kv::{Db, Error};
use kv_testkit::peer::Peer;
use tempfile::TempDir;

use crate::fixtures::{FIXTURES, database};

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    fs::copy(database(FIXTURES[0]), &path).expect("the fixture is there");
    (directory, path)
}

beside_each_bbolt!(bbolt_does_not_open_what_kv_writes, kv_does_not_open_what_bbolt_writes, both_read_at_once);

fn bbolt_does_not_open_what_kv_writes(peer: &mut Peer) {
    let (_directory, path) = place();
    let db = Db::options().open(&path).expect("kv opens the file");
    let complaint = peer.dump(&path).expect_err("kv has the file");
    assert_eq!(complaint.trim_end(), "timeout");
    db.close().expect("kv closes the file");
    peer.dump(&path).expect("now it is free");
}

fn kv_does_not_open_what_bbolt_writes(peer: &mut Peer) {
    let (_directory, path) = place();
    let holder = peer.hold(&path);
    for read_only in [false, true] {
        let options = Db::options().read_only(read_only).lock_timeout(Duration::from_millis(100));
        let refused = options.open(&path).map(drop);
        assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
    }
    drop(holder);
    Db::options().open(&path).and_then(Db::close).expect("now it is free");
}

fn both_read_at_once(peer: &mut Peer) {
    let (_directory, path) = place();
    let _db = Db::options().read_only(true).open(&path).expect("kv opens the file");
    peer.dump(&path).expect("bbolt opens it too");
}
