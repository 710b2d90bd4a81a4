//! Debian's etcdctl, each command that has a meaning on one node.

use std::path::Path;

use kv_etcd::server::Options;
use kv_testkit::etcd::{Etcd, database};
use kv_testkit::etcd_release::Release;

use crate::ctl::Ctl;
use crate::start;

#[test]
fn etcdctl_finds_what_it_expects() {
    let Some(debians) = Release::V3_4.programs() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path().join("ours"));
    // The log is part of the file while the server runs. A small one lets the file become small, too.
    options.engine = options.engine.log_size(256 << 10);
    let (server, url) = start(&mut options);
    let ctl = Ctl::new(debians, &url);
    keys(&ctl);
    leases(&ctl);
    watches_and_recipes(&ctl);
    upkeep(&ctl);
    defragmented(&ctl, &database(&directory.path().join("ours")));
    restored(&ctl, directory.path());
    server.stop();
}

fn keys(ctl: &Ctl) {
    assert_eq!(ctl.ok(&["put", "a", "1"]), "OK\n");
    assert_eq!(ctl.ok(&["put", "a", "2", "--prev-kv"]), "OK\na\n1\n");
    assert_eq!(ctl.ok(&["put", "b", "x"]), "OK\n");
    assert_eq!(ctl.ok(&["get", "a"]), "a\n2\n");
    assert_eq!(ctl.ok(&["get", "a", "--rev", "2"]), "a\n1\n");
    assert_eq!(ctl.ok(&["get", "", "--prefix", "--keys-only"]), "a\n\nb\n\n");
    assert_eq!(ctl.ok(&["get", "--from-key", "b", "--print-value-only"]), "x\n");
    assert_eq!(ctl.ok(&["get", "", "--prefix", "--order", "DESCEND", "--sort-by", "MODIFY", "--limit", "1"]), "b\nx\n");
    let txn = "mod(\"a\") > \"0\"\n\nput a 3\nget a\n\nput never here\n\n";
    assert_eq!(ctl.told(&["txn"], txn), "SUCCESS\n\nOK\n\na\n3\n");
    assert_eq!(ctl.ok(&["del", "b", "--prev-kv"]), "1\nb\nx\n");
    assert_eq!(ctl.ok(&["del", "b"]), "0\n");
    assert!(ctl.refused(&["put", "a", "v", "--lease", "77"]).contains("etcdserver: requested lease not found"));
    assert!(ctl.refused(&["get", "a", "--rev", "99"]).contains("required revision is a future revision"));
}

fn leases(ctl: &Ctl) {
    let granted = ctl.ok(&["lease", "grant", "500"]);
    let id = granted.split_whitespace().nth(1).unwrap();
    assert_eq!(granted, format!("lease {id} granted with TTL(500s)\n"));
    ctl.ok(&["put", "leased", "v", "--lease", id]);
    assert!(ctl.ok(&["lease", "timetolive", id, "--keys"]).contains("attached keys([leased])"));
    assert!(ctl.ok(&["lease", "list"]).contains(id));
    assert_eq!(ctl.ok(&["lease", "keep-alive", "--once", id]), format!("lease {id} keepalived with TTL(500)\n"));
    assert_eq!(ctl.ok(&["lease", "revoke", id]), format!("lease {id} revoked\n"));
    assert_eq!(ctl.ok(&["get", "leased"]), "");
    assert!(ctl.ok(&["lease", "timetolive", id]).contains("already expired"));
    let expiring = ctl.ok(&["lease", "grant", "2"]);
    ctl.ok(&["put", "short", "v", "--lease", expiring.split_whitespace().nth(1).unwrap()]);
    ctl.until(&["get", "short"], "");
}

fn watches_and_recipes(ctl: &Ctl) {
    // The command runs once, for the first event of the history.
    let script = ["watch", "a", "--rev", "2", "--", "sh", "-c", "echo seen $ETCD_WATCH_KEY; kill $PPID"];
    let seen = ctl.run(&script);
    assert!(String::from_utf8_lossy(&seen.stdout).contains("seen \"a\""), "{seen:?}");
    assert_eq!(ctl.ok(&["lock", "mutex", "--", "echo", "held"]), "held\n");
    let mut leader = ctl.begin(&["elect", "post", "me"]);
    ctl.until(&["get", "post", "--prefix", "--print-value-only"], "me\n");
    leader.kill().unwrap();
    leader.wait().unwrap();
}

fn upkeep(ctl: &Ctl) {
    assert!(ctl.ok(&["endpoint", "health"]).is_empty());
    assert!(ctl.ok(&["endpoint", "status"]).contains("true, false"), "it leads, and learns from nobody");
    assert!(ctl.ok(&["endpoint", "hashkv"]).contains(&ctl.endpoint));
    assert!(ctl.ok(&["member", "list"]).contains("started, default, http://localhost:2380"));
    assert!(ctl.refused(&["member", "add", "two", "--peer-urls", "http://127.0.0.1:1"]).contains("single node"));
    assert_eq!(ctl.ok(&["compaction", "4", "--physical"]), "compacted revision 4\n");
    assert!(ctl.refused(&["compaction", "4"]).contains("required revision has been compacted"));
    assert!(ctl.refused(&["get", "a", "--rev", "3"]).contains("required revision has been compacted"));
    assert_eq!(ctl.ok(&["alarm", "list"]), "");
    assert_eq!(ctl.ok(&["user", "list"]), "");
    assert!(ctl.refused(&["auth", "enable"]).contains("root user does not exist"));
}

/// The file becomes shorter, and the content stays.
fn defragmented(ctl: &Ctl, file: &Path) {
    let value = "large ".repeat(10_000);
    for n in 0..40 {
        ctl.ok(&["put", &format!("gone/{n:02}"), &value]);
    }
    ctl.ok(&["del", "gone/", "--prefix"]);
    let status = ctl.ok(&["endpoint", "status", "--write-out", "fields"]);
    let revision = status.lines().find_map(|line| line.strip_prefix("\"Revision\" : ")).unwrap();
    ctl.ok(&["compaction", revision, "--physical"]);
    let (content, hash) = (ctl.ok(&["get", "", "--prefix"]), ctl.ok(&["endpoint", "hashkv"]));
    let before = std::fs::metadata(file).unwrap().len();
    assert!(ctl.ok(&["defrag"]).contains("Finished defragmenting"));
    if cfg!(unix) {
        let after = std::fs::metadata(file).unwrap().len();
        assert!(after < before / 4, "{before} bytes have become {after}");
    }
    assert_eq!((ctl.ok(&["get", "", "--prefix"]), ctl.ok(&["endpoint", "hashkv"])), (content, hash));
}

/// What `snapshot save` gets is restored by etcd's own tool, and served by etcd with the same content.
fn restored(ctl: &Ctl, directory: &Path) {
    for n in 0..50 {
        ctl.ok(&["put", &format!("many/{n:02}"), &"value ".repeat(n)]);
    }
    let hash = |output: &str| output.split(", ").nth(1).unwrap().trim().to_owned();
    let (ours, kept) = (ctl.ok(&["get", "", "--prefix"]), hash(&ctl.ok(&["endpoint", "hashkv"])));
    let file = directory.join("saved");
    ctl.ok(&["snapshot", "save", file.to_str().unwrap()]);
    let data = directory.join("restored");
    ctl.ok(&["snapshot", "restore", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    assert!(database(&data).exists());
    let etcd = Etcd::start(&data);
    let (content, hash) = etcd.content();
    assert_eq!((content, hash.trim()), (ours, &*kept));
    etcd.put("after", "the restore");
    etcd.stop();
}
