//! Ctrl-C: nothing half done is left.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kv::Db;
#[cfg(target_os = "linux")]
use kv_testkit::found::found;

use crate::tool::Bench;

/// How long anything may take until it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the process has a file open that has no name (yet).
fn has_nameless_file(process: u32) -> bool {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|path| path.to_str().is_some_and(|path| path.contains("/#") && path.ends_with(" (deleted)")))
}

/// Interrupts the command when it has begun a file; it must remove the file and print nothing more.
fn interrupt(bench: &Bench, mut command: Command, signal: &str) {
    let before = bench.files();
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("it begins", || bench.files() != before || has_nameless_file(child.id()));
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    until("it ends", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{command:?} {signal}");
    let error = String::from_utf8(output.stderr).unwrap();
    // strace has something to say of its own pauses.
    let last = error.lines().rfind(|line| !line.starts_with("strace: "));
    assert_eq!(last, Some("kv: interrupted"), "{command:?}: {error}");
    assert_eq!(bench.files(), before, "{command:?} {signal}");
}

/// A file that takes a while to be compacted with a transaction for each key.
fn fill(bench: &Bench) {
    let db = Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..50_000u32).try_for_each(|n| bucket.put(n.to_string(), vec![1; 200]))
    })
    .unwrap();
    db.close().unwrap();
}

#[test]
fn what_was_begun_is_removed() {
    let bench = Bench::new();
    fill(&bench);
    for signal in ["-INT", "-TERM"] {
        interrupt(&bench, bench.command(&["compact", "--tx-max-size", "1", "-o", "copy", "db"]), signal);
        interrupt(&bench, bench.command(&["bench", "--no-sync", "--path", "measured"]), signal);
    }
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
}

/// The handler prints its line and ends the process; the command's own thread runs until the process is gone. A slow
/// exit gives that thread half a second to print something: `bench` has a line to print by then.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_printed_after_the_last_word() {
    if !can_slow() {
        return;
    }
    let bench = Bench::new();
    let tool = bench.command(&["bench", "--no-sync", "--path", "measured"]);
    let slow_exit = ["-e", "trace=exit_group", "-e", "inject=exit_group:delay_enter=500000"];
    interrupt(&bench, slowed(&bench, &tool, &slow_exit), "-INT");
}

/// Whether strace can make a system call of the command slow.
#[cfg(target_os = "linux")]
fn can_slow() -> bool {
    let emulated = std::env::var_os("PAGEFILE_KERNEL").is_some_and(|value| value == "skip");
    !emulated && found("strace", "strace")
}

/// `tool` as strace runs it with these arguments.
#[cfg(target_os = "linux")]
fn slowed(bench: &Bench, tool: &Command, how: &[&str]) -> Command {
    let mut command = Command::new("strace");
    // `-D` makes the command, not strace, the child that gets the signal.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null"]).args(how).arg(tool.get_program()).args(tool.get_args());
    command.current_dir(bench.path("."));
    command
}

/// The handler is there before the file: a pause behind the call that makes it changes nothing.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_is_heard_as_soon_as_there_is_a_file() {
    if !can_slow() {
        return;
    }
    let bench = Bench::new();
    fill(&bench);
    let copy = bench.path("copy");
    let directory = copy.parent().unwrap().to_str().unwrap();
    let tool = bench.command(&["compact", "--tx-max-size", "1", "-o", copy.to_str().unwrap(), "db"]);
    let slow_open = ["-P", directory, "-e", "trace=openat", "-e", "inject=openat:delay_exit=300000"];
    interrupt(&bench, slowed(&bench, &tool, &slow_open), "-TERM");
}
