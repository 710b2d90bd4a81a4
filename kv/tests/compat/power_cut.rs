//! bbolt opens what power cuts leave of files that kv was writing to: the state before or the one after, and its own
//! check finds nothing.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use kv::Db;
use kv_testkit::Random;
use kv_testkit::budget::number;
use kv_testkit::case::Turn;
use kv_testkit::engine;
use kv_testkit::figure::print;
use kv_testkit::generate::case;
use kv_testkit::model::Model;
use kv_testkit::peer::Peer;
use pagefile_std::MemStore;
use pagefile_std::sim::{Epoch, SimDisk, Strategy};

/// Images that bbolt opens, without `KV_CROSS_IMAGES`.
const IMAGES: u64 = 1000;

/// Of the outcomes of one power cut, which are many and alike.
const OF_EACH_CUT: usize = 3;

beside_each_bbolt!(bbolt_opens_what_a_power_cut_leaves);

fn bbolt_opens_what_a_power_cut_leaves(peer: &mut Peer) {
    let (wanted, first) = (number("KV_CROSS_IMAGES", IMAGES), number("KV_CROSS_SEED", 1));
    let began = Instant::now();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("image.db");
    let (mut opened, mut seed) = (0, first);
    while opened < wanted {
        opened += power_cuts(seed, &path, peer).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        seed += 1;
    }
    print(&format!("power cuts opened by bbolt {}", peer.version), opened, "", first, began);
}

/// Cuts the power all through the program of a seed, and shows bbolt what that leaves; the number of images.
fn power_cuts(seed: u64, path: &Path, peer: &mut Peer) -> Result<u64, String> {
    let case = case(seed, Model::default(), true);
    let (turn, mut random) = (&case.turns[0], Random::new(seed));
    let disk = Arc::new(SimDisk::with_bytes(&empty(turn)));
    let mut model = Model::default();
    let mut opened = 0;
    let db = options(turn).open_store(Box::new(Arc::clone(&disk))).map_err(|error| error.to_string())?;
    for step in turn.program.chunks(1) {
        let before = model.dump();
        model.run(step);
        engine::run_open(&db, step).map_err(|error| error.to_string())?;
        let allowed = [before, model.dump()];
        for epoch in disk.take_epochs() {
            for image in some(&epoch, &mut random) {
                fs::write(path, image).expect("there is room");
                peer.check(path).map_err(|problems| format!("bbolt's check: {problems}"))?;
                let shown = peer.dump(path)?;
                if !allowed.contains(&shown) {
                    return Err(format!("bbolt shows\n{shown}\nwhich is neither\n{}", allowed.join("\nnor\n")));
                }
                opened += 1;
            }
        }
    }
    Ok(opened)
}

/// Pages have bbolt's usual size: with another one bbolt itself does not find the second meta when the first is torn.
const PAGE_SIZE: u32 = 4096;

fn options(turn: &Turn) -> kv::Options {
    // With memory for every transaction: what is written early makes epochs of thousands of writes, and the outcomes of a cut
    // grow with their square. The crash suite has small ones.
    engine::options(turn.settings).page_size(PAGE_SIZE).write_memory(64 << 20).no_sync(false)
}

/// The bytes of a database with nothing in it.
fn empty(turn: &Turn) -> Vec<u8> {
    let store = Arc::new(MemStore::new());
    options(turn).open_store(Box::new(Arc::clone(&store))).and_then(Db::close).expect("nothing fails in memory");
    store.snapshot()
}

/// Some of what a power cut at the end of `epoch` may leave.
fn some(epoch: &Epoch, random: &mut Random) -> Vec<Vec<u8>> {
    let strategy =
        Strategy { exhaustive_max: 4, random: 20, seed: random.next_u64(), ..Strategy::for_pages(PAGE_SIZE as usize) };
    // As many of those seen so far as are wanted, each as likely as the others: an epoch of many pages has a million outcomes.
    let (mut chosen, mut seen) = (Vec::new(), 0);
    let _ = epoch.each_power_cut(&strategy, |cut| {
        seen += 1;
        if chosen.len() < OF_EACH_CUT {
            chosen.push(cut.clone());
        } else if let Some(other) = chosen.get_mut(random.below(seen)) {
            *other = cut.clone();
        }
        ControlFlow::<()>::Continue(())
    });
    chosen.iter().map(|cut| epoch.image(cut)).collect()
}
