//! The comparison has teeth: it finds what is wrong in files that are.

use std::fs;
use std::path::{Path, PathBuf};

use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value};
use tempfile::TempDir;

const SETTINGS: Settings = Settings::new(4096, false, kv::FreelistSync::Every);

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    (directory, path)
}

fn bucket_path(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn transaction(commands: Vec<Command>) -> Step {
    Step::Transaction(Transaction { commands, commits: true })
}

fn put(path: &[&str], key: &str) -> Command {
    let value = Value::Expanded { len: 3000, seed: 1 };
    Command { path: bucket_path(path), action: Action::Put(key.into(), value) }
}

fn on(path: &[&str], action: Action) -> Command {
    Command { path: bucket_path(path), action }
}

fn bbolt(peer: &mut Peer, path: &Path, program: &[Step]) {
    let outcomes = peer.run(path, SETTINGS, program).expect("bbolt runs it");
    assert!(outcomes.iter().all(|outcome| outcome == "ok"), "{outcomes:?}");
}

beside_each_bbolt!(
    the_check_finds_the_pages_that_bbolt_leaks,
    the_check_finds_a_branch_key_that_is_not_its_childs_first,
    a_crash_of_bbolt_is_an_error_of_the_request,
    each_bbolt_is_the_one_that_it_is_called
);

/// The leak for which `kv_testkit::bbolt_leak` keeps commands out of programs.
fn the_check_finds_the_pages_that_bbolt_leaks(peer: &mut Peer) {
    let (_directory, path) = place();
    let nested = ["b", "c", "d", "e"];
    let mut commands = vec![on(&["a"], Action::Create)];
    for name in nested {
        commands.extend([on(&["a", name], Action::Create), put(&["a", name], "key")]);
    }
    bbolt(peer, &path, &[transaction(commands)]);
    peer.check(&path).expect("sound so far");
    bbolt(peer, &path, &[transaction(vec![put(&["a"], "key"), on(&["a"], Action::DeleteBucket)])]);
    let problems = peer.check(&path).expect_err("pages are lost");
    assert!(problems.contains("unreachable unfreed"), "{problems}");
}

/// bbolt's own check passes over this, and its next write would ruin the tree.
fn the_check_finds_a_branch_key_that_is_not_its_childs_first(peer: &mut Peer) {
    let (_directory, path) = place();
    let mut commands = vec![on(&["a"], Action::Create)];
    commands.extend(["key-1", "key-3", "key-5", "key-7", "key-9"].map(|key| put(&["a"], key)));
    bbolt(peer, &path, &[transaction(commands)]);
    peer.check(&path).expect("sound so far");
    let mut bytes = fs::read(&path).expect("the file is there");
    let branches = bytes.chunks_exact_mut(4096).filter(|page| page[8] == 1);
    for page in branches {
        // The last digit of the last key: the lowest bit makes it even.
        let end = page.iter().rposition(|byte| *byte != 0).expect("a branch is not empty");
        page[end] -= 1;
    }
    fs::write(&path, bytes).expect("the file can be written");
    let problems = peer.check(&path).expect_err("a key was changed");
    assert!(problems.contains("its child"), "{problems}");
}

/// bbolt crashes on a truncated file; that is told, and does no harm to the next
/// request.
fn a_crash_of_bbolt_is_an_error_of_the_request(peer: &mut Peer) {
    let (_directory, path) = place();
    bbolt(peer, &path, &[transaction(vec![on(&["a"], Action::Create), put(&["a"], "key")])]);
    let whole = fs::read(&path).expect("the file is there");
    let truncated = path.with_extension("truncated");
    fs::write(&truncated, &whole[..2 * 4096]).expect("the file can be written");
    let complaint = peer.dump(&truncated).expect_err("bbolt cannot read it");
    assert!(complaint.contains("bbolt's process ended"), "{complaint}");
    assert!(peer.dump(&path).expect("a new process").starts_with("bucket 61 seq 0\n"));
}

/// A Go program names the modules that it is made of; Debian's packages are none.
fn each_bbolt_is_the_one_that_it_is_called(peer: &mut Peer) {
    let program = fs::read(peer.program).expect("it was built");
    let named = program.windows(24).any(|bytes| bytes == b"\tgo.etcd.io/bbolt\tv1.5.0");
    assert_eq!(named, peer.version == "1.5");
}
