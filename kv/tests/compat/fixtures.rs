//! Real files of bbolt's and etcd's, and the whole content of each as text. See
//! `fixtures/README.md` for what they are.

use std::fs;
use std::path::PathBuf;

pub(crate) use kv_testkit::FIXTURES;
use kv_testkit::engine::{self, dump_file};
use kv_testkit::model::Model;
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value};

use crate::cross::same_text;

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

pub(crate) fn database(name: &str) -> PathBuf {
    file(&format!("{name}.db"))
}

fn text(name: &str) -> String {
    fs::read_to_string(file(&format!("{name}.dump.txt"))).expect("the fixture is there")
}

/// The content of a fixture.
pub(crate) fn model(name: &str) -> Model {
    Model::from_dump(&text(name))
}

#[test]
fn every_item_of_a_real_file_equals_the_text_beside_it() {
    for name in FIXTURES {
        let path = database(name);
        let before = fs::read(&path).expect("the fixture is there");
        let content = dump_file(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        same_text(name, &content, &text(name)).unwrap_or_else(|difference| panic!("{difference}"));
        engine::check(&path).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert!(fs::read(&path).expect("still there") == before, "{name}: reading has changed the file");
    }
}

#[test]
fn the_model_reads_a_dump_back() {
    for name in FIXTURES {
        same_text(name, &model(name).dump(), &text(name)).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

beside_each_bbolt!(bbolt_reads_what_a_transaction_added_to_a_real_file);

fn bbolt_reads_what_a_transaction_added_to_a_real_file(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in FIXTURES {
        let path = directory.path().join(name);
        fs::copy(database(name), &path).expect("the fixture is there");
        let mut model = model(name);
        for settings in Settings::all(4096) {
            let program = addition(&model);
            let expected = model.run(&program);
            assert_eq!(engine::run(&path, settings, &program), Ok(expected), "{name}, {settings:?}");
            peer.check(&path).unwrap_or_else(|problems| panic!("{name}, {settings:?}: {problems}"));
            let content = peer.dump(&path).expect("bbolt opens the file");
            same_text(name, &content, &model.dump()).unwrap_or_else(|difference| panic!("{difference}"));
        }
    }
}

/// One transaction: a new bucket with a bucket and a long value in it, and in
/// each bucket that was there one more key and the sequence moved on.
fn addition(model: &Model) -> Vec<Step> {
    let added = b"added".to_vec();
    let nested = vec![added.clone(), b"nested".to_vec()];
    let mut commands = Vec::new();
    let mut push = |path: &[Vec<u8>], action| commands.push(Command { path: path.to_vec(), action });
    push(&nested[..1], Action::CreateIfAbsent);
    push(&nested, Action::CreateIfAbsent);
    push(&nested, Action::Put(b"long".to_vec(), Value::Expanded { len: 20_000, seed: 1 }));
    for path in model.paths() {
        push(&path, Action::Put(added.clone(), Value::Plain(b"by kv".to_vec())));
        push(&path, Action::NextSequence);
    }
    vec![Step::Transaction(Transaction { commands, commits: true })]
}
