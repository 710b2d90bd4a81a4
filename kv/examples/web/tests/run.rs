//! The service as its clients see it, and the program of tasks.

#[macro_use]
extern crate kv_testkit;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

/// A running service, which is killed in the end.
struct Service {
    process: Child,
    printed: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    fn start(file: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_web"));
        let mut process = command.arg(file).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, printed, address }
    }

    /// Returns the status and the body.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: kv\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        (status, answer.split_off(end + 4))
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, body) = self.ask("GET", path, b"");
        (status, String::from_utf8(body).unwrap())
    }

    fn keys(&self, query: &str) -> Vec<String> {
        let (status, body) = self.get(&format!("/documents?{query}"));
        assert_eq!(status, 200, "{body}");
        let entries: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        entries.iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn documents_are_written_read_listed_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(&directory.path().join("documents.db"));
    assert_eq!(service.ask("PUT", "/documents/plum", b"ripe").0, 201);
    assert_eq!(service.ask("PUT", "/documents/plum", b"eaten").0, 204);
    assert_eq!(service.get("/documents/plum"), (200, "eaten".into()));
    assert_eq!(service.get("/documents/fig"), (404, "there is no such document\n".into()));
    for key in ["pear", "fig", "peach", "q/a%20b"] {
        assert_eq!(service.ask("PUT", &format!("/documents/{key}"), b"").0, 201);
    }
    assert_eq!(service.keys(""), ["fig", "peach", "pear", "plum", "q/a b"]);
    assert_eq!(service.keys("prefix=p&limit=2"), ["peach", "pear"]);
    assert_eq!(service.keys("prefix=p&after=pear"), ["plum"]);
    assert_eq!(service.keys("prefix=pe&after=a"), ["peach", "pear"]);
    assert_eq!(service.ask("DELETE", "/documents/fig", b"").0, 204);
    assert_eq!(service.ask("DELETE", "/documents/fig", b"").0, 404);
    let (status, text) = service.ask("PUT", &format!("/documents/{}", "k".repeat(40_000)), b"");
    assert_eq!((status, String::from_utf8(text).unwrap().contains("32768")), (400, true));
}

/// Answered changes are there after a kill, and a backup that was taken meanwhile is a database.
#[test]
fn what_was_answered_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("documents.db");
    let service = Service::start(&file);
    let copy = thread::scope(|scope| {
        for client in 0..8 {
            let service = &service;
            scope.spawn(move || {
                for n in 0..10 {
                    assert_eq!(service.ask("PUT", &format!("/documents/{client}-{n}"), b"here").0, 201);
                }
            });
        }
        service.ask("GET", "/backup", b"").1
    });
    drop(service);
    let service = Service::start(&file);
    assert_eq!(service.keys("limit=1000").len(), 80);
    assert_eq!(service.get("/documents/7-9"), (200, "here".into()));

    let path = directory.path().join("copy.db");
    std::fs::write(&path, copy).unwrap();
    let copy = kv::Db::options().read_only(true).open(path).unwrap();
    let snapshot = copy.begin_read();
    assert_eq!(snapshot.check().unwrap(), []);
    assert!(snapshot.bucket("documents").unwrap().len().unwrap() <= 80);
}

#[cfg(unix)]
#[test]
fn an_interrupt_closes_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = Service::start(&directory.path().join("documents.db"));
    assert_eq!(service.ask("PUT", "/documents/a", b"1").0, 201);
    let interrupt = Command::new("kill").arg("-INT").arg(service.process.id().to_string()).status();
    assert!(interrupt.unwrap().success());
    let mut rest = String::new();
    service.printed.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "closed\n");
    assert!(service.process.wait().unwrap().success());
}

#[test]
fn tasks_share_commits() {
    let output = Command::new(env!("CARGO_BIN_EXE_tasks")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let commits = printed.trim().strip_prefix("320 durable steps in ").and_then(|rest| rest.strip_suffix(" commits"));
    let commits: u64 = commits.unwrap_or_else(|| panic!("{printed}")).parse().unwrap();
    assert!(commits < 320, "{commits} commits: none was shared");
}
