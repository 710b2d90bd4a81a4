//! etcd's own Go library, and its recipes for locks, elections and transactions in memory.

use std::path::Path;
use std::process::Command;

use kv_etcd::server::Options;
use kv_testkit::bbolt::{go_version, left_out};
use kv_testkit::found::{found, skip};

use crate::start;

/// The minor version of Go 1 that etcd's library asks for.
const GO_OF_MODULE: u32 = 26;

#[test]
fn the_go_library_and_its_recipes() {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("clients");
    if left_out() || !found("go", "golang-go") {
        return;
    }
    let go = go_version();
    if go < GO_OF_MODULE {
        return skip(&format!("etcd's Go library needs Go 1.{GO_OF_MODULE} or newer, and `go version` says 1.{go}"));
    }
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(peers).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let (server, url) = start(&mut Options::new(directory.path().join("data")));
    let run = Command::new(program).arg(&url).output().unwrap();
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    server.stop();
}
