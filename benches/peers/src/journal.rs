//! The figures, in a file that grows by a line for each as soon as it is there. A run that was interrupted goes on.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Reply, Result};

/// What was measured, by whom, on what.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
pub struct Subject {
    /// The work, or what of flatness.
    pub work: String,
    /// Which round.
    pub round: usize,
    /// The engine's name.
    pub engine: String,
    /// Pairs in the store, or free pages.
    pub pairs: u64,
}

/// What came of it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub enum Outcome {
    /// It was done.
    Done(Figures),
    /// The engine did not do it, and why.
    Failed(String),
}

/// Times in nanoseconds: of an operation, and of a write transaction.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
pub struct Figures {
    /// Time on the wall, of an operation.
    pub wall: f64,
    /// Processor time, of an operation.
    pub cpu: f64,
    /// Of the write transactions, the one in the middle.
    pub p50: f64,
    /// Of a hundred write transactions, one takes longer.
    pub p99: f64,
    /// The longest write transaction.
    pub max: f64,
    /// Bytes of memory that belong to the process alone.
    pub anonymous: Option<u64>,
}

impl Figures {
    /// Those of a reply.
    #[must_use]
    pub fn new(reply: &Reply, operations: u64, anonymous: Option<u64>) -> Self {
        let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9;
        #[allow(clippy::cast_precision_loss, reason = "there are fewer operations")]
        let each = |time: Duration| nanoseconds(time) / operations.max(1) as f64;
        let mut transactions = reply.transactions.clone();
        transactions.sort_unstable();
        let last = transactions.len().saturating_sub(1);
        let percentile = |percent| transactions.get(last * percent / 100).copied().map_or(0.0, nanoseconds);
        let (p50, p99, max) = (percentile(50), percentile(99), percentile(100));
        Self { wall: each(reply.wall), cpu: each(reply.cpu), p50, p99, max, anonymous }
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    subject: Subject,
    outcome: Outcome,
}

/// All figures so far.
#[derive(Debug)]
pub struct Journal {
    file: File,
    outcomes: HashMap<Subject, Outcome>,
}

impl Journal {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// Those of the file. A line that was not written whole ends what is read.
    pub fn open(path: &Path) -> Result<Self> {
        let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut outcomes = HashMap::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let damaged = |error| format!("{}, line {}: {error}; remove the line", path.display(), number + 1);
            let Line { subject, outcome } = serde_json::from_str(line).map_err(damaged)?;
            outcomes.insert(subject, outcome);
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Self { file, outcomes })
    }

    /// Keeps an outcome.
    ///
    /// # Errors
    /// Those of the file.
    pub fn keep(&mut self, subject: Subject, outcome: Outcome) -> Result<()> {
        let line = Line { subject, outcome };
        writeln!(self.file, "{}", serde_json::to_string(&line)?)?;
        self.outcomes.insert(line.subject, line.outcome);
        Ok(())
    }

    /// What came of a subject, if it was tried.
    #[must_use]
    pub fn outcome(&self, subject: &Subject) -> Option<&Outcome> {
        self.outcomes.get(subject)
    }

    /// The figures of a subject.
    #[must_use]
    pub fn figures(&self, subject: &Subject) -> Option<Figures> {
        match self.outcome(subject)? {
            Outcome::Done(figures) => Some(*figures),
            Outcome::Failed(_) => None,
        }
    }

    /// All failures, in a fixed order.
    #[must_use]
    pub fn failures(&self) -> Vec<(&Subject, &str)> {
        let mut failures: Vec<_> = self
            .outcomes
            .iter()
            .filter_map(|(subject, outcome)| match outcome {
                Outcome::Failed(why) => Some((subject, why.as_str())),
                Outcome::Done(_) => None,
            })
            .collect();
        failures.sort_by_key(|(subject, _)| (&subject.work, subject.pairs, &subject.engine, subject.round));
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(engine: &str) -> Subject {
        Subject { work: "get".into(), round: 1, engine: engine.into(), pairs: 7 }
    }

    #[test]
    fn what_was_kept_is_there_the_next_time_and_half_a_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let done = Outcome::Done(Figures { wall: 1.5, anonymous: Some(4096), ..Figures::default() });
        let mut journal = Journal::open(&path).unwrap();
        journal.keep(subject("one"), done.clone()).unwrap();
        journal.keep(subject("other"), Outcome::Failed("disk full".into())).unwrap();
        write!(journal.file, "{{\"work\":").unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.outcome(&subject("one")), Some(&done));
        assert_eq!(journal.failures(), [(&subject("other"), "disk full")]);
        journal.keep(subject("third"), done.clone()).unwrap();
        assert_eq!(Journal::open(&path).unwrap().outcome(&subject("third")), Some(&done));
    }

    #[test]
    fn percentiles_are_those_of_the_transactions() {
        let transactions = (1..=101).rev().map(Duration::from_nanos).collect();
        let reply = Reply { wall: Duration::from_nanos(500), transactions, ..Reply::default() };
        let figures = Figures::new(&reply, 100, None);
        assert_eq!((figures.wall, figures.p50, figures.p99, figures.max), (5.0, 51.0, 100.0, 101.0));
    }
}
