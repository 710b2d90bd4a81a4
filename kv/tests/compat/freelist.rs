//! The freelist between the engines: stored by one and not by the other, lost
//! with a process that was killed, and put together again.

use std::fs;
use std::path::{Path, PathBuf};

use kv::FreelistSync::{Every, Log, OnClose};
use kv::{FreelistOrigin, FreelistSync, Options};
use kv_testkit::engine::{self, dump_file};
use kv_testkit::model::Model;
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value};

use crate::cross::same_text;
use crate::meta::{NO_FREELIST, newest};

fn settings(freelist_sync: FreelistSync) -> Settings {
    Settings::new(4096, true, freelist_sync)
}

fn transaction(actions: Vec<Action>) -> Step {
    let path = vec![b"bucket".to_vec()];
    let commands = actions.into_iter().map(|action| Command { path: path.clone(), action }).collect();
    Step::Transaction(Transaction { commands, commits: true })
}

fn put(n: u16) -> Action {
    Action::Put(n.to_le_bytes().to_vec(), Value::Expanded { len: 500, seed: n.into() })
}

/// Leaves some hundred pages free, scattered and in a run.
fn fragmenting() -> Vec<Step> {
    let mut steps = vec![transaction(vec![Action::Create])];
    steps.push(transaction((0..2000).map(put).collect()));
    steps.push(transaction(
        (0..2000).filter(|n| n % 64 > 8).map(|n: u16| Action::Delete(n.to_le_bytes().to_vec())).collect(),
    ));
    // Frees become usable with the transactions after.
    steps.extend((0..3).map(|n| transaction(vec![put(n)])));
    steps
}

/// Few enough puts to find room in what [`fragmenting`] left.
fn refilling() -> Vec<Step> {
    (0..10).map(|n| transaction((n * 20..n * 20 + 20).map(put).collect())).collect()
}

beside_each_bbolt!(
    kv_stores_the_freelist_that_bbolt_left_out,
    kv_and_bbolt_use_each_others_stored_freelists,
    bbolt_takes_the_mark_back_and_kv_the_list,
    a_file_that_kv_never_closed_is_sound_to_bbolt,
    bbolt_opens_a_file_with_a_log_and_kv_notices_its_commits,
    a_commit_of_bbolt_that_is_lost_costs_a_walk_and_no_more
);

struct Scene<'p> {
    peer: &'p mut Peer,
    model: Model,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl<'p> Scene<'p> {
    fn set(peer: &'p mut Peer) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file.db");
        Self { peer, model: Model::default(), path, _directory: directory }
    }

    fn kv(&mut self, sync: FreelistSync, program: &[Step]) {
        let expected = self.model.run(program);
        // With memory for every transaction: what outgrows it is written behind the end of the file, and uses no free page.
        let options = engine::options(settings(sync)).write_memory(64 << 20);
        let db = options.open(&self.path).expect("kv opens the file");
        assert_eq!(engine::run_open(&db, program).expect("kv runs it"), expected);
        db.close().expect("kv closes the file");
    }

    fn bbolt(&mut self, sync: FreelistSync, program: &[Step]) {
        let expected = self.model.run(program);
        assert_eq!(self.peer.run(&self.path, settings(sync), program), Ok(expected));
    }

    fn assert_sound(&mut self) {
        let path = self.path.clone();
        self.assert_sound_at(&path);
    }

    fn assert_sound_at(&mut self, path: &Path) {
        self.peer.check(path).expect("bbolt's check");
        engine::check(path).expect("kv's check");
        let content = self.model.dump();
        same_text("bbolt's dump", &self.peer.dump(path).expect("bbolt's dump"), &content).expect("the content");
        same_text("kv's dump", &dump_file(path).expect("kv's dump"), &content).expect("the content");
    }

    /// How kv finds the free pages of the file.
    fn origin(&self) -> FreelistOrigin {
        let options = Options::new().read_only(true).preload_freelist(true);
        options.open(&self.path).expect("kv opens its file").stats().freelist
    }

    fn stored(&self) -> bool {
        newest(&self.path).freelist != NO_FREELIST
    }
}

fn kv_stores_the_freelist_that_bbolt_left_out(peer: &mut Peer) {
    for sync in [OnClose, Every] {
        let mut scene = Scene::set(peer);
        scene.bbolt(OnClose, &fragmenting());
        assert!(!scene.stored(), "bbolt was told not to store it");
        let before = newest(&scene.path).high_water;
        scene.kv(sync, &refilling());
        assert!(scene.stored(), "kv stores it, at the latest when it closes the file");
        // Room for a freelist of one page, and a page to be free when a tree is written anew.
        assert!(newest(&scene.path).high_water <= before + 4, "the free pages were found by the scan");
        scene.assert_sound();
        scene.bbolt(Every, &refilling());
        scene.assert_sound();
    }
}

fn kv_and_bbolt_use_each_others_stored_freelists(peer: &mut Peer) {
    let mut scene = Scene::set(peer);
    scene.kv(OnClose, &fragmenting());
    let high_water = newest(&scene.path).high_water;
    for round in 0..4 {
        assert!(scene.stored(), "round {round}");
        assert_eq!(scene.origin(), FreelistOrigin::Sealed, "kv believes what it has written itself");
        scene.bbolt(Every, &refilling());
        assert_eq!(scene.origin(), FreelistOrigin::Checked, "bbolt's commit leaves no seal, and its list is right");
        scene.assert_sound();
        scene.kv([OnClose, Every][round % 2], &refilling());
        scene.assert_sound();
    }
    assert!(newest(&scene.path).high_water <= high_water + 8, "no engine forgot free pages");
}

fn bbolt_takes_the_mark_back_and_kv_the_list(peer: &mut Peer) {
    let mut scene = Scene::set(peer);
    scene.kv(Every, &fragmenting());
    for _ in 0..2 {
        scene.bbolt(OnClose, &refilling());
        assert!(!scene.stored());
        assert_eq!(scene.origin(), FreelistOrigin::Walked);
        scene.assert_sound();
        scene.kv(Every, &refilling());
        assert!(scene.stored());
        scene.assert_sound();
    }
}

/// While kv runs with the freelist stored on close, its commits carry the mark.
/// A copy of the file between commits is what a kill leaves.
fn a_file_that_kv_never_closed_is_sound_to_bbolt(peer: &mut Peer) {
    let mut scene = Scene::set(peer);
    scene.kv(OnClose, &fragmenting());
    let left = scene.path.with_extension("left");
    let db = engine::options(settings(OnClose)).open(&scene.path).expect("kv opens its file");
    let program = refilling();
    let expected = scene.model.run(&program);
    assert_eq!(engine::run_open(&db, &program).expect("kv runs it"), expected);
    fs::copy(&scene.path, &left).expect("a copy");
    db.close().expect("kv closes its file");
    assert!(scene.stored(), "a clean close stores it");
    assert_eq!(newest(&left).freelist, NO_FREELIST, "a commit does not");
    scene.assert_sound_at(&left);
    for sync in [OnClose, Every] {
        let copy = left.with_extension(format!("{sync:?}"));
        fs::copy(&left, &copy).expect("a copy");
        let mut model = scene.model.clone();
        let expected = model.run(&program);
        assert_eq!(scene.peer.run(&copy, settings(sync), &program), Ok(expected));
        scene.assert_sound_at(&copy);
    }
}

/// To bbolt the pages of the log are free, and it writes over them. Its commits name no log.
fn bbolt_opens_a_file_with_a_log_and_kv_notices_its_commits(peer: &mut Peer) {
    let mut scene = Scene::set(peer);
    scene.kv(Log, &fragmenting());
    let high_water = newest(&scene.path).high_water;
    for (round, bbolt) in [OnClose, Every, OnClose, Every].into_iter().enumerate() {
        assert!(!scene.stored(), "round {round}");
        assert_eq!(scene.origin(), FreelistOrigin::Logged, "nothing is searched for");
        scene.assert_sound();
        assert_eq!(scene.origin(), FreelistOrigin::Logged, "bbolt has read it and changed nothing");
        scene.bbolt(bbolt, &refilling());
        let found = if bbolt == Every { FreelistOrigin::Checked } else { FreelistOrigin::Walked };
        assert_eq!(scene.origin(), found, "bbolt's commit leaves no log");
        scene.assert_sound();
        scene.kv(Log, &refilling());
        scene.assert_sound();
    }
    assert!(newest(&scene.path).high_water <= high_water + 16, "no engine forgot free pages");
}

/// bbolt commits, which may write over pages of the log, and then the disk loses its meta: the one before names the log.
fn a_commit_of_bbolt_that_is_lost_costs_a_walk_and_no_more(peer: &mut Peer) {
    let mut walked = 0;
    for puts in [1, 30, 300, 1000, 3000_u16] {
        let mut scene = Scene::set(peer);
        scene.kv(Log, &fragmenting());
        scene.kv(Log, &refilling());
        let before = fs::read(&scene.path).expect("the file");
        let one = transaction((0..puts).map(put).collect());
        let settings = settings(OnClose);
        scene.peer.run(&scene.path, settings, &[one]).expect("bbolt commits");
        let mut after = fs::read(&scene.path).expect("the file");
        // Both of its metas are as they were: it had committed once.
        after[..2 * 4096].copy_from_slice(&before[..2 * 4096]);
        fs::write(&scene.path, &after).expect("the file");
        match scene.origin() {
            FreelistOrigin::Logged => {}
            FreelistOrigin::LogLost(_) => walked += 1,
            other => panic!("{other:?}"),
        }
        scene.kv(Log, &refilling());
        assert_eq!(scene.origin(), FreelistOrigin::Logged, "the log has begun anew");
        scene.assert_sound();
    }
    assert!(walked > 0, "bbolt has written over the log now and then");
}
