//! Makes a failing case small: leaves out steps, then commands, in ever smaller
//! runs, as long as it still fails.

use std::time::{Duration, Instant};

use crate::generate::Case;
use crate::program::Step;

const TIME_LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Part {
    Steps,
    Commands,
}

/// The smallest failing case found in the time allowed, and how it fails.
pub(crate) fn shrink(
    mut case: Case,
    mut failure: String,
    mut fails: impl FnMut(&Case) -> Option<String>,
) -> (Case, String) {
    let deadline = Instant::now() + TIME_LIMIT;
    let mut progress = true;
    while progress {
        progress = false;
        for part in [Part::Steps, Part::Commands] {
            let mut run = count(&case, part).div_ceil(2);
            while run > 0 {
                let mut start = 0;
                while start < count(&case, part) {
                    if Instant::now() > deadline {
                        return (case, failure);
                    }
                    let smaller = without(&case, part, start, start + run);
                    if let Some(message) = fails(&smaller) {
                        (case, failure) = (smaller, message);
                        progress = true;
                    } else {
                        start += run;
                    }
                }
                run /= 2;
            }
        }
    }
    (case, failure)
}

/// Whether bbolt goes wrong at a command of the case, which leaving out others
/// can bring about.
pub(crate) fn defeats_bbolt(case: &Case) -> bool {
    let mut model = case.model();
    for step in case.turns.iter().flat_map(|turn| &turn.program) {
        let Step::Transaction(transaction) = step else { continue };
        let before = model.begin();
        for command in &transaction.commands {
            if model.defeats_bbolt(command) {
                return true;
            }
            let _ = model.execute(command);
        }
        if !transaction.commits {
            model = before;
        }
    }
    false
}

fn count(case: &Case, part: Part) -> usize {
    let steps = case.turns.iter().flat_map(|turn| &turn.program);
    match part {
        Part::Steps => steps.count(),
        Part::Commands => steps.map(commands).sum(),
    }
}

fn commands(step: &Step) -> usize {
    match step {
        Step::Transaction(transaction) => transaction.commands.len(),
        Step::Reopen => 0,
    }
}

/// The case without the steps or commands numbered from `start` to before `end`.
/// Turns stay, even empty ones: who does what depends on their number.
fn without(case: &Case, part: Part, start: usize, end: usize) -> Case {
    let mut smaller = case.clone();
    let mut index = 0;
    let mut keep = move || {
        index += 1;
        !(start..end).contains(&(index - 1))
    };
    for turn in &mut smaller.turns {
        match part {
            Part::Steps => turn.program.retain(|_| keep()),
            Part::Commands => {
                for step in &mut turn.program {
                    if let Step::Transaction(transaction) = step {
                        transaction.commands.retain(|_| keep());
                    }
                }
            }
        }
    }
    smaller
}
