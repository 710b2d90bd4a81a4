//! Clients of other languages, and another of Rust, as their users use them.

use std::path::{Path, PathBuf};
use std::process::Command;

use kv_etcd::server::Options;
use kv_testkit::bbolt::left_out;
use kv_testkit::found::found;
use kv_testkit::packages;

use crate::start;

fn sources(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(of)
}

/// Runs a client's program with the address of a server.
fn run(client: impl FnOnce(&str) -> Command) {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path()));
    let output = client(&url).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    server.stop();
}

#[test]
fn aetcd_of_python() {
    let Some(packages) = packages::python("aetcd==1.0.0", "etcd-python") else { return };
    run(|url| {
        let (host, port) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
        let mut python = Command::new("python3");
        python.arg(sources("python/recipes.py")).args([host, port]).env("PYTHONPATH", packages);
        python
    });
}

#[test]
fn etcd3_of_npm() {
    let Some(packages) = packages::npm(&sources("javascript"), "etcd-npm") else { return };
    run(|url| {
        let mut node = Command::new("node");
        node.arg(sources("javascript/recipes.js")).arg(url).env("NODE_PATH", packages.join("node_modules"));
        node
    });
}

/// Compiled apart: it needs `protoc`, and the workspace does not.
#[test]
fn etcd_client_of_rust() {
    if left_out() || !found("protoc", "protobuf-compiler") {
        return;
    }
    run(|url| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(sources("rust/Cargo.toml"));
        cargo.arg("--target-dir").arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/etcd-client")).args(["--", url]);
        cargo
    });
}
