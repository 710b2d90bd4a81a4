//! A contest as the command holds it, small.
#![allow(missing_docs, reason = "tests")]

#[macro_use]
extern crate kv_testkit;

use std::path::Path;
use std::process::Command;

use indicatif::ProgressBar;
use peers::contest::{Contest, Extent, Programs};
use peers::engines::Peer;
use peers::journal::{Journal, Outcome, Subject};
use peers::work::{WORKS, Work};

fn compare(results: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
    let output = command.arg("--results").arg(results).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn all_works_are_measured_kept_and_shown() {
    let results = tempfile::tempdir().unwrap();
    let some = ["--pairs", "1000", "--rounds", "2", "--engines", "lmdb,kv,redb", "--free", "200", "--commits", "100"];
    let rows = compare(results.path(), &some);
    for work in WORKS.iter().filter(|work| work.name != "memory") {
        assert!(rows.contains(&format!("| {} ", work.title)), "{} is not in\n{rows}", work.name);
    }
    let page = std::fs::read_to_string(results.path().join("peers.md")).unwrap();
    assert!(!page.contains("Not done"), "{page}");
    assert_eq!(page.matches("| 200, ").count(), 6, "{page}");
    let figures = || std::fs::read_to_string(results.path().join("figures.jsonl")).unwrap();
    let before = figures();
    assert_eq!(before.lines().count(), 3 * (2 * WORKS.len() + 6));
    assert_eq!(compare(results.path(), &some), rows, "what is known is not measured again");
    assert_eq!(figures(), before);
    compare(results.path(), &["--pairs", "1000", "--rounds", "3", "--engines", "lmdb,kv,redb", "--only", "get,put"]);
    let more = figures();
    assert_eq!(more.lines().count() - before.lines().count(), 3 * 2, "a run with more rounds goes on");
    assert!(more.starts_with(&before));
}

#[test]
fn unknown_names_are_refused() {
    for (argument, name) in [("--only", "gte"), ("--engines", "lmbd")] {
        let output = Command::new(env!("CARGO_BIN_EXE_peers")).args([argument, name]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(name) && said.contains("redb") | said.contains("scan-10"));
    }
}

/// An engine that answers and does nothing must not win.
#[cfg(unix)]
#[test]
fn an_engine_that_does_nothing_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let idle = dir.path().join("idle");
    std::fs::write(&idle, "#!/bin/sh\necho ok 0 1 1\nwhile read -r task; do echo ok 0 1 1; done\n").unwrap();
    std::fs::set_permissions(&idle, std::fs::Permissions::from_mode(0o755)).unwrap();
    let programs = Programs { here: idle.clone(), go: idle };
    let mut journal = Journal::open(&dir.path().join("journal")).unwrap();
    let peers = [Peer::named("kv").unwrap()];
    let extent = Extent { pairs: 100, rounds: 1 };
    let mut contest = Contest::new(dir.path(), extent, &peers, programs, &mut journal, ProgressBar::hidden()).unwrap();
    WORKS.iter().try_for_each(|work: &Work| contest.hold(work)).unwrap();
    drop(contest);
    for work in WORKS {
        let subject = Subject { work: work.name.to_owned(), round: 0, engine: "kv".to_owned(), pairs: 100 };
        let outcome = journal.outcome(&subject);
        assert!(matches!(outcome, Some(Outcome::Failed(_))), "{}: {outcome:?}", work.name);
    }
}
