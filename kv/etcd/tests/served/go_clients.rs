//! etcd's own Go library, and its recipes for locks, elections and transactions in memory.

use std::path::Path;
use std::process::Command;

use kv_etcd::server::Options;
use kv_testkit::go;

use crate::start;

/// The minor version of Go 1 that etcd's library asks for.
const GO_OF_MODULE: u32 = 26;

#[test]
fn the_go_library_and_its_recipes() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let Some(program) = go::program(&sources, "etcd-clients", GO_OF_MODULE) else { return };
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path().join("data")));
    let run = Command::new(program).arg(&url).output().unwrap();
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    server.stop();
}
