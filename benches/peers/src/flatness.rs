//! How long a commit takes while the file has many free pages, no two of them neighbours, and how long opening it takes.
//!
//! An engine after the other: each file takes two pages for each free one.

use std::path::Path;
use std::time::{Duration, Instant};

use benches::workload::{Random, numbers};
use indicatif::ProgressBar;
use tempfile::TempDir;

use crate::child::Child;
use crate::contest::Programs;
use crate::engines::Peer;
use crate::journal::{Figures, Journal, Outcome, Subject};
use crate::{Durability, Keys, Operation, Reply, Result, Shape, Task};

/// What `--only` calls it.
pub const NAME: &str = "flatness";

/// Pairs beside the free pages, which the measured commits replace.
const PAIRS: u64 = 10_000;
/// Items of which each fills a page of 4 KiB.
const FILLER: Shape = Shape { keys: Keys::Ascending, value_bytes: 3072 };
/// Commits before the engine is asked how long they took.
const PORTION: usize = 100;
/// No line takes longer, as far as the number of commits decides.
const LINE: Duration = Duration::from_secs(30);

/// A kind of commit: name, bytes of the value that it puts, durability.
const COMMITS: [(&str, usize, Durability); 4] = [
    ("1 KiB, not synced", 1024, Durability::NotSynced),
    ("8 pages, not synced", 8 * 4096, Durability::NotSynced),
    ("64 pages, not synced", 64 * 4096, Durability::NotSynced),
    ("1 KiB, durable", 1024, Durability::Durable),
];

/// Opening after closing, and after the process was killed.
const OPENINGS: [&str; 2] = ["open", "open after a kill"];

/// The names of all lines for a number of free pages, as the journal has them.
pub fn lines() -> impl Iterator<Item = &'static str> {
    COMMITS.into_iter().map(|(name, ..)| name).chain(OPENINGS)
}

/// The entry of the journal for a line.
#[must_use]
pub fn subject(line: &str, peer: &Peer, free: u64) -> Subject {
    Subject { work: format!("{NAME}: {line}"), round: 0, engine: peer.name.to_owned(), pairs: free }
}

/// Measures all lines for an engine and a number of free pages, unless they are known.
///
/// # Errors
/// Those of the journal; what fails for the engine is kept there.
pub fn measure(
    peer: &Peer,
    (free, commits): (u64, usize),
    dir: &Path,
    programs: &Programs,
    journal: &mut Journal,
    progress: &ProgressBar,
) -> Result<()> {
    progress.set_message(format!("{} with {free} free pages", peer.title));
    if lines().any(|line| journal.outcome(&subject(line, peer, free)).is_none()) {
        let mut measured = Vec::new();
        let failed = run(peer, (free, commits), dir, programs, &mut measured).err().map(|error| error.to_string());
        for line in lines() {
            let figures = measured.iter().find(|(name, _)| *name == line).map(|(_, figures)| *figures);
            let failure = || Outcome::Failed(failed.clone().unwrap_or_default());
            journal.keep(subject(line, peer, free), figures.map_or_else(failure, Outcome::Done))?;
        }
    }
    progress.inc(1);
    Ok(())
}

fn run(
    peer: &Peer,
    (free, commits): (u64, usize),
    dir: &Path,
    programs: &Programs,
    measured: &mut Vec<(&'static str, Figures)>,
) -> Result<()> {
    let dir = TempDir::new_in(dir)?;
    let start = |durability| programs.start(peer, dir.path(), durability);
    let (mut child, _) = start(Durability::NotSynced)?;
    fragment(&mut child, free)?;
    let mut open = Durability::NotSynced;
    let mut random = Random::new(free);
    for (name, value_bytes, durability) in COMMITS {
        if open != durability {
            drop(child);
            (child, _) = start(durability)?;
            open = durability;
        }
        let mut portion = || {
            let shape = Shape { value_bytes, ..Shape::USUAL };
            child.ask(&Task { shape, ..Task::new(Operation::Put, 1, numbers(&mut random, PORTION, PAIRS)) })
        };
        portion()?;
        let mut whole = Reply::default();
        let begin = Instant::now();
        while whole.transactions.len() < commits && begin.elapsed() < LINE {
            whole.add(portion()?);
        }
        let operations = whole.transactions.len() as u64;
        measured.push((name, Figures::new(&whole, operations, child.anonymous())));
    }
    drop(child);
    // Once for nothing: the file's pages may have left memory.
    drop(start(Durability::NotSynced)?);
    let (mut child, opened) = start(Durability::NotSynced)?;
    measured.push((OPENINGS[0], Figures::new(&opened, 1, child.anonymous())));
    child.ask(&Task::new(Operation::Put, 1, vec![0]))?;
    child.kill();
    let (child, opened) = start(Durability::NotSynced)?;
    measured.push((OPENINGS[1], Figures::new(&opened, 1, child.anonymous())));
    Ok(())
}

/// Puts values that each fill a page, and deletes every second one.
fn fragment(child: &mut Child, free: u64) -> Result<()> {
    let mut ask = |operation, shape, numbers: &mut dyn Iterator<Item = u64>| -> Result<()> {
        let numbers: Vec<u64> = numbers.collect();
        for part in numbers.chunks(100_000) {
            child.ask(&Task { shape, ..Task::new(operation, 10_000, part.to_vec()) })?;
        }
        Ok(())
    };
    ask(Operation::Put, Shape::USUAL, &mut (0..PAIRS))?;
    ask(Operation::Put, FILLER, &mut (0..=2 * free))?;
    ask(Operation::Delete, FILLER, &mut (0..free).map(|number| 2 * number + 1))?;
    // What the last deletion freed may be used again after two more commits.
    (0..2).try_for_each(|number| ask(Operation::Put, Shape::USUAL, &mut [number].into_iter()))
}
