//! What the compiler must refuse: each program in `compile_fail/` has exactly the errors that its lines are marked
//! with (`//~ E0505`), and is accepted without those lines.
//!
//! Only the errors' codes and lines are compared, which stay the same from compiler to compiler; their words do not.

#[macro_use]
extern crate kv_testkit;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds what a program needs to be checked against the library, and returns the library's file.
fn library(cargo: &str) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut check = Command::new(cargo);
    check.args(["check", "--lib", "--message-format=json", "--quiet", "--manifest-path"]).arg(manifest);
    let output = check.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("messages are text");
    let ours = |line: &&str| line.contains(r#""reason":"compiler-artifact""#) && line.contains(r#""name":"kv""#);
    let artifact = messages.lines().rfind(ours).expect("the library is built");
    let file = artifact
        .split('"')
        .find(|part| Path::new(part).extension().is_some_and(|kind| kind == "rmeta"))
        .expect("it has metadata");
    PathBuf::from(file)
}

/// The lines and codes of the errors in `source`.
fn errors(library: &Path, source: &Path) -> BTreeSet<(usize, String)> {
    let out = tempfile::tempdir().expect("a directory for what is built");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let mut compile = Command::new(rustc);
    compile.args(["--edition=2024", "--emit=metadata", "--error-format=short", "--crate-name=refused"]);
    compile.arg("--extern").arg(format!("kv={}", library.display())).arg("-L");
    compile.arg(format!("dependency={}", library.parent().expect("it lies in a directory").display()));
    let output = compile.arg("--out-dir").arg(out.path()).arg(source).output().expect("rustc runs");
    let text = String::from_utf8(output.stderr).expect("errors are text");
    // file.rs:LINE:COLUMN: error[CODE]: words
    let found: BTreeSet<_> = text
        .lines()
        .filter_map(|line| {
            let (place, rest) = line.split_once(": error[")?;
            let line = place.rsplit(':').nth(1)?.parse().ok()?;
            Some((line, rest.split_once(']')?.0.to_owned()))
        })
        .collect();
    assert_eq!(output.status.success(), found.is_empty(), "{}: {text}", source.display());
    found
}

fn marked(text: &str) -> BTreeSet<(usize, String)> {
    let marks =
        text.lines().enumerate().filter_map(|(line, text)| Some((line + 1, text.split_once("//~ ")?.1.to_owned())));
    marks.collect()
}

#[test]
fn what_must_not_compile_does_not() {
    let Ok(cargo) = std::env::var("CARGO") else { panic!("run by cargo: it says which compiler to use") };
    let library = library(&cargo);
    let accepted = tempfile::tempdir().expect("a directory for the programs that must compile");
    let mut programs = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail")).expect("the programs") {
        let path = entry.expect("a program").path();
        let text = fs::read_to_string(&path).expect("a program is text");
        let expected = marked(&text);
        assert!(!expected.is_empty(), "{} marks no error", path.display());
        assert_eq!(errors(&library, &path), expected, "{}", path.display());

        let without: Vec<&str> = text.lines().filter(|line| !line.contains("//~ ")).collect();
        let twin = accepted.path().join(path.file_name().expect("a name"));
        fs::write(&twin, without.join("\n")).expect("a place for the program");
        assert_eq!(errors(&library, &twin), BTreeSet::new(), "{} without the refused lines", path.display());
        programs += 1;
    }
    assert!(programs >= 10, "{programs} programs were found");
}
