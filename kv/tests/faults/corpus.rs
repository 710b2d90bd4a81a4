//! What the fuzz targets have kept (`kv/fuzz/corpus`), once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use kv_testkit::budget::seed;
use kv_testkit::figure::print;

use crate::bodies::{any_bytes, crash_plan, operations, tool};
use crate::child::{Watched, cases, work};
use crate::flips::everything;

fn inputs(target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn replay(target: &str, test: &str, body: impl Fn(&[u8])) {
    let inputs = inputs(target);
    if work().is_some() {
        any_bytes::run(&everything());
        let mut watched = Watched::after_something_sound();
        for path in inputs {
            watched.case(path.display());
            body(&fs::read(path).unwrap());
        }
        return watched.end_of_case();
    }
    let began = Instant::now();
    assert!(!inputs.is_empty(), "{target} has kept something");
    cases(test, target.as_ref());
    print("kept inputs", inputs.len() as u64, &format!(" of {target}"), seed(), began);
}

#[test]
fn any_bytes() {
    replay("any_bytes", "corpus::any_bytes", |bytes| {
        any_bytes::run(bytes);
        any_bytes::run(&any_bytes::with_valid_metas(bytes));
    });
}

#[test]
fn operations() {
    replay("operations", "corpus::operations", operations::run);
}

#[test]
fn crash_plan() {
    replay("crash_plan", "corpus::crash_plan", crash_plan::run);
}

#[test]
fn tool() {
    let dir = tempfile::tempdir().unwrap();
    replay("tool", "corpus::tool", |bytes| tool::run(bytes, dir.path()));
}
