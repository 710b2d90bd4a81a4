//! What cannot be done: one line with the file's name, and the code that the help promises.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kv::Db;

use crate::tool::Bench;

/// One line for each command that opens a file.
const READING: [&[&str]; 14] = [
    &["info", "FILE"],
    &["check", "FILE"],
    &["stats", "FILE"],
    &["buckets", "FILE"],
    &["keys", "FILE", "b"],
    &["get", "FILE", "b", "k"],
    &["export", "FILE"],
    &["backup", "-o", "out", "FILE"],
    &["compact", "-o", "out", "FILE"],
    &["inspect", "FILE"],
    &["map", "FILE"],
    &["pages", "FILE"],
    &["page", "FILE", "0"],
    &["surgery", "revert-meta-page", "--output", "out", "FILE"],
];
const WRITING: [&[&str]; 3] =
    [&["put", "FILE", "b", "k", "v"], &["del", "FILE", "b", "k"], &["del", "--bucket", "FILE", "b"]];

fn on<'a>(command: &[&'a str], file: &'a str) -> Vec<&'a str> {
    command.iter().map(|arg| if *arg == "FILE" { file } else { arg }).collect()
}

#[test]
fn a_wrong_path_and_a_file_that_is_no_database() {
    let bench = Bench::new();
    std::fs::write(bench.path("text"), "no database at all\n".repeat(1000)).unwrap();
    std::fs::create_dir(bench.path("directory")).unwrap();
    for command in READING.iter().chain(&WRITING) {
        let error = bench.kv(&on(command, "absent")).failed(3);
        assert!(error.contains("absent: there is no such file"), "{command:?}: {error}");
        assert!(!bench.path("absent").exists(), "{command:?}");
        let error = bench.kv(&on(command, "text")).failed(3);
        assert!(error.contains("text: this is no bbolt database"), "{command:?}: {error}");
        let error = bench.kv(&on(command, "directory")).failed(3);
        assert!(error.contains("directory"), "{command:?}: {error}");
        assert!(!bench.path("out").exists(), "{command:?}");
    }
    for command in [&["create", "no/db"][..], &["import", "no/db"]] {
        let error = bench.kv(command).failed(3);
        assert!(error.contains("no/db: there is no such directory"), "{error}");
    }
}

#[test]
fn a_locked_file_is_not_waited_for_for_ever() {
    let bench = Bench::with("bbolt-inline-hashmap");
    let writer = Db::open(bench.path("db")).unwrap();
    for command in READING.iter().chain(&WRITING) {
        let started = Instant::now();
        let error = bench.kv(&[&["--lock-timeout", "0.05"], &on(command, "db")[..]].concat()).failed(3);
        assert!(error.contains("db: in use by another program"), "{command:?}: {error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{command:?}");
    }
    drop(writer);
    // Readers share.
    let reader = Db::options().read_only(true).open(bench.path("db")).unwrap();
    assert_eq!(bench.kv(&["check", "--lock-timeout", "0", "db"]).ok(), "OK\n");
    bench.kv(&["put", "--lock-timeout", "0", "db", "b", "k", "v"]).failed(3);
    drop(reader);
}

#[test]
fn what_is_not_there_is_named() {
    let bench = Bench::new();
    bench.kv(&["create", "db", "b"]).ok();
    bench.kv(&["create", "db", "b", "inner"]).ok();
    bench.kv(&["put", "db", "b", "k", "v"]).ok();
    for (args, said) in [
        (&["get", "db", "nob", "k"][..], "there is no bucket \"nob\""),
        (&["get", "db", "b", "nok"], "there is no key \"nok\" in bucket \"b\""),
        (&["get", "db", "b", "inner"], "\"inner\" is a bucket, not a key"),
        (&["keys", "db", "b", "k"], "\"k\" is a key, not a bucket"),
        (&["put", "db", "nob", "k", "v"], "there is no bucket \"nob\""),
        (&["put", "db", "b", "inner", "v"], "\"inner\" is a bucket, not a key"),
        (&["create", "db", "b"], "the bucket is there already"),
        (&["del", "db", "b", "inner"], "\"inner\" is a bucket, not a key"),
    ] {
        let error = bench.kv(args).failed(1);
        assert!(error.contains("kv: db: ") && error.contains(said), "{args:?}: {error}");
    }
    for args in [
        &["get", "--parse-format", "hex", "db", "b", "xyz"][..],
        &["put", "db", "b", "", "v"],
        &["create", "db", ""],
        &["put", "db", "b", "k"],
        &["dump", "db", "99999999"],
        &["page", "db", "18446744073709551615"],
    ] {
        assert!(bench.kv(args).failed(2).contains("kv: db: "), "{args:?}");
    }
    for args in [&["get", "db"][..], &["nonsense"], &["page", "db"], &["page", "--all", "db", "3"], &[]] {
        assert_eq!(bench.kv(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_reader_that_has_read_enough_ends_it_quietly() {
    let bench = Bench::with("etcd34-small-array");
    for args in [&["keys", "db", "key"][..], &["export", "db"], &["page", "--all", "db"], &["backup", "-o", "-", "db"]]
    {
        let mut child = bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut first = [0; 10];
        out.read_exact(&mut first).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{args:?}");
    }
}

/// `/dev/full` is a disk that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    let bench = Bench::with("etcd34-small-array");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.command(&["export", "db"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("kv: cannot write the output: No space left") && error.lines().count() == 1, "{error}");
}
