//! Every sync of a long run fails once, in three kinds of kernel; the program goes on or opens the file again; then the
//! power fails. (bbolt goes on, and in one of 200 such runs the file survived.)

use kv::{Durability, Error};
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::Settings;
use pagefile_std::sim::{Call, Fault, Kernel, Plan, SimOptions};

use crate::budget::Goals;
use crate::config::{ALL_CONFIGS, Base, Changes, filled, random_transactions};
use crate::judge::{Judge, strategy};
use crate::run::Run;
use crate::second_order::recover;

pub(crate) const KERNELS: [Kernel; 3] = [Kernel::StaysDirty, Kernel::CleanNew, Kernel::Reverted];

/// What happened when a call failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failed {
    Nowhere,
    Opening,
    Committing,
    Closing,
}

/// Goes through the program until something fails. Where commits become durable later, it syncs after every third.
fn until_it_fails(run: &mut Run, program: &[Changes]) -> Failed {
    if run.open().is_err() {
        return Failed::Opening;
    }
    for (number, changes) in program.iter().enumerate() {
        let later = run.is_eventual() && number % 3 == 2;
        let done = run.commit(changes).and_then(|()| if later { run.sync() } else { Ok(()) });
        if let Err(error) = done {
            tells_the_truth(&error);
            return Failed::Committing;
        }
    }
    match run.close() {
        Ok(()) => Failed::Nowhere,
        Err(error) => {
            tells_the_truth(&error);
            Failed::Closing
        }
    }
}

/// A commit that failed says one of two things.
pub(crate) fn tells_the_truth(error: &Error) {
    assert!(matches!(error, Error::NotCommitted { .. } | Error::Unknown { .. }), "a failed commit says {error}");
}

/// What a handle shows and allows once something has failed: the state before, and no more writes.
pub(crate) fn refuses_and_shows(run: &Run) {
    assert!(run.shows_what_was_acknowledged(), "readers see what was not acknowledged");
    if run.is_eventual() {
        // The first who asks may be told that commits which had returned are lost.
        let _ = run.db().begin_write().map(drop);
    }
    assert!(matches!(run.db().begin_write(), Err(Error::Poisoned)), "writes are refused");
    let updated = run.db().update(|tx| tx.create_bucket("late").map(|_| ()));
    assert!(matches!(updated, Err(Error::Poisoned)), "writes are refused");
    assert!(run.db().sync().is_err(), "a sync is not tried again");
}

/// One run in which sync number `nth` fails. Returns whether it had so many.
pub(crate) fn fail_sync(
    (config, base, program): (Settings, &Base, &[Changes]),
    (nth, kernel, reopen): (u64, Kernel, bool),
    images: u64,
    judge: &mut Judge,
) -> bool {
    let mut run = Run::on(config, base, SimOptions { kernel, ..SimOptions::default() });
    run.disk.plan(Plan { call: Some(Call::Sync), nth, fault: Fault::Io, for_ever: false });
    let failed = until_it_fails(&mut run, program);
    if failed == Failed::Nowhere {
        return false;
    }
    if failed == Failed::Committing {
        refuses_and_shows(&run);
    }
    // What is durable is what the last successful sync left; all that came later may be there or not.
    let moment = run.moments(&[]).pop().expect("the epoch of now");
    let mut random = Random::of(seed(), nth);
    // Whoever opens it next need not know that commits became durable later.
    let durability = if run.is_eventual() { Durability::Log } else { config.durability };
    run.config = Settings { durability, ..config };
    if reopen {
        run.kill();
        recover(&mut run, &mut random, judge, images.div_ceil(6));
    } else {
        let judged = judge.some(run.config, &moment, &strategy(6, 10, nth), images);
        judged.unwrap_or_else(|wrong| panic!("carried on after sync {nth} failed in {kernel:?}: an image {wrong}"));
    }
    true
}

#[test]
fn no_failed_sync_loses_anything() {
    let goals = Goals::of_this_run();
    let figure = Figure::new("failed-sync states opened", goals.failed_sync);
    let mut round = 0;
    let mut syncs = 0;
    while figure.count() < goals.failed_sync {
        let mut random = Random::of(seed(), round);
        let config = ALL_CONFIGS[usize::try_from(round % 8).expect("0 to 7")];
        let base = Base::of(config, &[filled(20, 60)], true);
        let program = random_transactions(base.allowed[0].model.clone(), goals.commits, &mut random);
        let all = how_many_syncs(config, &base, &program);
        // Two ways to go on, three kernels, every sync.
        // Some moments have fewer images than are asked for.
        let images = (goals.failed_sync / (all * 4)).clamp(20, 60);
        figure.each_of(all * 6, Judge::new, |judge, number| {
            let before = judge.opened;
            let kernel = KERNELS[usize::try_from(number / 2 % 3).expect("0 to 2")];
            let how = (number / 6 + 1, kernel, number % 2 == 1);
            assert!(fail_sync((config, &base, &program), how, images, judge), "there are {all} syncs");
            judge.opened - before
        });
        syncs += all;
        round += 1;
    }
    figure.tell(&format!(", each of {syncs} syncs of {round} runs of {} commits", goals.commits));
}

fn how_many_syncs(config: Settings, base: &Base, program: &[Changes]) -> u64 {
    let mut run = Run::on(config, base, SimOptions::default());
    assert_eq!(until_it_fails(&mut run, program), Failed::Nowhere);
    let epochs = run.disk.take_epochs();
    epochs.len() as u64 - 1
}
