//! Each program runs, and finds what it says.

#[macro_use]
extern crate kv_testkit;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The programs, and a line that each prints.
const PROGRAMS: [(&str, &str, &str); 6] = [
    ("backup_while_writing", env!("CARGO_BIN_EXE_backup_while_writing"), "transfers before and during the backup"),
    ("concurrent_batch", env!("CARGO_BIN_EXE_concurrent_batch"), "800 durable changes in "),
    ("counters", env!("CARGO_BIN_EXE_counters"), "order 3: nine cups"),
    ("hello", env!("CARGO_BIN_EXE_hello"), "hello, world"),
    ("nested_buckets", env!("CARGO_BIN_EXE_nested_buckets"), "leaf_pages: 2,"),
    ("quickstart", env!("CARGO_BIN_EXE_quickstart"), "us  katherine  1918"),
];

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_program_runs() {
    for (name, program, line) in PROGRAMS {
        let printed = run(program, &[]);
        assert!(printed.contains(line), "{name} prints\n{printed}");
    }
}

#[test]
fn no_program_is_left_out() {
    let files = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let names: BTreeSet<String> = sources.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    // `lib.rs` has the programs of README, which are run as its documentation.
    let programs = PROGRAMS.map(|(name, ..)| name).into_iter().chain(["lib"]);
    assert_eq!(names, programs.map(str::to_owned).collect());
}

#[test]
fn the_quickstart_lists_a_file_of_etcd() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/etcd34-small-map.db");
    let printed = run(env!("CARGO_BIN_EXE_quickstart"), &[file.to_str().unwrap()]);
    assert!(printed.contains("  cluster: 1 key\n"), "{printed}");
}
