//! Programs in C, compiled against the header and both forms of the library, and run; also under valgrind where it is
//! installed.

#[macro_use]
extern crate kv_testkit;

use std::path::{Path, PathBuf};
use std::process::Command;

use kv_testkit::found::found;

/// What the static library needs of the system.
const SYSTEM: [&str; 4] = ["-lpthread", "-ldl", "-lm", "-lgcc_s"];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Builds the library as this test was, and returns the files that end so.
fn library(ending: &str) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--lib", "--profile", "test", "--message-format=json", "--quiet", "--manifest-path"]);
    let messages = succeed(build.arg(package().join("Cargo.toml")));
    let ours = messages.lines().rfind(|line| line.contains("\"name\":\"kv_c\"")).expect("the library is built");
    let file = ours.split('"').find(|part| part.ends_with(ending)).unwrap_or_else(|| panic!("no {ending} in {ours}"));
    PathBuf::from(file)
}

/// A program of `tests/programs` or `examples`, linked with one form of the library.
struct Program {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Program {
    fn new(source: &str, ending: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (library, program) = (library(ending), directory.path().join("program"));
        let mut compile = Command::new("cc");
        compile.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-I"]);
        compile.arg(package().join("include")).arg("-o").arg(&program).arg(package().join(source)).arg(&library);
        let home = library.parent().expect("a library lies in a directory");
        succeed(compile.arg(format!("-Wl,-rpath,{}", home.display())).args(SYSTEM));
        Self { directory, program }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("c.db")
    }

    fn run(&self) -> String {
        succeed(Command::new(&self.program).arg(self.file()))
    }
}

#[test]
#[cfg(target_os = "linux")]
fn every_function_keeps_its_word() {
    if !found("cc", "gcc libc6-dev") {
        return;
    }
    for ending in [".a", ".so"] {
        let program = Program::new("tests/programs/border.c", ending);
        assert_eq!(program.run(), "border: passed\n", "{ending}");
        let db = kv::Db::open(program.file()).unwrap();
        let snapshot = db.begin_read();
        assert_eq!(snapshot.check().unwrap(), []);
        let left: Vec<_> = snapshot.bucket("numbers").unwrap().iter().map(|pair| pair.unwrap().0.to_vec()).collect();
        assert_eq!(left, [b"n000", b"n001", b"n002"], "what C has committed is there for Rust");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_byte_of_memory_is_lost_or_wrong() {
    if !found("cc", "gcc libc6-dev") || !found("valgrind", "valgrind libc6-dbg") {
        return;
    }
    let program = Program::new("tests/programs/border.c", ".a");
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect",
        "--errors-for-leak-kinds=definite,indirect",
    ]);
    assert_eq!(succeed(valgrind.arg(&program.program).arg(program.file())), "border: passed\n");
}

#[test]
#[cfg(target_os = "linux")]
fn the_example_runs() {
    if !found("cc", "gcc libc6-dev") {
        return;
    }
    let program = Program::new("examples/inventory.c", ".so");
    assert_eq!(program.run(), "apple: 12\ncherry: 250\nplum: 40\n3 kinds of fruit\n");
}

/// C++ compilers read the header, too.
#[test]
#[cfg(target_os = "linux")]
fn the_header_is_cpp() {
    if !found("c++", "g++") {
        return;
    }
    let mut check = Command::new("c++");
    check.args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++"]);
    succeed(check.arg(package().join("include/kv.h")));
}
