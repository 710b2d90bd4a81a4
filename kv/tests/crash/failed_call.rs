//! The n-th system call fails, for every n: once, and from then on.
//!
//! A short write and an interrupted call are no failures, and nothing may come of them. An I/O error or a full disk ends
//! the transaction with `NotCommitted` or `Unknown`; the handle then shows the state before and refuses writes, and the
//! file opens again to a whole state.

use kv::Error;
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::{Action, Settings};
use pagefile_std::sim::{Call, Fault, Plan, SimOptions};

use crate::budget::Goals;
use crate::config::{ALL_CONFIGS, Base, Changes, on, random_transactions};
use crate::failed_sync::{refuses_and_shows, tells_the_truth};
use crate::first_order::random_base;
use crate::judge::{Judge, strategy};
use crate::run::Run;

const FAULTS: [Fault; 6] =
    [Fault::Io, Fault::Full, Fault::Short(1), Fault::Short(512), Fault::Short(1500), Fault::Interrupted];

/// A kind of database, a file, and what is done to it.
struct Workload {
    config: Settings,
    base: Base,
    program: Vec<Changes>,
    shrinks: bool,
}

impl Workload {
    fn number(number: u64) -> Workload {
        let mut random = Random::of(seed(), number);
        let config = ALL_CONFIGS[usize::try_from(number % 8).expect("0 to 7")];
        let base = random_base(config, &mut random);
        let shrinks = number / 4 % 2 == 1;
        let program = random_transactions(base.allowed[0].model.clone(), if shrinks { 1 } else { 3 }, &mut random);
        Workload { config, base, program, shrinks }
    }

    /// Runs it with one plan for its calls. Returns whether the plan came to be carried out.
    fn with(&self, plan: Plan, judge: &mut Judge) -> bool {
        let mut run = Run::on(self.config, &self.base, SimOptions::default());
        run.disk.plan(plan);
        let result = run.open();
        let opened = result.is_ok();
        let result = self.program.iter().fold(result, |result, changes| result.and_then(|()| run.commit(changes)));
        let result = result.and_then(|()| if self.shrinks { run.shrink() } else { Ok(()) });
        let harmless = matches!(plan.fault, Fault::Short(_) | Fault::Interrupted);
        assert!(!harmless || result.is_ok(), "{plan:?} is no failure");
        if opened && let Err(error) = &result {
            tells_the_truth(error);
            refuses_and_shows(&run);
        }
        let closed = if opened && result.is_ok() { run.close() } else { Ok(()) };
        assert!(!harmless || closed.is_ok(), "{plan:?} is no failure");
        if let Err(error) = &closed {
            tells_the_truth(error);
        }
        let reached = run.disk.calls() >= plan.nth;
        self.afterwards(run, plan, judge);
        reached
    }

    /// The next process finds a whole state, and so does the one after a power cut.
    fn afterwards(&self, mut run: Run, plan: Plan, judge: &mut Judge) {
        run.kill();
        let now = run.moments(&[]).pop().expect("the epoch of now");
        let judged = judge.some(self.config, &now, &strategy(4, 4, plan.nth), 6);
        judged.unwrap_or_else(|wrong| panic!("after {plan:?} an image {wrong}"));
        run.open().unwrap_or_else(|error| panic!("after {plan:?} it does not open: {error}"));
        assert_eq!(run.db().begin_read().check().expect("it can be read"), []);
        run.commit(&on("late", Action::Create)).unwrap_or_else(|error| panic!("after {plan:?} no commit: {error}"));
        assert!(run.shows_what_was_acknowledged());
        run.close().expect("nothing fails any more");
    }
}

#[test]
fn every_call_may_fail() {
    let goals = Goals::of_this_run();
    let figure = Figure::new("runs with a failing call", goals.workloads);
    figure.each_of(goals.workloads, Judge::new, |judge, number| {
        let workload = Workload::number(number);
        let mut runs = 0;
        for fault in FAULTS {
            for for_ever in [false, true] {
                let mut nth = 1;
                while workload.with(Plan { call: None, nth, fault, for_ever }, judge) {
                    nth += 1;
                }
                runs += nth - 1;
            }
        }
        runs
    });
    figure.tell(&format!(", every call of {} workloads", goals.workloads));
}

/// A read that fails while the database is being opened: an error, and nothing has changed.
#[test]
fn every_read_of_the_opening_may_fail() {
    for number in 0..8 {
        let workload = Workload::number(number);
        for nth in 1..=2 {
            let mut run = Run::on(workload.config, &workload.base, SimOptions::default());
            run.disk.plan(Plan { call: Some(Call::Read), nth, fault: Fault::Io, for_ever: false });
            assert!(matches!(run.open(), Err(Error::Store(_))), "read {nth}");
            run.kill();
            run.open().expect("the disk reads again");
        }
    }
}
