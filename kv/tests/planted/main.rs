//! The crash suite catches what it is there to catch: each of the patches beside this file plants one bug, and the
//! suite has to fail with it. Some bugs do no harm that a test could see; their patches say "Only an
//! assertion tells.", and there an assertion of the product has to fail. What the suite does not do has tests of its own: where
//! the patch says "The soak tells.", for example, that test has to fail in place of the suite.
//!
//! A scratch copy of the workspace is patched, compiled and tested, one patch after the other; the copy and what is
//! compiled of it stay below the target directory, so that the next time goes faster. `KV_PLANTED=2/24` takes only the
//! second, twenty-sixth, fiftieth patch, and so on: for a push, which does a part of them, others each day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kv_testkit::found::found;

/// How long the suite may take to notice, or to end by itself. It needs seconds, as the figures say; the rest is for a busy
/// machine, and for a bug that keeps the suite from ending.
const NOTICED_WITHIN: Duration = Duration::from_secs(300);

/// What the first line of a patch says if its bug does no harm that a test could see.
const ASSERTION_ONLY: &str = "Only an assertion tells.";

/// Tests that have to notice a bug: a test program, and which of its tests.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Suite {
    /// How the first line of a patch ends that is theirs.
    words: &'static str,
    package: &'static str,
    program: &'static str,
    tests: &'static str,
}

impl Suite {
    const fn of_kv(words: &'static str, program: &'static str, tests: &'static str) -> Self {
        Self { words, package: "kv-bbolt", program, tests }
    }

    /// Where its programs run.
    fn directory(self) -> &'static str {
        if self.package == "kv-etcd" { "kv/etcd" } else { "kv" }
    }
}

const CRASH: Suite = Suite::of_kv("", "crash", "");

const OTHERS: [Suite; 7] = [
    Suite::of_kv("The soak tells.", "faults", "soak::nothing_is_lost"),
    Suite::of_kv("The listeners tell.", "promises", "changes::"),
    Suite::of_kv("The shared writes tell.", "promises", "shared_writes::"),
    Suite::of_kv("The readers beside checkpoints tell.", "promises", "beside::"),
    Suite::of_kv("The restores tell.", "promises", "restore::"),
    Suite::of_kv("The looks tell.", "compat", "live::a_look_beside_this_library"),
    Suite { words: "The tests of etcd's layer tell.", package: "kv-etcd", program: "mvcc", tests: "" },
];

/// The one that has to notice the bug of a patch.
fn suite(patch: &Path) -> Suite {
    OTHERS.into_iter().find(|suite| head_ends_with(patch, suite.words)).unwrap_or(CRASH)
}

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

/// Those of `patches` that `KV_PLANTED` asks for: `2/24` for the second of 24 parts; all of them without it.
fn chosen(patches: Vec<PathBuf>) -> Vec<PathBuf> {
    let Ok(asked) = std::env::var("KV_PLANTED") else { return patches };
    let (part, parts) = asked.split_once('/').expect("KV_PLANTED is PART/PARTS");
    let [part, parts] = [part, parts].map(|number| number.parse::<usize>().expect("KV_PLANTED is PART/PARTS"));
    assert!((1..=parts).contains(&part), "KV_PLANTED={asked}: there is no such part");
    let chosen: Vec<PathBuf> = patches.into_iter().skip(part - 1).step_by(parts).collect();
    assert!(!chosen.is_empty(), "KV_PLANTED={asked}: there are fewer patches than parts");
    chosen
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
        // What crates outside of the workspace compile is below themselves.
        let compiled = |entry: &fs::DirEntry| entry.file_name() == "target";
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| !compiled(entry)) {
            copy_tree(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        let bytes = fs::read(from).unwrap();
        if fs::read(to).ok().as_ref() != Some(&bytes) {
            fs::write(to, bytes).unwrap();
        }
    }
}

/// Whether the first line of a patch says so.
fn head_ends_with(patch: &Path, words: &str) -> bool {
    let text = fs::read_to_string(patch).unwrap();
    text.lines().next().is_some_and(|head| head.ends_with(words))
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
            .expect("patch was found");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} does not fit the sources any more: make it anew\n{said}", patch.display());
    }

    /// The suite's program, compiled.
    fn compile(&self, suite: Suite, what: &str) -> PathBuf {
        let compiled = Command::new(env!("CARGO"))
            .args(["test", "--offline", "-p", suite.package, "--test", suite.program, "--no-run"])
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env("CARGO_TERM_COLOR", "never")
            // Compiled for each bug, run for seconds.
            .envs([("CARGO_INCREMENTAL", "1"), ("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_TEST_DEBUG", "0")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{what} does not compile:\n{said}");
        // Its last line: `Executable tests/NAME/main.rs (PATH)`.
        let path = said.trim_end().rsplit_once('(').and_then(|(_, path)| path.strip_suffix(')'));
        self.0.join(path.unwrap_or_else(|| panic!("cargo names no program:\n{said}")))
    }

    /// Compiles the suite with `what`, then runs it until a test has failed: which one, if any, and how long it took.
    fn run(&self, suite: Suite, what: &str) -> (Option<String>, Duration) {
        let (program, log) = (self.compile(suite, what), self.0.join("log"));
        let began = Instant::now();
        // Panics are printed as they happen. More threads than one, so that a test's name and result share a line.
        let mut running = Command::new(program)
            .args([suite.tests, "--nocapture", "--test-threads=2"])
            .current_dir(self.0.join(suite.directory()))
            .env("RUST_BACKTRACE", "0")
            .env_remove("KV_BUDGET")
            .env_remove("KV_SOAK_MINUTES")
            .env_remove("KV_STATES")
            .env_remove("KV_SEED")
            .stdout(fs::File::create(&log).unwrap())
            .stderr(fs::File::create(self.errors()).unwrap())
            .spawn()
            .unwrap();
        loop {
            let ended = running.try_wait().unwrap().is_some();
            let text = fs::read_to_string(&log).unwrap();
            let failed = |line: &str| line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned);
            // What another test prints can come between a name and its result.
            let unnamed = || text.contains("test result: FAILED").then(|| "some test".to_owned());
            let failed = text.lines().find_map(failed).or_else(unnamed);
            if ended || failed.is_some() || began.elapsed() > NOTICED_WITHIN {
                assert!(!ended || text.contains("test result: "), "the suite ended without a result:\n{text}");
                // It may have ended by itself at this moment.
                let _ = running.kill();
                running.wait().unwrap();
                return (failed, began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where the last run of the suite printed its panics.
    fn errors(&self) -> PathBuf {
        self.0.join("errors")
    }

    /// The assertion of the product that failed in the last run, if any, as `PATH:LINE`.
    fn failed_assertion(&self) -> Option<String> {
        let errors = fs::read_to_string(self.errors()).unwrap();
        let mut places = errors.lines().filter_map(|line| line.split_once("panicked at ")).map(|(_, place)| place);
        places.find_map(|place| self.assertion_at(place))
    }

    /// `place`, which is `PATH:LINE:COLUMN:`, if an assertion of the product begins there.
    fn assertion_at(&self, place: &str) -> Option<String> {
        let (path, rest) = place.split_once(':')?;
        let rooms = ["kv/src/", "pagefile-std/src/", "freelist-core/src/", "kv/etcd/src/"];
        let line: usize = rest.split(':').next()?.parse().ok()?;
        if !rooms.iter().any(|room| path.starts_with(room)) {
            return None;
        }
        let source = fs::read_to_string(self.0.join(path)).ok()?;
        let statement = source.lines().nth(line.checked_sub(1)?)?.trim_start();
        let asserts = statement.starts_with("assert") || statement.starts_with("debug_assert");
        asserts.then(|| format!("{path}:{line}"))
    }
}

#[test]
#[ignore = "compiles the workspace once for each bug, some minutes: `cargo planted-bugs`"]
fn the_suites_catch_every_planted_bug() {
    if !found("patch", "patch") {
        return;
    }
    let began = Instant::now();
    let patches = chosen(patches());
    let suites: Vec<Suite> = patches.iter().map(|patch| suite(patch)).collect();
    for suite in [CRASH].into_iter().chain(OTHERS).filter(|suite| suites.contains(suite)) {
        let (failed, took) = Scratch::fresh().run(suite, "the workspace");
        assert_eq!(failed, None, "{suite:?} passes without a bug");
        println!("without a bug: {} {} passes, {:.1} seconds", suite.program, suite.tests, took.as_secs_f64());
    }
    let (mut missed, mut slowest) = (Vec::new(), Duration::ZERO);
    for patch in &patches {
        let scratch = Scratch::fresh();
        scratch.patch(patch);
        let name = patch.file_stem().expect("a patch has a name").to_string_lossy().into_owned();
        let (failed, took) = scratch.run(suite(patch), &name);
        let assertion = scratch.failed_assertion();
        match failed {
            Some(_) if head_ends_with(patch, ASSERTION_ONLY) && assertion.is_none() => {
                missed.push(format!("{name} (by an assertion)"));
            }
            Some(test) => {
                let assertion = assertion.map(|place| format!(", the assertion at {place}")).unwrap_or_default();
                println!("{name}: caught by {test}{assertion}, {:.1} seconds", took.as_secs_f64());
            }
            None => missed.push(name),
        }
        slowest = slowest.max(took);
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = patches.len() as f64 / began.elapsed().as_secs_f64();
    println!(
        "planted bugs caught: {}, 0 wrong; the slowest after {:.1} s, {rate:.0}/s, seed 1, {:.1} seconds, budget short",
        patches.len(),
        slowest.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
}

/// What the long test does to its copy works: every patch fits the sources of now.
#[test]
fn every_patch_fits() {
    let patches = patches();
    assert!(patches.len() >= 30, "all of the planted bugs are there");
    if !found("patch", "patch") {
        return;
    }
    for patch in patches {
        let input = Stdio::from(fs::File::open(&patch).unwrap());
        let mut command = Command::new("patch");
        command.args(["--strip=1", "--dry-run", "--force"]).current_dir(workspace()).stdin(input);
        let output = command.output().expect("patch was found");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} does not fit, make it anew:\n{said}", patch.display());
    }
}
