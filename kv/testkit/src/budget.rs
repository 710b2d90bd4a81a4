//! How much the tests do, and with which seed: what the environment says.
//!
//! | variable | |
//! | --- | --- |
//! | `KV_BUDGET` | `short`, `push`, `nightly` or `release`; short without it |
//! | `KV_SEED` | the seed of everything random; 1 without it |

use std::env;

/// A budget; each suite has a table of what it does for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    /// Part of every test run: seconds.
    Short,
    /// For every push: minutes.
    Push,
    /// For every night: hours.
    Nightly,
    /// Before a release: a day.
    Release,
}

impl Budget {
    const ALL: [(&str, Self); 4] =
        [("short", Self::Short), ("push", Self::Push), ("nightly", Self::Nightly), ("release", Self::Release)];

    /// The budget that `KV_BUDGET` names.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn of_this_run() -> Self {
        let name = env::var("KV_BUDGET").unwrap_or_else(|_| "short".into());
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        let names = Self::ALL.map(|(name, _)| name);
        found.unwrap_or_else(|| panic!("KV_BUDGET={name}: it is one of {names:?}")).1
    }

    /// Whether somebody asked for a budget: then nothing may be left out.
    #[must_use]
    pub fn is_asked_for() -> bool {
        env::var_os("KV_BUDGET").is_some()
    }

    /// What `KV_BUDGET` says.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// This budget's row of a table: short, push, nightly, release.
    pub fn of<T>(self, table: &[T; 4]) -> &T {
        &table[self as usize]
    }
}

/// The seed of everything random: `KV_SEED`, or 1.
#[must_use]
pub fn seed() -> u64 {
    number("KV_SEED", 1)
}

/// The number in a variable of the environment.
///
/// # Panics
/// If it is not a number.
#[must_use]
pub fn number(variable: &str, default: u64) -> u64 {
    let Ok(text) = env::var(variable) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number"))
}
