//! A crash on top of a crash: inside the opening after a power cut, and a power cut after a kill, when what the page
//! cache shows may not be what the disk has.

use std::ops::ControlFlow;

use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::Settings;
use pagefile_std::sim::{Call, Fault, Kernel, Plan, SimOptions};

use crate::budget::Goals;
use crate::config::{ALL_CONFIGS, Base, Changes, random_changes, random_transactions};
use crate::first_order::{random_base, random_program};
use crate::judge::{Judge, Moment, some_cuts, strategy};
use crate::run::Run;

/// Opens what a crash has left, commits twice and closes; every moment of it is judged.
pub(crate) fn recover(run: &mut Run, random: &mut Random, judge: &mut Judge, images_per_moment: u64) {
    let strategy = strategy(4, 4, seed());
    let mut moments = run.step(|run| run.open().expect("what a crash leaves opens")).1;
    for _ in 0..2 {
        let changes = random_changes(run.model(), random);
        moments.extend(run.step(|run| run.commit(&changes).expect("nothing fails any more")).1);
    }
    if random.one_in(4) {
        moments.extend(run.step(|run| run.shrink().expect("nothing fails any more")).1);
    }
    moments.extend(run.step(|run| run.close().expect("nothing fails any more")).1);
    for moment in moments {
        let judged = judge.some(run.config, &moment, &strategy, images_per_moment);
        judged.unwrap_or_else(|wrong| panic!("an image of the second crash {wrong}"));
    }
}

/// Each of `cuts` images of this moment becomes a disk, whose power is cut in turn.
fn cut_again(
    config: Settings,
    moment: &Moment,
    (cuts, images_per_moment): (u64, u64),
    random: &mut Random,
    judge: &mut Judge,
) {
    for cut in some_cuts(&moment.epoch, &strategy(4, 4, seed()), cuts) {
        let base = Base { bytes: moment.epoch.image(&cut), allowed: moment.allowed.clone() };
        recover(&mut Run::on(config, &base, SimOptions::default()), random, judge, images_per_moment);
    }
}

/// Judges ten images of each of these moments of one run, and cuts the power a second time in every `nth`.
pub(crate) fn some_and_again(config: Settings, moments: &[Moment], nth: usize, random: &mut Random, judge: &mut Judge) {
    for moment in moments {
        let judged = judge.some(config, moment, &strategy(4, 4, seed()), 10);
        judged.unwrap_or_else(|wrong| panic!("an image {wrong}"));
    }
    for moment in moments.iter().step_by(nth) {
        cut_again(config, moment, (1, 4), random, judge);
    }
}

/// A process that is killed at its call number `nth`: nothing of that call is done, or in a write, a part.
///
/// To the disk that is the same as a process whose calls fail from then on, in a kernel that takes nothing amiss.
fn killed(
    (config, base): (Settings, &Base),
    (program, shrinks): (&[Changes], bool),
    (nth, short): (u64, Option<usize>),
) -> ControlFlow<(), Run> {
    let mut run = Run::on(config, base, SimOptions { kernel: Kernel::StaysDirty, ..SimOptions::default() });
    if let Some(bytes) = short {
        run.disk.plan(Plan { call: None, nth, fault: Fault::Short(bytes), for_ever: false });
    }
    let nth = if short.is_some() { nth + 1 } else { nth };
    run.disk.plan(Plan { call: None, nth, fault: Fault::Io, for_ever: true });
    let committed = run.open().is_ok() && program.iter().all(|changes| run.commit(changes).is_ok());
    let lived = committed && (!shrinks || run.shrink().is_ok()) && run.close().is_ok();
    run.kill();
    run.moments(&[]);
    if lived { ControlFlow::Break(()) } else { ControlFlow::Continue(run) }
}

/// Kills one program at each of its calls, and lets the next process find what that leaves in the page cache.
fn kill_everywhere(number: u64, judge: &mut Judge) -> u64 {
    let before = judge.opened;
    let mut random = Random::of(seed(), number);
    let config = *random.pick(&*ALL_CONFIGS);
    let base = random_base(config, &mut random);
    let shrinks = random.one_in(4);
    let program = random_transactions(base.allowed[0].model.clone(), 3, &mut random);
    for nth in 1.. {
        for short in [None, Some(1), Some(600)] {
            match killed((config, &base), (&program, shrinks), (nth, short)) {
                ControlFlow::Continue(mut run) => recover(&mut run, &mut random, judge, 12),
                ControlFlow::Break(()) => return judge.opened - before,
            }
        }
    }
    unreachable!("a program ends")
}

#[test]
fn a_power_cut_while_recovering_from_one_loses_nothing() {
    let figure = Figure::new("second-order states opened after a power cut", Goals::of_this_run().second_order / 2);
    figure.each(Judge::new, |judge, number| {
        let before = judge.opened;
        random_program(number, |config, moment, random| cut_again(config, moment, (2, 20), random, judge));
        judge.opened - before
    });
    figure.tell("");
}

#[test]
fn a_power_cut_after_a_kill_loses_nothing() {
    let figure = Figure::new("second-order states opened after a kill", Goals::of_this_run().second_order / 2);
    figure.each(Judge::new, |judge, number| kill_everywhere(number, judge));
    figure.tell("");
}

/// That a short write, then death, leaves what a kill in the middle of a write leaves.
#[test]
fn a_kill_inside_a_write_leaves_a_part_of_it() {
    let mut random = Random::of(1, 1);
    let base = random_base(ALL_CONFIGS[0], &mut random);
    let changes = random_changes(&base.allowed[0].model, &mut random);
    // Calls 1 and 2 are the seal's write and sync.
    let mut run = Run::on(ALL_CONFIGS[0], &base, SimOptions::default());
    run.disk.plan(Plan { call: Some(Call::Write), nth: 2, fault: Fault::Short(600), for_ever: false });
    run.disk.plan(Plan { call: Some(Call::Write), nth: 3, fault: Fault::Io, for_ever: true });
    run.open().unwrap();
    run.commit(&changes).unwrap_err();
    let epochs = run.disk.take_epochs();
    let now = epochs.last().expect("the epoch of now");
    assert_eq!(now.in_flight().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [600]);
}
