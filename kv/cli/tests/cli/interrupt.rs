//! Ctrl-C: nothing half done is left.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kv::Db;

use crate::tool::Bench;

/// How long anything may take until it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

fn files(bench: &Bench) -> Vec<String> {
    let entries = std::fs::read_dir(bench.path(".")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Interrupts the command when it has begun a file; nothing but `before` may be there then.
fn interrupt(bench: &Bench, args: &[&str], signal: &str) {
    let before = files(bench);
    let mut child: Child = bench.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("it begins", || files(bench) != before);
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    until("it ends", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{args:?} {signal}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.ends_with("kv: interrupted\n"), "{args:?}: {error}");
    assert_eq!(files(bench), before, "{args:?} {signal}");
}

#[test]
fn what_was_begun_is_removed() {
    let bench = Bench::new();
    let db = Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..50_000u32).try_for_each(|n| bucket.put(n.to_string(), vec![1; 200]))
    })
    .unwrap();
    db.close().unwrap();
    for signal in ["-INT", "-TERM"] {
        // A transaction for each key, so that there is time.
        interrupt(&bench, &["compact", "--tx-max-size", "1", "-o", "copy", "db"], signal);
        // This command prints a line right after it has begun its file: it must not come after the last word.
        for _ in 0..10 {
            interrupt(&bench, &["bench", "--no-sync", "--path", "measured"], signal);
        }
    }
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
}
