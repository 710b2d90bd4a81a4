//! etcdctl of each release against this server: the commands that scripts use.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use kv_etcd::server::{Options, Server};
use kv_testkit::budget::Budget;
use kv_testkit::etcd_release::Release;

use crate::start;

/// An etcdctl with a server.
struct Ctl<'a> {
    program: &'a Path,
    endpoint: String,
}

impl Ctl<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.arg("200").arg(self.program).args(["--endpoints", &self.endpoint]).args(arguments);
        command.env("ETCDCTL_API", "3");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints; it must succeed.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks until it prints that.
    #[track_caller]
    fn until(&self, arguments: &[&str], expected: &str) {
        for _ in 0..200 {
            if self.ok(arguments) == expected {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("{arguments:?} never printed {expected:?}, but {:?}", self.ok(arguments));
    }
}

/// The endpoint of a server as every etcdctl takes it: 3.4 sends a whole address as the name of the host.
fn serve(data: PathBuf) -> (Server, String) {
    let (server, url) = start(&mut Options::new(data));
    (server, url.replace("http://", ""))
}

fn commands(release: Release) {
    let Some(programs) = release.programs() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (server, endpoint) = serve(directory.path().join("data"));
    let ctl = Ctl { program: &programs.etcdctl, endpoint };
    keys(&ctl);
    leases(&ctl);
    watches(&ctl);
    recipes(&ctl);
    upkeep(&ctl);
    saved(&ctl, directory.path());
    mirrored(&ctl, directory.path());
    if Budget::of_this_run() != Budget::Short {
        // It puts for a minute.
        let said = ctl.ok(&["check", "perf", "--load", "s"]);
        assert!(said.contains("PASS: Throughput") && said.contains("PASS\n"), "{said}");
    }
    server.stop();
}

fn keys(ctl: &Ctl<'_>) {
    assert_eq!(ctl.ok(&["put", "a", "1"]), "OK\n");
    assert_eq!(ctl.ok(&["put", "a", "2", "--prev-kv"]), "OK\na\n1\n");
    assert_eq!(ctl.ok(&["get", "a"]), "a\n2\n");
    assert_eq!(ctl.ok(&["get", "a", "--rev", "2", "--print-value-only"]), "1\n");
    assert!(ctl.ok(&["get", "", "--prefix", "--write-out", "json"]).contains("\"count\":1"));
    assert_eq!(ctl.ok(&["del", "nothing"]), "0\n");
    let mut txn = ctl.command(&["txn"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked = "value(\"a\") = \"2\"\n\nput a 3\n\nget a\n\n";
    std::io::Write::write_all(&mut txn.stdin.take().unwrap(), asked.as_bytes()).unwrap();
    let answer = txn.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&answer.stdout).starts_with("SUCCESS\n\nOK"), "{answer:?}");
}

fn leases(ctl: &Ctl<'_>) {
    let granted = ctl.ok(&["lease", "grant", "500"]);
    let id = granted.split_whitespace().nth(1).unwrap();
    ctl.ok(&["put", "leased", "v", "--lease", id]);
    assert!(ctl.ok(&["lease", "timetolive", id, "--keys"]).contains("attached keys([leased])"));
    assert!(ctl.ok(&["lease", "list"]).contains(id));
    assert!(ctl.ok(&["lease", "keep-alive", "--once", id]).contains("keepalived with TTL(500)"));
    assert_eq!(ctl.ok(&["lease", "revoke", id]), format!("lease {id} revoked\n"));
    assert_eq!(ctl.ok(&["get", "leased"]), "");
}

fn watches(ctl: &Ctl<'_>) {
    let script = ["watch", "a", "--rev", "2", "--", "sh", "-c", "echo seen $ETCD_WATCH_VALUE; kill $PPID"];
    let seen = ctl.run(&script);
    assert!(String::from_utf8_lossy(&seen.stdout).contains("seen \"1\""), "{seen:?}");
}

fn recipes(ctl: &Ctl<'_>) {
    assert_eq!(ctl.ok(&["lock", "mutex", "--", "echo", "held"]), "held\n");
    let mut leader = ctl.command(&["elect", "post", "me"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    ctl.until(&["get", "post", "--prefix", "--print-value-only"], "me\n");
    leader.kill().unwrap();
    leader.wait().unwrap();
}

fn upkeep(ctl: &Ctl<'_>) {
    let health = ctl.run(&["endpoint", "health"]);
    // 3.4 says it on the other stream.
    let said = [health.stdout, health.stderr].concat();
    assert!(health.status.success() && String::from_utf8_lossy(&said).contains("is healthy"), "{said:?}");
    assert!(ctl.ok(&["endpoint", "status"]).contains("true, false"), "it leads, and learns from nobody");
    assert!(ctl.ok(&["endpoint", "hashkv"]).contains(&ctl.endpoint));
    assert!(ctl.ok(&["member", "list"]).contains("started, default"));
    assert_eq!(ctl.ok(&["compaction", "3", "--physical"]), "compacted revision 3\n");
    assert_eq!(ctl.ok(&["alarm", "list"]), "");
}

fn saved(ctl: &Ctl<'_>, directory: &Path) {
    let file = directory.join("saved");
    ctl.ok(&["snapshot", "save", file.to_str().unwrap()]);
    assert!(kv_etcd::snapshot::verify(&file).is_ok(), "the hash at its end is its own");
}

/// Another server gets what is there, and what is put afterwards.
fn mirrored(ctl: &Ctl<'_>, directory: &Path) {
    let (other, endpoint) = serve(directory.join("mirror"));
    let mirror = Ctl { program: ctl.program, endpoint };
    let mut mirroring =
        ctl.command(&["make-mirror", &mirror.endpoint]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    mirror.until(&["get", "a", "--print-value-only"], "3\n");
    ctl.ok(&["put", "later", "and mirrored"]);
    mirror.until(&["get", "later", "--print-value-only"], "and mirrored\n");
    mirroring.kill().unwrap();
    mirroring.wait().unwrap();
    other.stop();
}

#[test]
fn etcdctl_3_4() {
    commands(Release::V3_4);
}

#[test]
fn etcdctl_3_5() {
    commands(Release::V3_5);
}

#[test]
fn etcdctl_3_7() {
    commands(Release::V3_7);
}
