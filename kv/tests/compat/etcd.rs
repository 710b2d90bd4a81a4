//! A real etcd on the loopback interface serves from files that went through kv.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;

use kv::Error;
use kv_testkit::etcd::{Etcd, Store, database, open};

#[test]
fn etcd_serves_from_a_compacted_file() {
    let Some(mut store) = Store::fill() else { return };
    for tx_max_bytes in [0, 65_536] {
        let path = database(&store.data);
        let compacted = store.directory.path().join("compacted.db");
        let source = open(&path).expect("kv opens etcd's file");
        let target = open(&compacted).expect("kv makes a file");
        kv::compact(&source, &target, tx_max_bytes).expect("kv compacts etcd's file");
        source.close().expect("kv closes etcd's file");
        target.close().expect("kv closes its file");
        store.assert_sound(&compacted);
        fs::rename(&compacted, &path).expect("both are in one temporary directory");
        store.assert_served(&store.data.clone());
    }
}

/// kv writes in a separate bucket, beside etcd's; etcd does not mind, and what
/// was written is there after it has written on.
#[test]
fn etcd_serves_from_a_file_that_kv_wrote_in() {
    let Some(mut store) = Store::fill() else { return };
    let path = database(&store.data);
    let note = vec![b'n'; 10_000];
    let db = open(&path).expect("kv opens etcd's file");
    db.update(|tx| -> Result<(), Error> {
        let mut notes = tx.create_bucket(b"kv-notes")?;
        for n in 0..100_u32 {
            notes.put(n.to_le_bytes(), &note)?;
        }
        notes.create_bucket(b"nested")?.put(b"key", b"value")
    })
    .expect("kv writes in etcd's file");
    db.update(|tx| -> Result<(), Error> {
        let mut notes = tx.bucket_mut(b"kv-notes")?;
        (1..100_u32).try_for_each(|n| notes.delete(n.to_le_bytes()).map(drop))
    })
    .expect("kv writes in etcd's file");
    db.close().expect("kv closes etcd's file");
    store.assert_sound(&path);

    // Defragmenting keeps whole buckets, but no nested ones: so not here.
    let etcd = Etcd::start(&store.data);
    assert_eq!(etcd.content(), store.content, "every key, value and revision is there");
    for n in 0..40 {
        etcd.put(&format!("/registry/after/{n}"), &"written on ".repeat(n * 10));
    }
    let after = etcd.content();
    etcd.stop();
    store.assert_sound(&path);

    let db = open(&path).expect("kv opens etcd's file");
    db.update(|tx| -> Result<(), Error> {
        let notes = tx.bucket(b"kv-notes")?;
        assert_eq!(notes.get(0_u32.to_le_bytes())?, Some(&note[..]));
        assert_eq!(notes.bucket(b"nested")?.get(b"key")?, Some(&b"value"[..]));
        tx.delete_bucket(b"kv-notes")
    })
    .expect("kv reads and writes in etcd's file");
    db.close().expect("kv closes etcd's file");
    store.content = after;
    store.assert_served(&store.data.clone());
}

/// A snapshot is bbolt's backup and 32 bytes of SHA-256 after it: kv opens it as
/// it is. A backup by kv is one without the hash, and etcd restores it.
#[test]
fn snapshots_go_both_ways() {
    let Some(mut store) = Store::fill() else { return };
    let etcd = Etcd::start(&store.data);
    let snapshot = store.directory.path().join("snapshot.db");
    etcd.output(&["snapshot", "save", snapshot.to_str().expect("UTF-8")]);
    etcd.stop();
    store.assert_sound(&snapshot);

    let backup = store.directory.path().join("backup.db");
    let mut file = File::create(&backup).expect("a file in a temporary directory");
    let db = open(&snapshot).expect("kv opens etcd's snapshot");
    db.view(|tx| tx.write_to(&mut file)).expect("kv backs it up");
    file.flush().expect("it is written");
    db.close().expect("kv closes etcd's snapshot");

    let restored = store.directory.path().join("restored");
    let output = Command::new("etcdctl")
        .env("ETCDCTL_API", "3")
        .args(["snapshot", "restore", "--skip-hash-check", "--data-dir"])
        .args([&restored, &backup])
        .output()
        .expect("etcdctl ran before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    store.assert_served(&restored);
}
