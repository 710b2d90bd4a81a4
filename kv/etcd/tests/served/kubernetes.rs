//! The storage layer of Kubernetes's API server on this server, which is killed meanwhile: nothing may be missing. Then the
//! same beside real etcds, without kills, for the figures.
//!
//! `KV_ETCD_OBJECTS` says how many objects there are; 10,000 without it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use kv_etcd::server::Options;
use kv_testkit::budget::number;
use kv_testkit::etcd::Etcd;
use kv_testkit::etcd_release::Release;
use kv_testkit::go;

use crate::process::{Process, free_url};
use crate::start;

/// The minor version of Go 1 that Kubernetes's modules ask for.
const GO_OF_MODULE: u32 = 26;
/// How long the server lives between two kills.
const LIFE: Duration = Duration::from_secs(3);

fn program() -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/kubernetes");
    go::program(&sources, "etcd-kubernetes", GO_OF_MODULE)
}

fn storage(program: &Path, url: &str) -> Child {
    let objects = number("KV_ETCD_OBJECTS", 10_000).to_string();
    Command::new(program).args([url, &objects]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[track_caller]
fn finish(storage: Child, what: &str) {
    let output = storage.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {said}");
    println!("\n{what}:\n{said}");
}

#[test]
#[ignore = "Kubernetes builds for minutes: `cargo test -p kv-etcd --release --test served kubernetes -- --ignored`"]
fn kubernetes_finds_everything() {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (data, url) = (directory.path().join("killed"), free_url());
    let mut server = Process::start(&data, &url);
    let mut killed = storage(&program, &url);
    let mut kills = 0;
    loop {
        sleep(LIFE);
        if killed.try_wait().unwrap().is_some() {
            break;
        }
        server.kill();
        kills += 1;
        server = Process::start(&data, &url);
    }
    finish(killed, &format!("kv, killed {kills} times"));
    server.kill();
}

#[test]
#[ignore = "Kubernetes builds for minutes: `cargo test -p kv-etcd --release --test served kubernetes -- --ignored`"]
fn kubernetes_beside_real_etcds() {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path().join("ours")));
    finish(storage(&program, &url), "kv");
    server.stop();
    for release in [Release::V3_4, Release::V3_7] {
        let Some(programs) = release.programs() else { continue };
        let etcd = Etcd::start_for(Duration::from_secs(3600), programs, &directory.path().join(release.name()));
        finish(storage(&program, etcd.endpoint()), &format!("etcd {}", release.name()));
        etcd.stop();
    }
}
