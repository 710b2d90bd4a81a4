//! Runs the built tool in a separate directory.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use kv_testkit::FIXTURES;

/// No command on these small files takes longer; one that hangs is killed.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

/// What a run answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Answer {
    /// Standard output of a run that succeeded and had nothing to complain of.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        String::from_utf8(self.out).unwrap()
    }

    /// Standard error of a run that failed with `code`: one line.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{} {}", String::from_utf8_lossy(&self.out), self.err);
        assert_eq!(self.err.lines().count(), 1, "one line: {}", self.err);
        assert!(self.err.starts_with("kv: "), "{}", self.err);
        self.err
    }
}

/// A directory to run the tool in.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a copy of a fixture, as `db`.
    pub(crate) fn with(name: &str) -> Self {
        let bench = Self::new();
        std::fs::write(bench.path("db"), std::fs::read(fixture(&format!("{name}.db"))).unwrap()).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names of all files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn kv(&self, args: &[&str]) -> Answer {
        self.kv_reading(args, &[])
    }

    /// Runs the tool with `input` as its standard input.
    pub(crate) fn kv_reading(&self, args: &[&str], input: &[u8]) -> Answer {
        let piped = Stdio::piped;
        let mut child = self.command(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        // A tool that fails early does not read all of it.
        let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
        let (out, err) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > LIMIT {
                child.kill().unwrap();
                panic!("kv {args:?} still runs after {LIMIT:?}");
            }
            thread::sleep(Duration::from_millis(1));
        };
        feeder.join().unwrap();
        let code = status.code().unwrap_or_else(|| panic!("kv {args:?} was killed: {status}"));
        let err = String::from_utf8(err.join().unwrap()).unwrap();
        assert!(code != 101 && !err.contains("panicked"), "kv {args:?}: {err}");
        Answer { code, out: out.join().unwrap(), err }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kv"));
        command.args(args).current_dir(self.0.path()).env("NO_COLOR", "1");
        command
    }
}

fn drain(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}
