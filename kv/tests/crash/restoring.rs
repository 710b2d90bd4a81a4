//! Going back to a state that a reader holds: power cuts at every moment of it, and a second one in what the first has left.

use kv_testkit::Random;
use kv_testkit::budget::seed;
use pagefile_std::sim::SimOptions;

use crate::config::{ALL_CONFIGS, Base, deletes, filled, puts, random_changes};
use crate::judge::Judge;
use crate::run::Run;
use crate::second_order::some_and_again;

#[test]
fn a_power_cut_while_a_state_is_restored_loses_nothing() {
    let (mut judge, mut restored) = (Judge::new(), 0);
    for (number, &config) in ALL_CONFIGS.iter().enumerate() {
        for closed in [false, true] {
            let mut random = Random::of(seed(), number as u64);
            let base = Base::of(config, &[filled(1, 10), puts("a", 0, 40, 300)], closed);
            let mut run = Run::on(config, &base, SimOptions::default());
            run.step(|run| run.open().expect("a whole file opens"));
            let mut moments = Vec::new();
            for _ in 0..3 {
                run.hold();
                let more = [deletes("a", 3, 20), puts("a", 100, 10, 900), random_changes(run.model(), &mut random)];
                for changes in &more {
                    moments.extend(run.step(|run| run.commit(changes).expect("nothing fails")).1);
                }
                let before = run.model().clone();
                moments.extend(run.step(|run| run.restore().expect("nothing fails")).1);
                restored += usize::from(*run.model() != before);
                moments.extend(run.step(|run| run.commit(&puts("a", 1, 5, 50)).expect("nothing fails")).1);
                assert!(run.shows_what_was_acknowledged());
            }
            run.release();
            moments.extend(run.step(|run| run.close().expect("nothing fails")).1);
            some_and_again(config, &moments, 7, &mut random, &mut judge);
        }
    }
    assert!(restored >= 4 * ALL_CONFIGS.len(), "{restored} times a state came back that was another");
    println!("\n{} images of files that went back to an older state", judge.opened);
}
