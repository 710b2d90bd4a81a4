//! A real etcd on the loopback interface serves from files that went through kv.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kv::{Db, Error, FreelistKind};
use tempfile::TempDir;

use crate::bbolt::{Bbolt, left_out};
use crate::engine;
use crate::found::found;
use crate::peer::Peer;

/// After so many seconds an etcd is ended even if this process was killed before
/// it could do it.
const LIFE_LIMIT: &str = "120";
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running etcd of one member. Dropping it stops it.
struct Etcd {
    /// `timeout`, which hands on the signals it gets.
    child: Child,
    endpoint: String,
}

impl Etcd {
    /// Starts etcd on a data directory, new or old, and waits until it answers.
    fn start(data: &Path) -> Self {
        // Another process may take a port between its choice and its use.
        for _ in 0..3 {
            let mut etcd = Self::launch(data);
            let deadline = Instant::now() + START_LIMIT;
            while Instant::now() < deadline && matches!(etcd.child.try_wait(), Ok(None)) {
                if etcd.ctl(&["endpoint", "health"]).status.success() {
                    return etcd;
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("etcd does not start; its log:\n{}", fs::read_to_string(log(data)).unwrap_or_default());
    }

    fn launch(data: &Path) -> Self {
        let [endpoint, peers] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
        let log = File::create(log(data)).expect("a file in a temporary directory");
        let child = Command::new("timeout")
            .args(["-k", "5", LIFE_LIMIT, "etcd", "--log-level", "warn", "--data-dir"])
            .arg(data)
            .args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("coreutils' timeout");
        Self { child, endpoint }
    }

    /// Runs etcdctl with this server.
    fn ctl(&self, args: &[&str]) -> Output {
        etcdctl(&[&["--endpoints", &self.endpoint, "--command-timeout", "10s"], args].concat())
    }

    /// What etcdctl prints; it must succeed.
    fn output(&self, args: &[&str]) -> String {
        let output = self.ctl(args);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {args:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn put(&self, key: &str, value: &str) {
        assert_eq!(self.output(&["put", key, value]), "OK\n", "{key}");
    }

    /// Everything a client can see: each key with its value, and etcd's hash over
    /// all revisions.
    fn content(&self) -> (String, String) {
        let hash = self.output(&["endpoint", "hashkv"]);
        let hash = hash.split(", ").nth(1).expect("endpoint, hash").to_owned();
        (self.output(&["get", "", "--prefix"]), hash)
    }

    /// Ends etcd in good order.
    fn stop(mut self) {
        self.terminate();
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) {
            assert!(Instant::now() < deadline, "etcd does not stop");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM, which `timeout` hands on; after its `-k` it kills.
    fn terminate(&self) {
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.terminate();
            let _ = self.child.wait();
        }
    }
}

fn etcdctl(args: &[&str]) -> Output {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").args(args);
    command.output().expect("etcdctl was found")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface");
    listener.local_addr().expect("bound").port()
}

fn log(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn database(data: &Path) -> PathBuf {
    data.join("member/snap/db")
}

/// A data directory that an etcd filled and left, and what its clients saw.
struct Store {
    directory: TempDir,
    data: PathBuf,
    content: (String, String),
    peer: Peer,
}

impl Store {
    fn fill() -> Option<Self> {
        if left_out() || !["etcd", "etcdctl"].into_iter().all(|program| found(program, "etcd-server etcd-client")) {
            return None;
        }
        let peer = Peer::start(Bbolt::Debian)?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = directory.path().join("data");
        let etcd = Etcd::start(&data);
        for n in 0..60 {
            etcd.put(&format!("/registry/pods/ns-{}/pod-{n:03}", n % 4), &"spec ".repeat(n));
        }
        let large = "large ".repeat(20_000);
        for n in 0..20 {
            etcd.put(&format!("/registry/leases/{n}"), &format!("renewed {n}"));
            etcd.put("/registry/configmaps/big", &large[n * 1000..]);
        }
        etcd.output(&["del", "--prefix", "/registry/pods/ns-3/"]);
        etcd.output(&["compact", "60"]);
        etcd.put("/registry/last", "before kv");
        let content = etcd.content();
        etcd.stop();
        Some(Self { directory, data, content, peer })
    }

    /// etcd serves what it served before and writes on; the file it leaves is
    /// sound to both engines.
    fn assert_served(&mut self, data: &Path) {
        let etcd = Etcd::start(data);
        assert_eq!(etcd.content(), self.content, "every key, value and revision is there");
        for n in 0..40 {
            etcd.put(&format!("/registry/after/{n}"), &"written on ".repeat(n * 10));
        }
        etcd.output(&["del", "/registry/last"]);
        assert_eq!(
            etcd.output(&["get", "/registry/after/1", "--print-value-only"]).trim(),
            "written on ".repeat(10).trim()
        );
        self.content = etcd.content();
        // Reads the whole file through etcd's bbolt and writes a new one.
        etcd.output(&["defrag"]);
        assert_eq!(etcd.content(), self.content, "after etcd's own defragmentation");
        etcd.stop();
        self.assert_sound(&database(data));
    }

    fn assert_sound(&mut self, path: &Path) {
        self.peer.check(path).expect("bbolt's check");
        engine::check(path).expect("kv's check");
    }
}

/// The options that suit etcd's file: it stores no freelist itself.
fn open(path: &Path) -> Result<Db, Error> {
    Db::options().freelist(FreelistKind::SpanMaps).open(path)
}

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

/// kv writes in a bucket of its own, beside etcd's; etcd does not mind, and what
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

/// A snapshot is bbolt's backup and 32 bytes of SHA-256 behind it: kv opens it as
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
