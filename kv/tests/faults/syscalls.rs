//! Real system calls that fail, each once, by `strace`: the answer is as promised, reads go on, and the file opens again
//! as a whole, with or without the transaction of which it was unknown.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use kv::{Db, Error, FreelistSync, Options};
use kv_testkit::budget::seed;
use kv_testkit::figure::print;

use crate::budget::goals;
use crate::child::{command, kernel_is_left_out, say, start, work};
use crate::workload::{Expected, assert_whole, last};
use kv_testkit::found::found;

const TEST: &str = "syscalls::every_call_fails_once";

/// Transactions in the file before calls fail, and those made while they do.
const BEFORE: u64 = 3;
const DURING: u64 = 5;

/// Bytes that each transaction adds: the file grows more than once.
const BALLAST: usize = 40_000;

fn options() -> Options {
    Options::new().page_size(1024).freelist_sync(FreelistSync::Every)
}

#[test]
fn every_call_fails_once() {
    if let Some(path) = work() {
        return work_until_it_fails(Path::new(&path));
    }
    if kernel_is_left_out() || !found("strace", "strace") {
        return;
    }
    let began = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let db = options().open(&file).unwrap();
    let mut before = Expected::nothing(seed(), BALLAST);
    (0..BEFORE).for_each(|_| before.commit_next(&db).unwrap());
    db.close().unwrap();
    let sound = fs::read(&file).unwrap();

    let mut faults = vec![("EIO", "")];
    if goals().every_fault {
        faults.extend([("ENOSPC", ""), ("EIO", "+")]);
    }
    let mut told = Told::default();
    for (error, for_ever) in faults {
        for calls in ["pwritev", "fdatasync", "fsync", "ftruncate"] {
            let mut fails = |nth: u64| {
                fs::write(&file, &sound).unwrap();
                let inject = format!("inject={calls}:error={error}:when={nth}{for_ever}");
                one_run(&file, &inject, &mut told)
            };
            let runs = (1..1000).take_while(|&nth| fails(nth)).count();
            assert!(runs > 0, "{calls} is called");
        }
    }
    let Told { runs, refused, not_committed, unknown } = told;
    assert!(refused > 0 && not_committed > 0 && unknown > 0, "{told:?}");
    let more = format!(", {refused} did not open, {not_committed} NotCommitted, {unknown} Unknown");
    print("failed system calls", runs, &more, seed(), began);
}

/// How runs ended.
#[derive(Clone, Copy, Default, Debug)]
struct Told {
    runs: u64,
    refused: u64,
    not_committed: u64,
    unknown: u64,
}

/// Runs the child under `strace`, and looks at the file afterwards. False if no call failed: there are fewer.
fn one_run(file: &Path, inject: &str, told: &mut Told) -> bool {
    let log = file.with_extension("log");
    let strace = ["strace", "-f", "-qq", "-e", "trace=pwritev,fdatasync,fsync,ftruncate", "-e", inject, "-o"];
    let before = [&strace[..], &[log.to_str().unwrap()]].concat();
    let (said, status) = start(command(&before, TEST, file.as_os_str())).end();
    assert!(status.success(), "{inject}: {status}: {}", said.join("\n"));
    if !fs::read_to_string(&log).unwrap().contains("(INJECTED)") {
        return false;
    }
    told.runs += 1;
    let acknowledged = said.iter().filter_map(|line| line.parse().ok()).max().unwrap_or(BEFORE);
    let has = |word: &str| said.iter().any(|line| line == word);
    told.refused += u64::from(has("refused"));
    told.not_committed += u64::from(has("not committed"));
    told.unknown += u64::from(has("unknown"));
    let mut acceptable = vec![acknowledged];
    acceptable.extend(has("unknown").then_some(acknowledged + 1));
    assert_whole(file, &options(), &mut Expected::nothing(seed(), BALLAST), &acceptable);
    true
}

/// The child: commits until a call fails, then sees whether the promises for what comes after are kept.
fn work_until_it_fails(path: &Path) {
    let db = match options().open(path) {
        Ok(db) => db,
        Err(Error::Store(_)) => return say("refused"),
        Err(other) => panic!("{other}"),
    };
    let mut expected = Expected::after(seed(), BEFORE, BALLAST);
    for _ in 0..DURING {
        if let Err(error) = expected.commit_next(&db) {
            return after_a_failure(&db, &expected, &error);
        }
        say(expected.number);
    }
    if db.close().is_err() {
        say("not closed");
    }
}

fn after_a_failure(db: &Db, expected: &Expected, error: &Error) {
    say(match error {
        Error::NotCommitted { .. } => "not committed",
        Error::Unknown { .. } => "unknown",
        other => panic!("{other}"),
    });
    for _ in 0..2 {
        let again = db.update(|tx| tx.create_bucket_if_absent("more").map(|_| ()));
        assert!(matches!(again, Err(Error::Poisoned)), "writes are refused: {again:?}");
    }
    let tx = db.begin_read();
    assert_eq!(last(&tx), expected.number, "readers of this handle see the state before");
    assert_eq!(tx.check().unwrap(), []);
}
