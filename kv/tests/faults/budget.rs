//! How much to do, by budget.

use kv_testkit::budget::Budget;

/// Figures to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goals {
    pub(crate) kills: u64,
    /// Flipped bits of each file.
    pub(crate) flips: u64,
    /// Commits of the stress test.
    pub(crate) commits: u64,
    /// Further ways in which each system call fails: for ever, and with another error.
    pub(crate) every_fault: bool,
}

const GOALS: [Goals; 4] = [
    Goals { kills: 25, flips: 1_000, commits: 300, every_fault: false },
    Goals { kills: 200, flips: 10_000, commits: 2_000, every_fault: true },
    // Every bit of the files.
    Goals { kills: 10_000, flips: u64::MAX, commits: 100_000, every_fault: true },
    Goals { kills: 100_000, flips: u64::MAX, commits: 1_000_000, every_fault: true },
];

/// Those of the budget of this run.
pub(crate) fn goals() -> Goals {
    *Budget::of_this_run().of(&GOALS)
}
