//! A file that becomes shorter: power cuts at every moment of it, a second one in what the first has left, and readers
//! beside it.

use kv_testkit::Random;
use kv_testkit::budget::seed;
use pagefile_std::PageStore;
use pagefile_std::sim::SimOptions;

use crate::config::{ALL_CONFIGS, Base, deletes, filled, puts};
use crate::judge::Judge;
use crate::run::Run;
use crate::second_order::some_and_again;

/// A file of which most is free, with something at its end.
fn base(closed: bool, config: usize) -> Base {
    let large = puts("a", 0, 60, 1500);
    let transactions = [filled(1, 10), large, puts("a", 60, 30, 300), deletes("a", 5, 50), deletes("a", 62, 20)];
    Base::of(ALL_CONFIGS[config], &transactions, closed)
}

#[test]
fn a_power_cut_while_the_file_becomes_shorter_loses_nothing() {
    let (mut judge, mut shorter) = (Judge::new(), 0);
    for (number, &config) in ALL_CONFIGS.iter().enumerate() {
        for closed in [false, true] {
            let mut random = Random::of(seed(), number as u64);
            let mut run = Run::on(config, &base(closed, number), SimOptions::default());
            run.step(|run| run.open().expect("a whole file opens"));
            let before = run.disk.len();
            let mut moments = run.step(|run| run.shrink().expect("nothing fails")).1;
            let more = [puts("a", 200, 40, 700), deletes("a", 201, 38), puts("a", 1, 1, 20)];
            for changes in &more {
                moments.extend(run.step(|run| run.commit(changes).expect("nothing fails")).1);
            }
            moments.extend(run.step(|run| run.shrink().expect("nothing fails")).1);
            moments.extend(run.step(|run| run.close().expect("nothing fails")).1);
            shorter += usize::from(run.disk.len() < before);
            some_and_again(config, &moments, 5, &mut random, &mut judge);
        }
    }
    assert_eq!(shorter, 2 * ALL_CONFIGS.len(), "the file becomes shorter each time");
    println!("\n{} images of files that become shorter", judge.opened);
}

#[test]
fn readers_keep_the_file_as_long_as_they_need_it() {
    for (number, &config) in ALL_CONFIGS.iter().enumerate() {
        let mut run = Run::on(config, &base(true, number), SimOptions::default());
        run.open().expect("a whole file opens");
        // The end of the file is free in what the reader sees: nothing but its mark keeps the file.
        for changes in [deletes("a", 55, 40), puts("a", 1, 1, 20), puts("a", 1, 1, 30)] {
            run.commit(&changes).expect("nothing fails");
        }
        let before = run.disk.len();
        run.hold();
        run.shrink().expect("nothing fails");
        assert_eq!(run.disk.len(), before, "the reader's state reaches to the end of the file");
        run.commit(&puts("a", 1, 3, 40)).expect("nothing fails");
        run.hold();
        run.shrink().expect("nothing fails");
        run.release();
        run.shrink().expect("nothing fails");
        // Where each commit shrinks the file, it was short before the readers came.
        assert!(config.span_maps || run.disk.len() < before, "the readers are gone");
        run.close().expect("nothing fails");
    }
}
