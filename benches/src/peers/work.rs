//! The kinds of work, and how much of each a round has.

use super::{Durability, Engine, Result};
use crate::workload::{Random, digest, numbers, value};

/// One line of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What the table calls it: the operation that is counted, and how it is done.
    pub title: &'static str,
    /// What is done.
    pub kind: Kind,
    /// How many times in a round; a load goes by the number of pairs instead.
    pub operations: usize,
    /// How the store is opened for it.
    pub durability: Durability,
}

/// What an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// All pairs into an empty store, so many a transaction.
    Load(usize),
    /// A random pair, all in one read transaction.
    Get,
    /// A random pair, in a read transaction of its own.
    BeginGetEnd,
    /// So many items from a random one on, all in one read transaction.
    Scan(usize),
    /// A transaction that puts so many new pairs.
    Put(usize),
}

/// All works, in the order in which they are done.
pub const WORKS: [Work; 8] = [
    Work {
        name: "load",
        title: "load, random order, 10k a transaction, not synced: a put",
        kind: Kind::Load(10_000),
        operations: 0,
        durability: Durability::NotSynced,
    },
    Work { name: "get", title: "random get", kind: Kind::Get, operations: 200_000, durability: Durability::Durable },
    Work {
        name: "begin-get-end",
        title: "begin, random get, end",
        kind: Kind::BeginGetEnd,
        operations: 200_000,
        durability: Durability::Durable,
    },
    Work {
        name: "scan-10",
        title: "scan of 10",
        kind: Kind::Scan(10),
        operations: 50_000,
        durability: Durability::Durable,
    },
    Work {
        name: "scan-1000",
        title: "scan of 1,000",
        kind: Kind::Scan(1000),
        operations: 2_000,
        durability: Durability::Durable,
    },
    Work {
        name: "put-durable",
        title: "single put, durable",
        kind: Kind::Put(1),
        operations: 400,
        durability: Durability::Durable,
    },
    Work {
        name: "put-100-durable",
        title: "transaction of 100 random puts, durable",
        kind: Kind::Put(100),
        operations: 60,
        durability: Durability::Durable,
    },
    Work {
        name: "put",
        title: "single put, not synced",
        kind: Kind::Put(1),
        operations: 20_000,
        durability: Durability::NotSynced,
    },
];

impl Work {
    /// The numbers of the pairs that a round works on. `pairs` have been loaded; `fresh` have not, and are drawn from.
    pub(super) fn numbers(&self, pairs: u64, fresh: &mut u64, random: &mut Random) -> Vec<u64> {
        match self.kind {
            Kind::Load(_) => (0..pairs).collect(),
            Kind::Put(size) => {
                let first = *fresh;
                *fresh += (self.operations * size) as u64;
                (first..*fresh).collect()
            }
            Kind::Get | Kind::BeginGetEnd | Kind::Scan(_) => numbers(random, self.operations, pairs),
        }
    }

    /// How many operations it is to work on `numbers`.
    pub(super) const fn count(&self, numbers: &[u64]) -> usize {
        match self.kind {
            Kind::Put(size) => numbers.len() / size,
            _ => numbers.len(),
        }
    }

    /// Does it; answers the sum of the digests of all values that were read.
    pub(super) fn run(&self, engine: &dyn Engine, numbers: &[u64]) -> Result<u64> {
        match self.kind {
            Kind::Load(size) | Kind::Put(size) => {
                numbers.chunks(size).try_for_each(|chunk| engine.put(chunk)).map(|()| 0)
            }
            Kind::Get => engine.get(numbers),
            Kind::BeginGetEnd => {
                numbers.chunks(1).try_fold(0u64, |sum, number| Ok(sum.wrapping_add(engine.get(number)?)))
            }
            Kind::Scan(len) => engine.scan(numbers, len),
        }
    }

    /// What `run` must have answered, where that follows from the numbers alone.
    pub(super) fn expected(&self, numbers: &[u64]) -> Option<u64> {
        match self.kind {
            Kind::Load(_) | Kind::Put(_) => Some(0),
            Kind::Get | Kind::BeginGetEnd => {
                Some(numbers.iter().fold(0, |sum, &number| sum.wrapping_add(digest(&value(number)))))
            }
            Kind::Scan(_) => None,
        }
    }
}
