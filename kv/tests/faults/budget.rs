//! How much to do, and how it is told: the same variables and the same lines as in `kv/tests/crash`.

use std::time::Instant;

/// Figures to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    name: &'static str,
    pub(crate) kills: u64,
    /// Flipped bits of each file.
    pub(crate) flips: u64,
    /// Commits of the stress test.
    pub(crate) commits: u64,
    /// Further ways in which each system call fails: for ever, and with another error.
    pub(crate) every_fault: bool,
}

const BUDGETS: [Budget; 4] = [
    Budget { name: "short", kills: 25, flips: 1_000, commits: 300, every_fault: false },
    Budget { name: "push", kills: 200, flips: 10_000, commits: 2_000, every_fault: true },
    // Every bit of the files.
    Budget { name: "nightly", kills: 10_000, flips: u64::MAX, commits: 100_000, every_fault: true },
    Budget { name: "release", kills: 100_000, flips: u64::MAX, commits: 1_000_000, every_fault: true },
];

/// The budget that `KV_BUDGET` names; the short one without.
pub(crate) fn budget() -> Budget {
    let name = std::env::var("KV_BUDGET").unwrap_or_else(|_| "short".into());
    let names = BUDGETS.map(|budget| budget.name);
    let found = BUDGETS.into_iter().find(|budget| budget.name == name);
    found.unwrap_or_else(|| panic!("KV_BUDGET={name}: it is one of {names:?}"))
}

/// The seed of everything random: `KV_SEED`, or 1.
pub(crate) fn seed() -> u64 {
    let text = std::env::var("KV_SEED").unwrap_or_else(|_| "1".into());
    text.parse().unwrap_or_else(|_| panic!("KV_SEED={text} is not a number"))
}

/// Prints a figure, as the documents quote it.
pub(crate) fn tell(what: &str, count: u64, more: &str, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = count as f64 / seconds;
    println!(
        "{what}: {count}, 0 wrong{more}, {rate:.0}/s, seed {}, {seconds:.1} seconds, budget {}",
        seed(),
        budget().name
    );
}
