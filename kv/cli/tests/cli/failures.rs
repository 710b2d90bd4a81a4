//! What cannot be done: one line with the file's name, and the code that the help promises.

use std::io::Read;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
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
const WRITING: [&[&str]; 5] = [
    &["put", "FILE", "b", "k", "v"],
    &["del", "FILE", "b", "k"],
    &["del", "--bucket", "FILE", "b"],
    &["shrink", "FILE"],
    &["checkpoint", "FILE"],
];

fn on<'a>(command: &[&'a str], file: &'a str) -> Vec<&'a str> {
    command.iter().map(|arg| if *arg == "FILE" { file } else { arg }).collect()
}

#[test]
fn a_wrong_path_and_a_file_that_is_no_database() {
    let bench = Bench::new();
    std::fs::write(bench.path("text"), "no database at all\n".repeat(1000)).unwrap();
    std::fs::write(bench.path("empty"), "").unwrap();
    std::fs::create_dir(bench.path("directory")).unwrap();
    for command in READING.iter().chain(&WRITING) {
        let error = bench.kv(&on(command, "absent")).failed(3);
        assert!(error.contains("absent: there is no such file"), "{command:?}: {error}");
        assert!(!bench.path("absent").exists(), "{command:?}");
        let error = bench.kv(&on(command, "text")).failed(3);
        assert!(error.contains("text: this is no bbolt database"), "{command:?}: {error}");
        let error = bench.kv(&on(command, "directory")).failed(3);
        assert!(error.contains("directory: this is a directory: give the path of a file"), "{command:?}: {error}");
        let error = bench.kv(&on(command, "empty")).failed(3);
        assert!(error.contains("empty: the file is empty: `kv create FILE BUCKET` makes"), "{command:?}: {error}");
        assert!(!bench.path("out").exists(), "{command:?}");
    }
    for command in [&["create", "no/db"][..], &["import", "no/db"]] {
        let error = bench.kv_reading(command, br#"{"bucket":["b"],"sequence":1}"#).failed(3);
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
        assert!(error.contains("look into a file in use with --live"), "{command:?}: {error}");
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
fn a_file_in_use_is_looked_into() {
    let bench = Bench::with("bbolt-inline-hashmap");
    // The list of free pages gets its seal, so that the next writer changes nothing when it opens the file.
    Db::open(bench.path("db")).and_then(Db::close).unwrap();
    let more =
        [&["digest", "FILE"][..], &["dump", "FILE", "3"], &["page", "--all", "FILE"], &["page-item", "FILE", "3", "0"]];
    let reads = READING.iter().filter(|command| command[0] != "surgery").chain(&more);
    let answer = |command: &[&str], live: &[&str]| {
        let answer = bench.kv(&[&on(command, "db"), live].concat());
        let made = bench.path("out").exists().then(|| bench.read("out"));
        let _ = std::fs::remove_file(bench.path("out"));
        (answer.code, answer.out, answer.err, made)
    };
    let reads: Vec<_> = reads.map(|command| (command, answer(command, &[]))).collect();
    let before = bench.read("db");
    let writer = Db::open(bench.path("db")).unwrap();
    for (command, without_a_writer) in reads {
        assert_eq!(answer(command, &["--live", "--lock-timeout", "0"]), without_a_writer, "{command:?}");
    }
    for command in WRITING {
        let error = bench.kv(&[&["--live"], &on(command, "db")[..]].concat()).failed(2);
        assert!(error.contains("--live is for commands that only read a file"), "{command:?}: {error}");
    }
    assert_eq!(bench.read("db"), before, "looking changes nothing");
    drop(writer);
    assert!(bench.kv(&["get", "--live", "absent", "b", "k"]).failed(3).contains("absent: there is no such file"));
}

/// Each answer is of one state, of a writer that does not wait.
#[test]
fn a_file_is_looked_into_while_it_changes() {
    let bench = Bench::new();
    let db = Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let (put, enough) =
        (|n: u32| (0..20u32).map(move |key| (format!("{key:02}"), format!("{n}"))), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                db.update(|tx| {
                    let mut bucket = tx.bucket_mut("b")?;
                    put(n).try_for_each(|(key, value)| bucket.put(key, value))
                })
                .unwrap();
                std::thread::sleep(Duration::from_micros(500));
                if enough.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        std::thread::sleep(Duration::from_millis(50));
        let states: Vec<String> = (0..10)
            .map(|_| {
                let out = bench.kv(&["export", "--live", "db"]).ok();
                let values: Vec<_> = out.lines().filter(|line| line.contains("value")).collect();
                assert_eq!(values.len(), 20, "{out}");
                let of = |line: &str| line.split("\"value\":").nth(1).map(str::to_owned);
                assert!(values.iter().all(|line| of(line) == of(values[0])), "{out}");
                values[0].to_owned()
            })
            .collect();
        assert_ne!(states.first(), states.last(), "the writer has gone on");
        enough.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_is_not_there_is_named() {
    let bench = Bench::new();
    bench.kv(&["create", "db", "b"]).ok();
    bench.kv(&["create", "db", "b", "inner"]).ok();
    bench.kv(&["put", "db", "b", "k", "v"]).ok();
    for (args, said) in [
        (&["get", "db", "nob", "k"][..], "there is no bucket \"nob\": `kv buckets` lists those there are\n"),
        (&["get", "db", "b", "no", "k"], "there is no bucket \"no\" in \"b\": `kv buckets` lists those there are\n"),
        (&["export", "db", "nob"], "there is no bucket \"nob\": `kv buckets` lists those there are\n"),
        (&["get", "db", "b", "nok"], "there is no key \"nok\" in bucket \"b\": `kv keys` lists those there are\n"),
        (&["get", "db", "b", "inner"], "\"inner\" is a bucket, not a key: `kv keys` lists what is in it\n"),
        (&["keys", "db", "b", "k"], "\"k\" is a key, not a bucket: `kv get` prints its value\n"),
        (
            &["put", "db", "nob", "k", "v"],
            "there is no bucket \"nob\": `kv buckets` lists those there are, `kv create` makes one\n",
        ),
        (&["put", "db", "b", "inner", "v"], "\"inner\" is a bucket, not a key"),
        (&["create", "db", "b"], "the bucket exists already"),
        (&["del", "db", "b", "inner"], "\"inner\" is a bucket, not a key: --bucket deletes it\n"),
    ] {
        let error = bench.kv(args).failed(1);
        assert!(error.contains("kv: db: ") && error.contains(said), "{args:?}: {error}");
    }
    for args in [
        &["get", "--parse-format", "hex", "db", "b", "xyz"][..],
        &["put", "db", "b", "", "v"],
        &["create", "db", ""],
        &["put", "db", "b", "k"],
        &["get", "db", "b"],
        &["compact", "-o", "-", "db"],
        &["dump", "db", "99999999"],
        &["page", "db", "18446744073709551615"],
    ] {
        assert!(bench.kv(args).failed(2).contains("kv: db: "), "{args:?}");
    }
    assert!(bench.kv(&["del", "db", "b"]).failed(2).contains("--bucket deletes a bucket"));
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

#[test]
fn what_the_system_refuses_comes_with_a_remedy() {
    let bench = Bench::with("bbolt-inline-hashmap");
    for (args, said) in [
        (&["map", "--svg", "no/a.svg", "db"][..], "no/a.svg: there is no such directory: check the path, or make it"),
        (&["digest", "-o", "no/side", "db"], "no/side: there is no such directory: check the path, or make it"),
        (&["compact", "-o", "no/copy", "db"], "no/copy: there is no such directory: check the path, or make it"),
        (&["backup", "-o", "no/copy", "db"], "no/copy: there is no such directory: check the path, or make it"),
        (&["put", "--value-from", "nofile", "db", "b", "k"], "cannot read nofile: "),
        (&["import", "db", "nofile"], "cannot read nofile: "),
        (&["verify", "--digest", "nofile", "db"], "cannot read nofile: "),
    ] {
        let error = bench.kv(args).failed(3);
        assert!(error.contains(said) && error.contains("check the path"), "{args:?}: {error}");
    }
}

#[test]
fn arguments_are_called_as_they_are_written() {
    let bench = Bench::with("bbolt-inline-hashmap");
    let clear = ["surgery", "clear-page-elements", "--pageId", "2", "--output", "out", "db"];
    for (args, said) in [
        (&["create", "--page-size", "1000", "new"][..], "new: --page-size cannot be 1000: a power of two"),
        (&["dump", "--page-size", "1000", "db", "0"], "db: --page-size cannot be 1000: a power of two"),
    ] {
        let error = bench.kv(args).failed(2);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    let leaf = bench.kv(&["pages", "db"]).ok();
    let leaf = leaf.lines().find(|line| line.contains(" leaf ")).unwrap().split(' ').next().unwrap();
    for (from, to, said) in
        [("0", "60000", "--to-index cannot be 60000"), ("60000", "-1", "--from-index cannot be 60000")]
    {
        let mut args = [&clear[..], &["--from-index", from, "--to-index", to]].concat();
        args[3] = leaf;
        let error = bench.kv(&args).failed(2);
        assert!(error.contains(said), "{error}");
    }
    for share in ["7", "0.05", "NaN", "half"] {
        let answer = bench.kv(&["bench", "--fill-percent", share]);
        assert!(answer.code == 2 && answer.err.contains("0.1 to 1.0"), "{share}: {}", answer.err);
    }
}

/// Runs the tool with a limit of 8 KiB on the size of files, which acts like a full disk. Beyond it, the signal
/// `SIGXFSZ` ends a process that does not handle it.
#[cfg(unix)]
fn limited(bench: &Bench, command: &[&str]) -> std::process::Output {
    let tool = bench.command(command);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -f 16; exec \"$@\"", "sh"]).arg(tool.get_program()).args(tool.get_args());
    shell.current_dir(bench.path(".")).output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_copy_that_does_not_fit_is_named_and_not_its_source() {
    let bench = Bench::with("etcd34-small-array");
    for command in [
        &["compact", "-o", "copy", "db"][..],
        &["backup", "-o", "copy", "db"],
        &["surgery", "freelist", "abandon", "--output", "copy", "db"],
    ] {
        let output = limited(&bench, command);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{command:?}: {error}");
        assert!(error.starts_with("kv: copy was not made: File too large"), "{command:?}: {error}");
        assert!(error.contains("; raise the limit on file size") && error.lines().count() == 1, "{command:?}: {error}");
        assert_eq!(std::fs::read_dir(bench.path(".")).unwrap().count(), 1, "{command:?}: nothing is left behind");
    }
}

#[cfg(unix)]
#[test]
fn a_change_that_does_not_fit_is_not_made() {
    let bench = Bench::new();
    bench.kv(&["create", "--page-size", "1024", "db", "b"]).ok();
    let before = bench.kv(&["export", "db"]).ok();
    std::fs::write(bench.path("value"), vec![7; 100_000]).unwrap();
    let output = limited(&bench, &["put", "--value-from", "value", "db", "b", "k"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{}: {error}", output.status);
    assert!(error.starts_with("kv: db: not committed, the database is unchanged: cannot "), "{error}");
    assert!(error.contains("; raise the limit on file size") && error.lines().count() == 1, "{error}");
    assert_eq!(bench.kv(&["export", "db"]).ok(), before);
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
}

/// Opening a FIFO waits for somebody to write into it, which no lock timeout ends.
#[cfg(unix)]
#[test]
fn a_fifo_is_refused_at_once() {
    let bench = Bench::new();
    assert!(std::process::Command::new("mkfifo").arg(bench.path("fifo")).status().unwrap().success());
    for command in READING.iter().chain(&WRITING) {
        let error = bench.kv(&on(command, "fifo")).failed(3);
        assert!(error.contains("fifo: cannot open it: not a regular file; copy its content"), "{command:?}: {error}");
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
    assert!(error.contains("; free some space, or write to another disk"), "{error}");
}
