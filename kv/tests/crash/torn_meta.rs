//! A commit hangs on 64 bytes. No order in which they reach the disk may make a third state of two.

use kv_testkit::Random;
use kv_testkit::program::Settings;
use pagefile_std::sim::{SimDisk, SimOptions};

use crate::config::{Base, CONFIGS, PAGE_SIZE, filled, random_changes};
use crate::judge::{Judge, Moment, strategy};
use crate::run::Run;

/// A disk on which everything of a commit is durable but its meta, the bytes of that, and the states before and after.
fn before_the_meta(config: Settings, random: &mut Random) -> (Moment, Vec<u8>, usize) {
    let base = Base::of(config, &[filled(30, 100)], true);
    let mut run = Run::on(config, &base, SimOptions::default());
    run.open().unwrap();
    loop {
        let changes = random_changes(run.model(), random);
        let moments = run.step(|run| run.commit(&changes).unwrap()).1;
        // The epoch that the meta's sync has ended; the one after it is that of now.
        let of_meta = moments.into_iter().rev().nth(1);
        if let Some(moment) = of_meta.filter(|_| !changes.is_empty()) {
            let (at, bytes) = moment.epoch.in_flight().next().expect("the meta");
            let (at, bytes) = (usize::try_from(at).unwrap(), bytes.to_vec());
            assert!(at <= PAGE_SIZE as usize && bytes.len() == PAGE_SIZE as usize, "one of the first two pages");
            return (moment, bytes, at);
        }
    }
}

fn judge_bytes(judge: &mut Judge, config: Settings, bytes: &[u8], like: &Moment) {
    let epoch = SimDisk::with_bytes(bytes).take_epochs().pop().expect("the epoch of now");
    let moment = Moment { epoch, allowed: like.allowed.clone() };
    judge.all(config, &moment, &strategy(0, 0, 0)).unwrap_or_else(|wrong| panic!("an image {wrong}"));
}

#[test]
fn a_meta_of_which_any_bytes_are_written_is_the_old_one_or_the_new_one() {
    let mut random = Random::of(1, 64);
    let mut judge = Judge::new();
    for config in *CONFIGS {
        let (moment, meta, at) = before_the_meta(config, &mut random);
        let durable = moment.epoch.durable();
        let changed: Vec<usize> = (0..meta.len()).filter(|place| meta[*place] != durable[at + place]).collect();
        assert!(changed.len() >= 8, "the checksum at least");
        for density in 1..=20 {
            for _ in 0..20 {
                let mut bytes = durable.to_vec();
                for place in changed.iter().filter(|_| random.below(21) < density) {
                    bytes[at + place] = meta[*place];
                }
                judge_bytes(&mut judge, config, &bytes, &moment);
            }
        }
    }
}

#[test]
fn a_meta_with_any_wrong_bit_leads_back_to_the_state_before() {
    let mut judge = Judge::new();
    let mut random = Random::of(1, 65);
    for config in *CONFIGS {
        let (moment, meta, at) = before_the_meta(config, &mut random);
        for bit in 16 * 8..80 * 8 {
            let mut bytes = moment.epoch.durable().to_vec();
            bytes[at..at + meta.len()].copy_from_slice(&meta);
            bytes[at + bit / 8] ^= 1 << (bit % 8);
            let before = Moment { epoch: moment.epoch.clone(), allowed: vec![moment.allowed[0].clone()] };
            judge_bytes(&mut judge, config, &bytes, &before);
        }
    }
}
