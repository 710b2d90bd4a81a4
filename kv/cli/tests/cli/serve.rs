//! `kv etcd serve` as a process: its flags, its signals, and what is left after `kill -9`. And the commands that look into
//! what it left.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kv_testkit::bbolt::left_out;
use kv_testkit::found::found;

use crate::tool::Bench;

const LIMIT: Duration = Duration::from_secs(30);

/// A server, killed when it is dropped.
struct Served {
    child: Child,
    /// Host and port.
    address: String,
}

impl Served {
    fn start(bench: &Bench, more: &[&str]) -> Self {
        let flags = ["etcd", "serve", "--data-dir", "data", "--listen-client-urls", "http://127.0.0.1:0"];
        let mut command = bench.command(&[&flags, more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("{line:?}")).1.to_owned();
        Self { child, address }
    }

    fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Its exit code and what it said on standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < LIMIT, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn etcdctl(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.address, "--command-timeout", "10s"]).args(args);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[test]
fn a_server_stops_in_good_order_when_it_is_asked_to() {
    for signal in ["-TERM", "-INT"] {
        let bench = Bench::new();
        let served = Served::start(&bench, &["--name", "one", "--snapshot-count", "5000", "--pre-vote"]);
        assert!(served.page("/health").contains("\"health\":\"true\""));
        served.signal(signal);
        let (code, said) = served.end();
        assert_eq!(code, Some(0), "{said}");
        let warned = |flag: &str| said.contains(&format!("kv: warning: {flag} has no effect on one node"));
        assert!(warned("--snapshot-count") && warned("--pre-vote") && said.lines().count() == 2, "{said}");
        let status = bench.kv(&["etcd", "status", "data/member/snap/db"]).ok();
        assert!(status.starts_with("Revision: 1\n") && status.contains("\"name\":\"one\""), "{status}");
    }
}

#[test]
fn what_cannot_be_served_is_refused_in_one_line() {
    let bench = Bench::new();
    let served = Served::start(&bench, &[]);
    let serve = |dir: &str, more: &[&str]| {
        let url = format!("http://{}", served.address);
        let flags = ["etcd", "serve", "--data-dir", dir, "--listen-client-urls", &url];
        bench.kv(&[&flags, more].concat())
    };
    assert!(serve("other", &[]).failed(3).contains("cannot listen at"));
    assert!(serve("other", &["--client-cert-auth"]).code == 3 || !bench.path("other").exists());
    let twice = ["etcd", "serve", "--data-dir", "data", "--listen-client-urls", "http://127.0.0.1:0"];
    assert!(bench.kv(&twice).failed(3).contains("data/member/snap/db"), "another process has it");
    std::fs::create_dir_all(bench.path("foreign/member/snap")).unwrap();
    bench.kv(&["create", "foreign/member/snap/db", "animals"]).ok();
    let foreign = ["etcd", "serve", "--data-dir", "foreign", "--listen-client-urls", "http://127.0.0.1:0"];
    assert!(bench.kv(&foreign).failed(3).contains("not etcd's"), "it stays as it is");
    let bad = ["etcd", "serve", "--auto-compaction-retention", "soon", "--listen-client-urls", "http://127.0.0.1:0"];
    assert!(bench.kv(&bad).failed(2).contains("not a duration"));
}

/// Every write that was acknowledged is there after `kill -9`, and the server goes on.
#[test]
fn nothing_acknowledged_is_lost() {
    if left_out() || !found("etcdctl", "etcd-client") {
        return;
    }
    let bench = Bench::new();
    let mut acknowledged = 0;
    for round in 0..3 {
        let served = Served::start(&bench, &[]);
        let killer = served.child.id().to_string();
        let kill = thread::spawn(move || {
            thread::sleep(Duration::from_millis(700));
            assert!(Command::new("kill").args(["-9", &killer]).status().unwrap().success());
        });
        let mut sent = 0;
        while served.etcdctl(&["put", &format!("k/{round}/{sent}"), "v"]).0 {
            sent += 1;
        }
        kill.join().unwrap();
        acknowledged += sent;
        let keys = bench.kv(&["etcd", "keys", "data/member/snap/db", "--prefix", "k/"]).ok();
        // The one under way may be there, too.
        let there = keys.lines().count();
        assert!((acknowledged..=acknowledged + round + 1).contains(&there), "{there} of {acknowledged}");
    }
    assert!(acknowledged > 0, "there was time for some");
}

#[test]
fn a_store_is_looked_into() {
    if left_out() || !found("etcdctl", "etcd-client") {
        return;
    }
    let bench = Bench::new();
    let served = Served::start(&bench, &[]);
    for (key, value) in [("a", "1"), ("a", "2"), ("b", "x"), ("a", "3")] {
        assert_eq!(served.etcdctl(&["put", key, value]), (true, "OK\n".into()));
    }
    assert!(served.etcdctl(&["del", "b"]).0);
    let hash = served.etcdctl(&["endpoint", "hashkv"]).1;
    served.signal("-TERM");
    assert_eq!(served.end().0, Some(0));
    let db = "data/member/snap/db";
    assert!(bench.kv(&["etcd", "status", db]).ok().starts_with("Revision: 6\nCompacted revision: -1\nKeys: 1\n"));
    assert_eq!(bench.kv(&["etcd", "keys", db]).ok(), "a\n");
    assert_eq!(bench.kv(&["etcd", "keys", db, "--rev", "4"]).ok(), "a\nb\n");
    assert_eq!(bench.kv(&["etcd", "get", db, "a"]).ok(), "3\n");
    assert_eq!(bench.kv(&["etcd", "get", db, "a", "--rev", "2"]).ok(), "1\n");
    assert!(bench.kv(&["etcd", "get", db, "b"]).failed(1).contains("there is no key \"b\""));
    assert!(bench.kv(&["etcd", "get", db, "a", "--rev", "7"]).failed(1).contains("future revision"));
    let history = "2 put version 1 1\n3 put version 2 2\n5 put version 3 3\n";
    assert_eq!(bench.kv(&["etcd", "history", db, "a"]).ok(), history);
    let log = "4 put b x\n5 put a 3\n6 delete b\n";
    assert_eq!(bench.kv(&["etcd", "watch-log", db, "--rev", "4"]).ok(), log);
    let ours = bench.kv(&["etcd", "hash", db]).ok();
    assert!(hash.contains(ours.trim()), "{hash} {ours}");
    let snapshot = bench.kv(&["etcd", "snapshot", db, "saved"]).ok();
    assert!(snapshot.contains("at revision 6"), "{snapshot}");
    assert_eq!(bench.kv(&["etcd", "get", "saved", "a"]).ok(), "3\n");
    assert_eq!(bench.kv(&["etcd", "compact", db, "--rev", "5"]).ok(), "compacted to revision 5; the newest is 6\n");
    assert!(bench.kv(&["etcd", "get", db, "a", "--rev", "4"]).failed(1).contains("has been compacted"));
    assert!(bench.kv(&["etcd", "compact", db, "--rev", "5"]).failed(1).contains("has been compacted"));
}
