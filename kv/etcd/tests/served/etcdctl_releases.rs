//! etcdctl of each release against this server: the commands that scripts use.

use std::path::Path;

use kv_etcd::server::Options;
use kv_testkit::budget::Budget;
use kv_testkit::etcd_release::{Programs, Release};

use crate::ctl::Ctl;
use crate::start;

fn commands(release: Release) {
    let Some(programs) = release.programs() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path().join("data")));
    let ctl = Ctl::new(programs, &url);
    keys(&ctl);
    leases(&ctl);
    watches(&ctl);
    recipes(&ctl);
    upkeep(&ctl);
    saved(&ctl, directory.path());
    mirrored(&ctl, programs, directory.path());
    if Budget::of_this_run() != Budget::Short {
        // It puts for a minute.
        let said = ctl.ok(&["check", "perf", "--load", "s"]);
        assert!(said.contains("PASS: Throughput") && said.contains("PASS\n"), "{said}");
    }
    server.stop();
}

fn keys(ctl: &Ctl) {
    assert_eq!(ctl.ok(&["put", "a", "1"]), "OK\n");
    assert_eq!(ctl.ok(&["put", "a", "2", "--prev-kv"]), "OK\na\n1\n");
    assert_eq!(ctl.ok(&["get", "a"]), "a\n2\n");
    assert_eq!(ctl.ok(&["get", "a", "--rev", "2", "--print-value-only"]), "1\n");
    assert!(ctl.ok(&["get", "", "--prefix", "--write-out", "json"]).contains("\"count\":1"));
    assert_eq!(ctl.ok(&["del", "nothing"]), "0\n");
    let txn = "value(\"a\") = \"2\"\n\nput a 3\n\nget a\n\n";
    assert!(ctl.told(&["txn"], txn).starts_with("SUCCESS\n\nOK"));
}

fn leases(ctl: &Ctl) {
    let granted = ctl.ok(&["lease", "grant", "500"]);
    let id = granted.split_whitespace().nth(1).unwrap();
    ctl.ok(&["put", "leased", "v", "--lease", id]);
    assert!(ctl.ok(&["lease", "timetolive", id, "--keys"]).contains("attached keys([leased])"));
    assert!(ctl.ok(&["lease", "list"]).contains(id));
    assert!(ctl.ok(&["lease", "keep-alive", "--once", id]).contains("keepalived with TTL(500)"));
    assert_eq!(ctl.ok(&["lease", "revoke", id]), format!("lease {id} revoked\n"));
    assert_eq!(ctl.ok(&["get", "leased"]), "");
}

fn watches(ctl: &Ctl) {
    let script = ["watch", "a", "--rev", "2", "--", "sh", "-c", "echo seen $ETCD_WATCH_VALUE; kill $PPID"];
    let seen = ctl.run(&script);
    assert!(String::from_utf8_lossy(&seen.stdout).contains("seen \"1\""), "{seen:?}");
}

fn recipes(ctl: &Ctl) {
    assert_eq!(ctl.ok(&["lock", "mutex", "--", "echo", "held"]), "held\n");
    let mut leader = ctl.begin(&["elect", "post", "me"]);
    ctl.until(&["get", "post", "--prefix", "--print-value-only"], "me\n");
    leader.kill().unwrap();
    leader.wait().unwrap();
}

fn upkeep(ctl: &Ctl) {
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

fn saved(ctl: &Ctl, directory: &Path) {
    let file = directory.join("saved");
    ctl.ok(&["snapshot", "save", file.to_str().unwrap()]);
    assert!(kv_etcd::snapshot::verify(&file).is_ok(), "the hash at its end is its own");
}

/// Another server gets what is there, and what is put afterwards.
fn mirrored(ctl: &Ctl, programs: &Programs, directory: &Path) {
    let (other, url) = start(&mut Options::new(directory.join("mirror")));
    let mirror = Ctl::new(programs, &url);
    let mut mirroring = ctl.begin(&["make-mirror", &mirror.endpoint]);
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
