//! How much to do, and how it is told.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Figures to reach. `KV_BUDGET` names a budget; without it the suite is short enough for every test run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) name: &'static str,
    /// Operations a transaction, and transactions a program, up to which every program is run.
    pub(crate) exhaustive: usize,
    pub(crate) crash_states: u64,
    pub(crate) second_order: u64,
    pub(crate) failed_sync: u64,
    /// Commits of the run whose every sync fails in turn.
    pub(crate) commits: usize,
    /// Programs whose every call fails in turn.
    pub(crate) workloads: u64,
}

const BUDGETS: [Budget; 4] = [
    Budget {
        name: "short",
        exhaustive: 2,
        crash_states: 60_000,
        second_order: 4_000,
        failed_sync: 3_000,
        commits: 20,
        workloads: 25,
    },
    Budget {
        name: "push",
        exhaustive: 3,
        crash_states: 1_000_000,
        second_order: 100_000,
        failed_sync: 50_000,
        commits: 200,
        workloads: 50,
    },
    Budget {
        name: "nightly",
        exhaustive: 3,
        crash_states: 50_000_000,
        second_order: 5_000_000,
        failed_sync: 2_000_000,
        commits: 200,
        workloads: 2_000,
    },
    Budget {
        name: "release",
        exhaustive: 3,
        crash_states: 500_000_000,
        second_order: 50_000_000,
        failed_sync: 20_000_000,
        commits: 200,
        workloads: 20_000,
    },
];

impl Budget {
    /// The one that `KV_BUDGET` names. `KV_STATES` replaces its number of crash states.
    pub(crate) fn of_this_run() -> Budget {
        let name = std::env::var("KV_BUDGET").unwrap_or_else(|_| "short".into());
        let names = BUDGETS.map(|budget| budget.name);
        let budget = BUDGETS.into_iter().find(|budget| budget.name == name);
        let mut budget = budget.unwrap_or_else(|| panic!("KV_BUDGET={name}: it is one of {names:?}"));
        budget.crash_states = number("KV_STATES").unwrap_or(budget.crash_states);
        budget
    }
}

/// The seed of everything random: `KV_SEED`, or 1.
pub(crate) fn seed() -> u64 {
    number("KV_SEED").unwrap_or(1)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Counts towards a goal from several threads, and tells the figure in the end.
pub(crate) struct Figure {
    what: &'static str,
    goal: u64,
    count: AtomicU64,
    next: AtomicU64,
    failed: AtomicBool,
    began: Instant,
}

impl Figure {
    pub(crate) fn new(what: &'static str, goal: u64) -> Figure {
        let (count, next) = (AtomicU64::new(0), AtomicU64::new(0));
        Figure { what, goal, count, next, failed: AtomicBool::new(false), began: Instant::now() }
    }

    pub(crate) fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Calls `work` with 0, 1, 2 ... until the goal is reached; it returns what to count. See [`each_of`](Self::each_of).
    pub(crate) fn each<W>(&self, worker: impl Fn() -> W + Sync, work: impl Fn(&mut W, u64) -> u64 + Sync) {
        self.on_all_processors(&|| self.count() >= self.goal, &worker, &work);
    }

    /// Calls `work` with each number below `end`, on as many threads as there are processors, and counts what it
    /// returns. Each thread has a `worker` of its own. A panic says which number it was.
    pub(crate) fn each_of<W>(&self, end: u64, worker: impl Fn() -> W + Sync, work: impl Fn(&mut W, u64) -> u64 + Sync) {
        self.on_all_processors(&|| self.next.load(Ordering::Relaxed) >= end, &worker, &|worker, number| {
            if number < end { work(worker, number) } else { 0 }
        });
    }

    fn on_all_processors<W>(
        &self,
        done: &(dyn Fn() -> bool + Sync),
        worker: &(impl Fn() -> W + Sync),
        work: &(impl Fn(&mut W, u64) -> u64 + Sync),
    ) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let one_thread = || {
            let mut worker = worker();
            while !self.failed.load(Ordering::Relaxed) && !done() {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                match catch_unwind(AssertUnwindSafe(|| work(&mut worker, number))) {
                    Ok(count) => self.add(count),
                    Err(panic) => {
                        self.failed.store(true, Ordering::Relaxed);
                        println!("{}: number {number} of seed {} has failed", self.what, seed());
                        resume_unwind(panic);
                    }
                }
            }
        };
        self.next.store(0, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(one_thread);
            }
        });
    }

    /// Prints the figure, as the documents quote it.
    pub(crate) fn tell(&self, more: &str) {
        let (count, seconds) = (self.count(), self.began.elapsed().as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let rate = count as f64 / seconds;
        let budget = Budget::of_this_run().name;
        println!(
            "\n{}: {count}, 0 wrong{more}, {rate:.0}/s, seed {}, {seconds:.1} seconds, budget {budget}",
            self.what,
            seed()
        );
        assert!(count >= self.goal, "only {count} of {}", self.goal);
    }
}
