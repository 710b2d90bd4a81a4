//! The three programs as their users run them, each written four times: they print the same. And how long they are.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, thread};

/// The programs of one application: with tables, with buckets of bytes alone, with redb, with heed.
type Four = [&'static str; 4];

const NOTES: Four = [
    env!("CARGO_BIN_EXE_notes"),
    env!("CARGO_BIN_EXE_notes-buckets"),
    env!("CARGO_BIN_EXE_notes-redb"),
    env!("CARGO_BIN_EXE_notes-heed"),
];
const JOBS: Four = [
    env!("CARGO_BIN_EXE_jobs"),
    env!("CARGO_BIN_EXE_jobs-buckets"),
    env!("CARGO_BIN_EXE_jobs-redb"),
    env!("CARGO_BIN_EXE_jobs-heed"),
];
const SERIES: Four = [
    env!("CARGO_BIN_EXE_series"),
    env!("CARGO_BIN_EXE_series-buckets"),
    env!("CARGO_BIN_EXE_series-redb"),
    env!("CARGO_BIN_EXE_series-heed"),
];

fn start(program: &str, file: &Path, arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new(program);
    command.arg(file).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs a program on a file, and returns what it printed.
fn run(program: &str, file: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = start(program, file, arguments);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs all four with the same arguments, each on its own file in a directory: what they all printed.
fn all(four: Four, directory: &Path, arguments: &[&str], input: &str) -> String {
    let printed: Vec<String> = (0..)
        .zip(four)
        .map(|(n, program)| run(program, &directory.join(format!("file{n}")), arguments, input))
        .collect();
    for (program, other) in four.iter().zip(&printed) {
        assert_eq!(*other, printed[0], "{program} {arguments:?}");
    }
    printed.into_iter().next().unwrap()
}

/// Numbers that look random, below `below`.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[test]
fn notes_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let notes = |arguments: &[&str]| all(NOTES, directory.path(), arguments, "");
    let mut random = Random(7);
    let words = ["plum", "Plum", "plums", "pear", "pe", "cake", "fig"];
    for step in 0..60 {
        let (id, step) = ((1 + random.below(5)).to_string(), step.to_string());
        let [one, two] = [(); 2].map(|()| words[usize::try_from(random.below(7)).unwrap()]);
        match random.below(4) {
            0 => drop(notes(&["add", one, two, one, &step])),
            1 => drop(notes(&["edit", &id, two, &step])),
            2 => drop(notes(&["remove", &id])),
            _ => drop(notes(&["undo"])),
        }
        notes(&["list"]);
        notes(&["find", "pl", "p"]);
        notes(&["find", two]);
    }
    while notes(&["undo"]) != "nothing to take back\n" {}
    assert_eq!(notes(&["list"]), "");
}

#[test]
fn series_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let series = |arguments: &[&str], input: &str| all(SERIES, directory.path(), arguments, input);
    let (mut random, noon) = (Random(3), 1_700_006_400);
    let mut input = String::new();
    for name in ["attic", "hall"] {
        for step in 0..3000 {
            let (second, half) = (noon - 2 * 86_400 + step * 57 + random.below(50), random.below(200));
            writeln!(input, "{name} {second} {}.{}", half / 2, half % 2 * 5).unwrap();
        }
    }
    series(&["record"], &input);
    assert_eq!(series(&["names"], ""), "attic\nhall\n");
    let show = || {
        for back in [3600, 3601, 86_400, 86_401, 2 * 86_400] {
            let (from, until) = ((noon - back).to_string(), noon.to_string());
            assert!(series(&["show", "hall", &from, &until], "").lines().count() > 20, "{back}");
        }
    };
    show();
    assert_ne!(series(&["expire", &noon.to_string()], ""), "0 rows deleted\n");
    show();
    assert_eq!(series(&["expire", &noon.to_string()], ""), "0 rows deleted\n");
}

#[test]
fn jobs_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let jobs = |arguments: &[&str]| all(JOBS, directory.path(), arguments, "");
    jobs(&["fail", "3"]);
    jobs(&["add", "200"]);
    assert_eq!(jobs(&["status"]), "203 waiting, 0 done, 0 given up\n");
    // Killed with jobs in work.
    for (n, program) in (0..).zip(JOBS) {
        let mut child = start(program, &directory.path().join(format!("file{n}")), &["work", "4"]);
        thread::sleep(std::time::Duration::from_millis(60));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for (n, program) in (0..).zip(JOBS) {
        run(program, &directory.path().join(format!("file{n}")), &["work", "4"], "");
    }
    assert_eq!(jobs(&["status"]), "0 waiting, 200 done, 3 given up\n");
    assert_eq!(jobs(&["results"]).lines().count(), 200);
    jobs(&["add", "1"]);
    for (n, program) in (0..).zip(JOBS) {
        let done = run(program, &directory.path().join(format!("file{n}")), &["work", "1"], "");
        assert_eq!(done, "done 204\n", "{program}: numbers are not given twice");
    }
}

/// As `grep -cvE '^\s*(//|$)' FILE` counts them.
fn lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// The table in FEATURES.md is true.
#[test]
fn lines_are_counted() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let features = fs::read_to_string(here.join("../../docs/FEATURES.md")).unwrap();
    for program in ["notes", "jobs", "series"] {
        let counts =
            ["../apps", "buckets", "redb", "heed"].map(|by| lines(&here.join(by).join(program).with_extension("rs")));
        let [tables, buckets, redb, heed] = counts;
        let row = format!("| [{program}](../examples/apps/{program}.rs) | {tables} | {buckets} | {redb} | {heed} |");
        assert!(features.contains(&row), "FEATURES.md has no row {row}");
    }
}
