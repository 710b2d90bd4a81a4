//! A real etcd on the loopback interface.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kv::{Db, Error, FreelistKind};
use tempfile::TempDir;

use crate::bbolt::Bbolt;
use crate::engine;
use crate::etcd_release::{Programs, Release};
use crate::peer::Peer;

/// After so many seconds an etcd is ended even if this process was killed before
/// it could do it.
const LIFE_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of etcd's log that a failing test shows.
const LAST_OF_LOG: usize = 8 << 10;

/// A running etcd of one member. Dropping it stops it.
#[derive(Debug)]
pub struct Etcd {
    /// `timeout`, which hands on the signals it gets.
    child: Child,
    endpoint: String,
    etcdctl: PathBuf,
    log: PathBuf,
}

impl Etcd {
    /// Starts Debian's etcd on a data directory, new or old, and waits until it answers.
    ///
    /// # Panics
    /// If etcd does not do it.
    #[must_use]
    pub fn start(data: &Path) -> Self {
        Self::start_for(LIFE_LIMIT, &Programs::debians(), data)
    }

    /// As [`start`](Self::start), any etcd, for tests that need it for longer than two minutes.
    ///
    /// # Panics
    /// If etcd does not do it.
    #[must_use]
    pub fn start_for(life_limit: Duration, programs: &Programs, data: &Path) -> Self {
        // Another process may take a port between its choice and its use.
        for _ in 0..3 {
            let mut etcd = Self::launch(life_limit, programs, data);
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

    fn launch(life_limit: Duration, programs: &Programs, data: &Path) -> Self {
        let [endpoint, peers] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
        let log = log(data);
        let complaints = File::create(&log).expect("a file in a temporary directory");
        let child = Command::new("timeout")
            .args(["-k", "5", &life_limit.as_secs().to_string()])
            .arg(&programs.etcd)
            .args(["--log-level", "warn", "--data-dir"])
            .arg(data)
            .args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}")])
            .stdout(Stdio::null())
            .stderr(complaints)
            .spawn()
            .expect("coreutils' timeout");
        Self { child, endpoint, etcdctl: programs.etcdctl.clone(), log }
    }

    /// Where its clients find it, as in `http://127.0.0.1:2379`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Runs etcdctl with this server.
    fn ctl(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.etcdctl);
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.endpoint, "--command-timeout", "10s"]).args(args);
        command.output().expect("etcdctl was found")
    }

    /// What etcdctl prints; it must succeed.
    ///
    /// # Panics
    /// If etcd does not do it.
    #[allow(clippy::must_use_candidate, reason = "some are run for what they do")]
    pub fn output(&self, args: &[&str]) -> String {
        let output = self.ctl(args);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {args:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    ///
    /// # Panics
    /// If etcd does not do it.
    pub fn put(&self, key: &str, value: &str) {
        assert_eq!(self.output(&["put", key, value]), "OK\n", "{key}");
    }

    /// Everything a client can see: each key with its value, and etcd's hash over
    /// all revisions.
    ///
    /// # Panics
    /// If etcd does not do it.
    #[must_use]
    pub fn content(&self) -> (String, String) {
        let hash = self.output(&["endpoint", "hashkv"]);
        let hash = hash.split(", ").nth(1).expect("endpoint, hash").to_owned();
        (self.output(&["get", "", "--prefix"]), hash)
    }

    /// Ends etcd in good order.
    ///
    /// # Panics
    /// If etcd does not do it.
    pub fn stop(mut self) {
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
        if thread::panicking() {
            // It may be etcd that failed.
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let last = log.len().saturating_sub(LAST_OF_LOG);
            eprintln!("etcd's log ends with:\n{}", String::from_utf8_lossy(&log.as_bytes()[last..]));
        }
        if let Ok(None) = self.child.try_wait() {
            self.terminate();
            let _ = self.child.wait();
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface");
    listener.local_addr().expect("bound").port()
}

fn log(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// The database file in a data directory.
#[must_use]
pub fn database(data: &Path) -> PathBuf {
    data.join("member/snap/db")
}

/// A data directory that an etcd filled and left, and what its clients saw.
#[derive(Debug)]
pub struct Store {
    /// Where all this lies.
    pub directory: TempDir,
    /// etcd's data directory in it.
    pub data: PathBuf,
    /// What its clients saw: each key with its value, and etcd's hash over all revisions.
    pub content: (String, String),
    peer: Peer,
}

impl Store {
    /// None if the calling test is skipped.
    ///
    /// # Panics
    /// If etcd does not do what it is asked, or something is missing and `KV_PEERS=require`.
    #[must_use]
    pub fn fill() -> Option<Self> {
        Release::V3_4.programs()?;
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
    ///
    /// # Panics
    /// If it is not so.
    pub fn assert_served(&mut self, data: &Path) {
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

    /// Both engines' checks find nothing.
    ///
    /// # Panics
    /// If one does.
    pub fn assert_sound(&mut self, path: &Path) {
        self.peer.check(path).expect("bbolt's check");
        engine::check(path).expect("kv's check");
    }
}

/// Opens etcd's file with the options that suit it: etcd stores no freelist.
///
/// # Errors
/// What opening answers.
pub fn open(path: &Path) -> Result<Db, Error> {
    Db::options().freelist(FreelistKind::SpanMaps).open(path)
}
