//! Hot backups: a copy that one engine wrote is a database to the other.

use std::fs::{self, File};
use std::path::Path;

use kv::{Db, Error};
use kv_testkit::engine::{self, dump_file};
use kv_testkit::generate::case;
use kv_testkit::model::Model;
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction};

use crate::cross::same_text;
use crate::meta::metas;

/// Programs a test; each twice, so that the last transaction id is odd and even.
const SEEDS: std::ops::Range<u64> = 500..512;

/// A transaction that moves the transaction id on and changes next to nothing.
fn pause() -> Vec<Step> {
    vec![Step::Transaction(Transaction {
        commands: vec![Command { path: vec![b"pause".to_vec()], action: Action::CreateIfAbsent }],
        commits: true,
    })]
}

beside_each_bbolt!(
    bbolt_opens_the_backups_of_kv,
    kv_opens_the_backups_of_bbolt,
    a_backup_taken_while_others_write_is_of_one_moment
);

fn bbolt_opens_the_backups_of_kv(peer: &mut Peer) {
    for seed in SEEDS {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [path, backup] = ["file.db", "backup.db"].map(|name| directory.path().join(name));
        let case = case(seed, Model::default(), true);
        let mut model = Model::default();
        for turn in &case.turns {
            for program in [&turn.program, &pause()] {
                let expected = model.run(program);
                assert_eq!(engine::run(&path, turn.settings, program), Ok(expected), "seed {seed}");
                back_up(&path, &backup, turn.settings).expect("a backup");
                assert_copy(peer, &backup, &model, seed);
            }
        }
        write_on(peer, &backup, &mut model, seed);
    }
}

fn kv_opens_the_backups_of_bbolt(peer: &mut Peer) {
    let mut wrong_parities = 0;
    for seed in SEEDS {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [path, backup] = ["file.db", "backup.db"].map(|name| directory.path().join(name));
        let case = case(seed, Model::default(), true);
        let mut model = Model::default();
        for turn in &case.turns {
            for program in [&turn.program, &pause()] {
                let expected = model.run(program);
                assert_eq!(peer.run(&path, turn.settings, program), Ok(expected), "seed {seed}");
                peer.copy(&path, &backup).expect("a backup");
                wrong_parities += usize::from(metas(&backup)[0].txid % 2 == 1);
                assert_copy(peer, &backup, &model, seed);
            }
        }
        write_on(peer, &backup, &mut model, seed);
    }
    assert!(wrong_parities > 0, "some copy has an odd transaction id in page 0");
}

/// A backup shows the state at the begin of its transaction, whatever is
/// committed while it is written.
fn a_backup_taken_while_others_write_is_of_one_moment(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for seed in SEEDS {
        let [path, backup] = ["file", "backup"].map(|name| directory.path().join(format!("{name}-{seed}.db")));
        let case = case(seed, Model::default(), true);
        let mut model = Model::default();
        let (first, rest) = case.turns.split_first().expect("a case has turns");
        let expected = model.run(&first.program);
        assert_eq!(engine::run(&path, first.settings, &first.program), Ok(expected), "seed {seed}");
        let db = engine::options(first.settings).open(&path).expect("kv opens its file");
        let reader = db.begin_read();
        for turn in rest {
            engine::run_open(&db, &turn.program).expect("kv writes on");
        }
        reader.copy_file(&backup).expect("a backup");
        drop(reader);
        db.close().expect("kv closes its file");
        assert_copy(peer, &backup, &model, seed);
    }
}

fn back_up(path: &Path, backup: &Path, settings: Settings) -> Result<(), Error> {
    let db: Db = engine::options(settings).open(path)?;
    let mut file = File::create(backup).expect("a file in a temporary directory");
    let written = db.view(|tx| tx.write_to(&mut file))?;
    assert_eq!(fs::metadata(backup).expect("just written").len(), written, "what write_to says it wrote");
    db.close()
}

/// Both engines see the model's content in the copy.
fn assert_copy(peer: &mut Peer, backup: &Path, model: &Model, seed: u64) {
    let content = model.dump();
    let result = (|| {
        peer.check(backup)?;
        engine::check(backup)?;
        same_text("bbolt's dump", &peer.dump(backup)?, &content)?;
        same_text("kv's dump", &dump_file(backup).map_err(|error| error.to_string())?, &content)
    })();
    result.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
}

/// A copy is a database: both engines write on in it.
fn write_on(peer: &mut Peer, backup: &Path, model: &mut Model, seed: u64) {
    let settings = Settings::new(4096, true, kv::FreelistSync::Every);
    let program = vec![Step::Transaction(Transaction {
        commands: model.paths().into_iter().map(|path| Command { path, action: Action::NextSequence }).collect(),
        commits: true,
    })];
    let expected = model.run(&program);
    assert_eq!(engine::run(backup, settings, &program), Ok(expected), "seed {seed}");
    assert_copy(peer, backup, model, seed);
    let expected = model.run(&program);
    assert_eq!(peer.run(backup, settings, &program), Ok(expected), "seed {seed}");
    assert_copy(peer, backup, model, seed);
}
