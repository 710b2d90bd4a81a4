//! Makes a failing case small: leaves out steps, then commands, in ever smaller runs, as long as it still fails.

use std::time::{Duration, Instant};

use crate::case::Case;
use crate::program::Step;

const TIME_LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Part {
    Steps,
    Commands,
}

/// The smallest failing case found in the time allowed, and how it fails.
pub fn shrink(mut case: Case, mut failure: String, mut fails: impl FnMut(&Case) -> Option<String>) -> (Case, String) {
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

/// The case without the steps or commands numbered from `start` to before `end`. Turns stay, even empty ones: who does
/// what depends on their number.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::case;
    use crate::model::Model;
    use crate::program::{Action, Command};

    #[test]
    fn what_does_not_matter_is_left_out() {
        let matters = |command: &Command| matches!(command.action, Action::NextSequence);
        let fails = |case: &Case| {
            let steps = case.turns.iter().flat_map(|turn| &turn.program);
            let hit = steps.clone().any(|step| match step {
                Step::Transaction(transaction) => transaction.commands.iter().any(matters),
                Step::Reopen => false,
            });
            hit.then(|| format!("{} steps", steps.count()))
        };
        let whole = (1..100).map(|seed| case(seed, Model::default(), true)).find(|case| fails(case).is_some()).unwrap();
        let (small, failure) = shrink(whole, String::new(), fails);
        assert_eq!((count(&small, Part::Steps), count(&small, Part::Commands), &failure[..]), (1, 1, "1 steps"));
    }
}
