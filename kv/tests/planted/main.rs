//! The crash suite catches what it is there to catch: each of the patches beside this file plants one bug, and the
//! suite has to fail with it, within a minute.
//!
//! A scratch copy of the workspace is patched, compiled and tested, one patch after the other; the copy and what is
//! compiled of it stay below the target directory, so that the next time goes faster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the suite may take to notice.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("kv lies in the workspace")
}

/// The patches, in order.
fn patches() -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join("kv/tests/planted")).unwrap();
    let mut patches: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    patches
}

/// Copies files that differ, and removes those that are gone; what is the same keeps its time, so that it is not
/// compiled again.
fn copy_tree(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(to).unwrap().map(Result::unwrap) {
            if !from.join(entry.file_name()).exists() {
                let removed = if entry.path().is_dir() {
                    fs::remove_dir_all(entry.path())
                } else {
                    fs::remove_file(entry.path())
                };
                removed.unwrap();
            }
        }
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            copy_tree(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        let bytes = fs::read(from).unwrap();
        if fs::read(to).ok().as_ref() != Some(&bytes) {
            fs::write(to, bytes).unwrap();
        }
    }
}

/// A copy of the workspace.
struct Scratch(PathBuf);

impl Scratch {
    /// The sources as they are now.
    fn fresh() -> Scratch {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
        fs::create_dir_all(&scratch).unwrap();
        for name in ["Cargo.toml", "Cargo.lock", "README.md", "freelist-core", "pagefile-std", "kv", "benches"] {
            copy_tree(&workspace().join(name), &scratch.join(name));
        }
        Scratch(scratch)
    }

    fn patch(&self, patch: &Path) {
        let input = Stdio::from(fs::File::open(patch).unwrap());
        let output = Command::new("patch")
            .args(["--strip=1", "--no-backup-if-mismatch"])
            .current_dir(&self.0)
            .stdin(input)
            .output()
            .expect("the program `patch` is installed");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} does not fit the sources any more: make it anew\n{said}", patch.display());
    }

    fn suite(&self) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["test", "--offline", "-p", "kv", "--test", "crash"])
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env("RUST_BACKTRACE", "0")
            .env_remove("KV_BUDGET")
            .env_remove("KV_STATES")
            .env_remove("KV_SEED");
        command
    }

    /// Compiles the suite, then runs it: the tests that fail, and how long it took.
    fn run(&self) -> (Vec<String>, Duration) {
        let compiled = self.suite().arg("--no-run").output().unwrap();
        assert!(compiled.status.success(), "it does not compile:\n{}", String::from_utf8_lossy(&compiled.stderr));
        let log = self.0.join("log");
        let began = Instant::now();
        let child = self.suite().stdout(fs::File::create(&log).unwrap()).stderr(Stdio::null()).spawn().unwrap();
        let ended = wait(child, began);
        let text = fs::read_to_string(&log).unwrap();
        let failed = |line: &str| line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned);
        let failed: Vec<String> = text.lines().filter_map(failed).collect();
        let done = text.contains("test result: ");
        assert!(done || !ended, "the suite ended without a result:\n{text}");
        (failed, began.elapsed())
    }
}

/// Waits for the suite, not longer than it may take; says whether it has ended.
fn wait(mut child: Child, began: Instant) -> bool {
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > NOTICED_WITHIN {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

#[test]
#[ignore = "compiles the workspace once for each bug, some minutes: `cargo planted-bugs`"]
fn the_crash_suite_catches_every_planted_bug() {
    let control = Scratch::fresh().run();
    assert_eq!(control.0, [""; 0], "the suite passes without a bug");
    println!("without a bug: passes, {:.1} seconds", control.1.as_secs_f64());
    let patches = patches();
    let mut missed = Vec::new();
    for patch in &patches {
        let scratch = Scratch::fresh();
        scratch.patch(patch);
        let (failed, took) = scratch.run();
        let name = patch.file_stem().expect("a patch has a name").to_string_lossy().into_owned();
        println!("{name}: caught by {} tests, {:.1} seconds: {}", failed.len(), took.as_secs_f64(), failed.join(", "));
        if failed.is_empty() {
            missed.push(name);
        }
    }
    println!("planted bugs: {} of {} caught", patches.len() - missed.len(), patches.len());
    assert!(missed.is_empty() && patches.len() >= 12, "not caught: {missed:?}");
}

/// What the long test does to its copy works: every patch fits the sources of now.
#[test]
fn every_patch_fits() {
    if Command::new("patch").arg("--version").output().is_err() {
        eprintln!("skipped: the program `patch` is not installed");
        return;
    }
    for patch in patches() {
        let input = Stdio::from(fs::File::open(&patch).unwrap());
        let mut command = Command::new("patch");
        command.args(["--strip=1", "--dry-run", "--force"]).current_dir(workspace()).stdin(input);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} does not fit, make it anew:\n{said}", patch.display());
    }
}
