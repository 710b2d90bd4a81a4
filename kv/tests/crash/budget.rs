//! How much to do, by budget.

use kv_testkit::budget::{Budget, number};

/// Figures to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goals {
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

const SHORT: Goals =
    Goals { exhaustive: 2, crash_states: 60_000, second_order: 4_000, failed_sync: 3_000, commits: 20, workloads: 25 };

const PUSH: Goals = Goals {
    exhaustive: 3,
    crash_states: 1_350_000,
    second_order: 100_000,
    failed_sync: 50_000,
    commits: 200,
    workloads: 50,
};

const NIGHTLY: Goals =
    Goals { crash_states: 50_000_000, second_order: 5_000_000, failed_sync: 2_000_000, workloads: 2_000, ..PUSH };

const RELEASE: Goals =
    Goals { crash_states: 500_000_000, second_order: 50_000_000, failed_sync: 20_000_000, workloads: 20_000, ..PUSH };

impl Goals {
    /// Those of the budget of this run. `KV_STATES` replaces the number of crash states.
    pub(crate) fn of_this_run() -> Goals {
        let goals = *Budget::of_this_run().of(&[SHORT, PUSH, NIGHTLY, RELEASE]);
        Goals { crash_states: number("KV_STATES", goals.crash_states), ..goals }
    }
}
