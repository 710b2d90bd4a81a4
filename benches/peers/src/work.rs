//! The works: what is measured, and how much of it makes a round.

use benches::workload::{Random, numbers};

use crate::oracle::Oracle;
use crate::{Durability, Operation, Task};

/// One line of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What the table calls it: what is done, and the operation that is counted.
    pub title: &'static str,
    /// What is done.
    pub kind: Kind,
    /// How many numbers a round has, where the number of pairs does not decide.
    pub numbers: usize,
    /// How the store is opened for it.
    pub durability: Durability,
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// All pairs into an empty store, so many a transaction.
    Load(usize),
    /// Five times as many into an empty store, in key order, in one transaction.
    LoadInOrder,
    /// Reads, by so many threads.
    Read(Operation, usize, usize),
    /// The whole store from the first key on.
    ScanAll,
    /// Gets and scans in a new process, which then tells its memory.
    Memory,
    /// Transactions of so many new pairs.
    Put(usize),
    /// Single puts by so many threads at once, each a transaction of its own.
    PutBy(usize),
    /// The same, with the call that an engine has for it.
    Batch(usize),
    /// Half of all pairs in random order deleted and put again, so many a transaction.
    Churn(usize),
    /// A range of half of all pairs deleted.
    DeleteRange,
    /// Half of all pairs, all over the store, deleted.
    Retain,
}

/// What a store must hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Contents {
    /// Something, or nothing.
    Unknown,
    /// Nothing.
    Nothing,
    /// All pairs, and others that were put since.
    Loaded,
    /// All pairs as the usual load has put them.
    JustLoaded,
}

const fn work(name: &'static str, title: &'static str, kind: Kind, numbers: usize, durability: Durability) -> Work {
    Work { name, title, kind, numbers, durability }
}

/// The work that fills the stores for those that read.
pub const USUAL_LOAD: Work = work(
    "load",
    "load in random order, 10,000 a transaction, not synced: a put",
    Kind::Load(10_000),
    0,
    Durability::NotSynced,
);

/// All works, in the order in which they are done. Those that read come before those that change what they read.
pub const WORKS: &[Work] = {
    use Durability::{Durable, NotSynced};
    use Kind::{Batch, Churn, DeleteRange, Load, LoadInOrder, Memory, Put, PutBy, Read, Retain, ScanAll};
    use Operation::{Get, GetMany, Scan};
    const ALL: usize = usize::MAX;
    &[
        work("load-one-tx", "load in random order, one transaction, not synced: a put", Load(ALL), 0, NotSynced),
        work("load-in-order", "load in key order, one transaction, not synced: a put", LoadInOrder, 0, NotSynced),
        USUAL_LOAD,
        work("get", "random get", Read(Get, ALL, 1), 200_000, Durable),
        work("get-2-threads", "random get, 2 threads", Read(Get, ALL, 2), 200_000, Durable),
        work("begin-get-end", "begin, random get, end", Read(Get, 1, 1), 200_000, Durable),
        work("get-many", "64 random keys in one call: a get", Read(GetMany, 64, 1), 200_000, Durable),
        work("scan-10", "scan of 10", Read(Scan, 10, 1), 50_000, Durable),
        work("scan-1000", "scan of 1,000", Read(Scan, 1000, 1), 2_000, Durable),
        work("scan-all", "scan of everything: an item", ScanAll, 0, Durable),
        work("memory", "random gets and scans of 1,000 by a new process: a get or scan", Memory, 200_000, Durable),
        work("put-durable", "single put, durable", Put(1), 400, Durable),
        work("put-100-durable", "transaction of 100 random puts, durable", Put(100), 6_000, Durable),
        work("put", "single put, not synced", Put(1), 20_000, NotSynced),
        work("batch-100-threads", "single put, 100 threads, durable", Batch(100), 10_000, Durable),
        work("put-100-threads", "single put, 100 threads, a transaction each, durable", PutBy(100), 10_000, Durable),
        work("churn", "delete half, put it again, 1,000 a transaction, durable: a pair", Churn(1000), 0, Durable),
        work("delete-range", "delete a range of half of all pairs, durable: a pair", DeleteRange, 0, Durable),
        work("retain", "delete every second pair, durable: a pair", Retain, 0, Durable),
    ]
};

/// A work in a round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Round {
    /// What is done and measured.
    pub tasks: Vec<Task>,
    /// The operations that are counted.
    pub operations: u64,
    /// What it must read.
    pub sum: u64,
    /// What is read afterwards, and must be found.
    pub proof: Option<(Task, u64)>,
}

impl Work {
    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKS.iter().find(|work| work.name == name)
    }

    /// What the store must hold before it.
    #[must_use]
    pub const fn before(&self) -> Contents {
        match self.kind {
            Kind::Load(_) | Kind::LoadInOrder => Contents::Nothing,
            Kind::Put(_) | Kind::PutBy(_) | Kind::Batch(_) => Contents::Loaded,
            _ => Contents::JustLoaded,
        }
    }

    /// What it holds after it.
    #[must_use]
    pub const fn after(&self) -> Contents {
        match self.kind {
            Kind::Load(10_000) | Kind::Read(..) | Kind::ScanAll | Kind::Memory => Contents::JustLoaded,
            Kind::Put(_) | Kind::PutBy(_) | Kind::Batch(_) | Kind::Churn(_) => Contents::Loaded,
            _ => Contents::Unknown,
        }
    }

    /// How many pairs are in the store for it, if the usual load has `pairs`.
    #[must_use]
    pub const fn pairs(&self, pairs: u64) -> u64 {
        if matches!(self.kind, Kind::LoadInOrder) { 5 * pairs } else { pairs }
    }

    /// A round of it on the pairs of `oracle`. Rounds with one number are the same, others differ.
    #[must_use]
    pub fn round(&self, oracle: &Oracle, round: usize) -> Round {
        let pairs = oracle.pairs();
        let position = WORKS.iter().position(|work| work.name == self.name).unwrap_or(WORKS.len()) as u64;
        let mut random = Random::of(position, round as u64);
        let count = self.numbers.min(usize::try_from(pairs / 5).unwrap_or(usize::MAX).max(1));
        let fresh = || ((position + 1) << 40 | (round as u64) << 24..).take(count).collect::<Vec<u64>>();
        let total = oracle.scan(oracle.order()[0], usize::MAX);
        let proof = |sum| Some((everything(oracle), sum));
        let done = |tasks: Vec<Task>, operations: u64| Round { tasks, operations, sum: 0, proof: None };
        match self.kind {
            Kind::Load(size) => {
                let load = Task::new(Operation::Put, size, (0..pairs).collect());
                Round { proof: proof(total), ..done(vec![load], pairs) }
            }
            Kind::LoadInOrder => {
                let load = Task::new(Operation::Put, usize::MAX, oracle.order().to_vec());
                Round { proof: proof(total), ..done(vec![load], pairs) }
            }
            Kind::Read(operation, size, threads) => {
                let task = Task { threads, ..Task::new(operation, size, numbers(&mut random, count, pairs)) };
                Round { sum: expected(&task, oracle), ..done(vec![task], count as u64) }
            }
            Kind::ScanAll => Round { sum: total, ..done(vec![everything(oracle)], pairs) },
            Kind::Memory => {
                // In parts, so that their numbers take no memory to speak of.
                let read = |numbers: &[u64]| {
                    let scans = numbers.iter().step_by(100).copied().collect();
                    let gets = Task::new(Operation::Get, usize::MAX, numbers.to_vec());
                    [gets, Task::new(Operation::Scan, 1000, scans)]
                };
                let tasks: Vec<Task> = numbers(&mut random, count, pairs).chunks(10_000).flat_map(read).collect();
                let sum = tasks.iter().fold(0u64, |sum, task| sum.wrapping_add(expected(task, oracle)));
                let operations = tasks.iter().map(|task| task.numbers.len() as u64).sum();
                Round { sum, ..done(tasks, operations) }
            }
            Kind::Put(size) => put(Task::new(Operation::Put, size, fresh()), size),
            Kind::PutBy(threads) => put(Task { threads, ..Task::new(Operation::Put, 1, fresh()) }, 1),
            Kind::Batch(threads) => put(Task { threads, ..Task::new(Operation::Batch, 1, fresh()) }, 1),
            Kind::Churn(size) => {
                let delete = shuffled_half(pairs, &mut random);
                let mut again = delete.clone();
                shuffle(&mut again, &mut random);
                let operations = 2 * delete.len() as u64;
                let tasks = vec![Task::new(Operation::Delete, size, delete), Task::new(Operation::Put, size, again)];
                Round { proof: proof(total), ..done(tasks, operations) }
            }
            Kind::DeleteRange | Kind::Retain => {
                let range = self.kind == Kind::DeleteRange;
                let (left, sum) = if range { oracle.outside_range() } else { oracle.kept() };
                let operation = if range { Operation::DeleteRange } else { Operation::Retain };
                Round { proof: proof(sum), ..done(vec![Task::new(operation, 1, Vec::new())], pairs - left) }
            }
        }
    }
}

/// A scan of the whole store.
#[must_use]
pub fn everything(oracle: &Oracle) -> Task {
    Task::new(Operation::Scan, usize::MAX, oracle.order()[..1].to_vec())
}

/// What a task that reads must read.
fn expected(task: &Task, oracle: &Oracle) -> u64 {
    let len = if task.operation == Operation::Scan { task.size } else { 1 };
    task.numbers.iter().fold(0, |sum, &number| sum.wrapping_add(oracle.scan(number, len)))
}

/// A task that puts new pairs, `size` a transaction, and their sum as its proof.
fn put(task: Task, size: usize) -> Round {
    let sum = task.numbers.iter().fold(0u64, |sum, &number| sum.wrapping_add(task.shape.digest(number)));
    let proof = Task::new(Operation::Get, usize::MAX, task.numbers.clone());
    let operations = task.numbers.len().div_ceil(size) as u64;
    Round { tasks: vec![task], operations, sum: 0, proof: Some((proof, sum)) }
}

fn shuffled_half(pairs: u64, random: &mut Random) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..pairs).collect();
    shuffle(&mut numbers, random);
    numbers.truncate(numbers.len().div_ceil(2));
    numbers
}

fn shuffle(numbers: &mut [u64], random: &mut Random) {
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, random.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rounds_can_be_done_again_and_differ() {
        let oracle = Oracle::new(1000);
        for work in WORKS {
            let first = work.round(&oracle, 0);
            assert_eq!(first, work.round(&oracle, 0), "{}", work.name);
            assert!(first.operations > 0 && (first.sum != 0 || first.proof.is_some()), "{}", work.name);
            if matches!(work.kind, Kind::Read(..) | Kind::Put(_) | Kind::PutBy(_) | Kind::Batch(_) | Kind::Churn(_)) {
                assert_ne!(first, work.round(&oracle, 1), "{}", work.name);
            }
        }
    }

    #[test]
    fn puts_of_all_works_and_rounds_are_of_new_pairs() {
        let oracle = Oracle::new(1000);
        let mut seen: BTreeSet<u64> = (0..1000).collect();
        for work in WORKS.iter().filter(|work| matches!(work.kind, Kind::Put(_) | Kind::PutBy(_) | Kind::Batch(_))) {
            for round in 0..3 {
                for number in &work.round(&oracle, round).tasks[0].numbers {
                    assert!(seen.insert(*number), "{} puts {number} again", work.name);
                }
            }
        }
    }
}
