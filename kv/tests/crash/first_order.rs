//! Power cuts at random programs.

use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::Settings;

use crate::budget::Goals;
use crate::config::{ALL_CONFIGS, Base, LONG, filled, puts, random_changes};
use crate::judge::{Judge, Moment, strategy};
use crate::run::Run;

/// A file to start from: empty, a few pages, or a tree of three levels; after a clean close or not.
pub(crate) fn random_base(config: Settings, random: &mut Random) -> Base {
    let closed = random.one_in(2);
    match random.below(4) {
        0 => Base::of(config, &[], closed),
        1 | 2 => Base::of(config, &[filled(15, 40)], closed),
        _ => Base::of(config, &[filled(40, 100), puts("a", LONG, 30, 200)], closed),
    }
}

/// Runs program `number`; every moment of it is shown to `each`.
pub(crate) fn random_program(number: u64, mut each: impl FnMut(Settings, &Moment, &mut Random)) {
    let mut random = Random::of(seed(), number);
    let config = *random.pick(&*ALL_CONFIGS);
    let base = random_base(config, &mut random);
    let mut run = Run::on(config, &base, pagefile_std::sim::SimOptions::default());
    let mut show = |run: &mut Run, random: &mut Random, step: &dyn Fn(&mut Run)| {
        for moment in run.step(step).1 {
            each(config, &moment, random);
        }
    };
    show(&mut run, &mut random, &|run| run.open().expect("a whole file opens"));
    for _ in 0..2 + random.below(10) {
        let changes = random_changes(run.model(), &mut random);
        show(&mut run, &mut random, &|run| run.commit(&changes).expect("nothing fails"));
        match random.below(10) {
            0 => run.hold(),
            1 => run.release(),
            2 => show(&mut run, &mut random, &|run| run.shrink().expect("nothing fails")),
            3 => {
                show(&mut run, &mut random, &|run| run.close().expect("nothing fails"));
                run.kill();
                show(&mut run, &mut random, &|run| run.open().expect("a whole file opens"));
            }
            _ => {}
        }
    }
    run.release();
    show(&mut run, &mut random, &|run| run.close().expect("nothing fails"));
}

#[test]
fn every_power_cut_leaves_the_old_state_or_the_new_one() {
    let figure = Figure::new("crash states opened", Goals::of_this_run().crash_states);
    crate::exhaustive::every_small_program(&figure);
    let (exhaustive, mut programs) = (figure.count(), std::sync::atomic::AtomicU64::new(0));
    figure.each(Judge::new, |judge, number| {
        let before = judge.opened;
        random_program(number, |config, moment, random| {
            // Mostly broad, now and then deep.
            let few = if random.one_in(40) { 11 } else { 6 };
            let strategy = strategy(few, if few > 6 { 200 } else { 20 }, seed() ^ number);
            judge.all(config, moment, &strategy).unwrap_or_else(|wrong| panic!("an image {wrong}"));
        });
        programs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        judge.opened - before
    });
    figure.tell(&format!(", {exhaustive} of every small program and the rest of {} random ones", programs.get_mut()));
}
