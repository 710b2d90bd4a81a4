//! The programs as their users run them: commands, one after the other, on one file.

#[macro_use]
extern crate kv_testkit;

mod jobs;
mod notes;
mod series;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program on a file, and returns what it printed.
fn run(program: &str, file: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.arg(file).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
