//! What was answered is there when the store is opened again.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kv_etcd::mvcc::{CompactRequest, Options, PutRequest, RangeRequest, Store};

use crate::{Bench, get, put};

#[test]
fn many_callers_share_commits() {
    let bench = Bench::new();
    // With syncs: only then do groups gather.
    let store = Store::open(bench.path(), Options::new()).expect("it opens");
    std::thread::scope(|scope| {
        for caller in 0..32 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..20 {
                    put(store, &format!("{caller}/{n}"), "v");
                }
            });
        }
    });
    let status = store.status();
    assert_eq!((status.revision, status.writes), (641, 640));
    assert!(status.commits < 400, "{} commits", status.commits);
    drop(store);
    let all = bench.open().range(RangeRequest::prefix("")).expect("a read");
    let mut revisions: Vec<i64> = all.kvs.iter().map(|kv| kv.mod_revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (2..642).collect::<Vec<_>>(), "each has a revision of its own");
}

/// A compaction that was noted and not done is done when the store is opened.
#[test]
fn an_unfinished_compaction_is_finished() {
    let bench = Bench::new();
    let store = bench.open();
    for n in 0..50 {
        put(&store, "a", &n.to_string());
    }
    let hash = store.hash_kv(45).expect("a hash");
    drop(store);
    let db = kv::Db::open(bench.path()).expect("the file opens");
    db.update(|tx| tx.bucket_mut("meta")?.put("scheduledCompactRev", b"\0\0\0\0\0\0\0\x28_\0\0\0\0\0\0\0\0"))
        .expect("a commit");
    drop(db);
    let store = bench.open();
    assert_eq!(store.compact_revision(), 40);
    assert_ne!(store.hash_kv(45).expect("a hash"), hash, "the rows between are out of the sum at once");
    let rows = || store.begin_read().bucket("key").expect("a bucket").iter().count();
    wait_until(|| rows() == 12);
    assert_eq!(get(&store, "a", 40).as_deref(), Some("38"));
}

/// A compaction that pauses does not hold up the closing of the store; what it leaves undone is done by the next opening.
#[test]
fn closing_does_not_wait_for_the_pause_of_a_compaction() {
    let bench = Bench::new();
    let hours = Duration::from_secs(100_000);
    let store = Store::open(bench.path(), Options::new().compaction_rows(1).compaction_pause(hours)).expect("it opens");
    for n in 0..50 {
        put(&store, "a", &n.to_string());
    }
    let rows = |store: &Store| store.begin_read().bucket("key").expect("a bucket").iter().count();
    store.compact(CompactRequest { revision: 40, physical: false }).expect("a compaction");
    wait_until(|| rows(&store) == 49);
    store.close().expect("it closes");
    let store = bench.open();
    wait_until(|| rows(&store) == 12);
}

fn wait_until(happened: impl Fn() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed().as_secs() < 20, "it happens");
    }
}

const CHILD: &str = "KV_ETCD_CHILD";

/// Not a test of its own: the process that `a_killed_process_loses_nothing` kills.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = Store::open(path, Options::new().compaction_rows(3)).expect("it opens");
    for n in 0.. {
        let answer = store.put(PutRequest::new(format!("k{}", n % 5), n.to_string())).expect("a put");
        println!("\nDONE {} k{} {n}", answer.revision, n % 5);
        if n % 20 == 19 {
            store.compact(CompactRequest { revision: answer.revision - 5, physical: false }).expect("a compaction");
        }
    }
}

#[test]
fn a_killed_process_loses_nothing() {
    let bench = Bench::new();
    for round in 1..6 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "reopening::child", "--nocapture"])
            .env(CHILD, bench.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let mut last = Vec::new();
        for line in lines.filter(|line| line.starts_with("DONE ")).take(17 * round) {
            last.push(line);
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        let store = bench.open();
        for line in last.iter().rev().take(5) {
            let [_, revision, key, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let revision: i64 = revision.parse().expect("a number");
            assert!(store.revision() >= revision, "{line}");
            if revision < store.compact_revision() {
                // The process went on after this line.
                continue;
            }
            assert_eq!(get(&store, key, revision).as_deref(), Some(value), "{line}");
        }
        assert!(store.begin_read().check().expect("it is read").is_empty(), "the file is sound");
    }
}
