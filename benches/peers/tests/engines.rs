//! Each engine does what it is asked to do: beside a model, with the store closed and opened in between.
#![allow(missing_docs, reason = "tests")]

#[macro_use]
extern crate kv_testkit;

mod programs;

use std::collections::BTreeMap;

use benches::workload::Random;
use peers::child::Child;
use peers::engines::{PEERS, Peer};
use peers::{Durability, Keys, Operation, Shape, Task, flatness, kept, range};

const NUMBERS: u64 = 500;

/// A store beside a model of it: keys, and the digests of their values.
struct Beside {
    child: Child,
    model: BTreeMap<Vec<u8>, u64>,
    /// Which number has a key.
    numbers: BTreeMap<Vec<u8>, u64>,
    random: Random,
}

impl Beside {
    fn new(child: Child, keys: Keys) -> Self {
        let shape = Shape { keys, ..Shape::USUAL };
        let numbers = (0..NUMBERS).map(|number| (shape.key(number).to_vec(), number)).collect();
        Self { child, model: BTreeMap::new(), numbers, random: Random::new(7) }
    }

    fn some(&mut self) -> Vec<u64> {
        (0..=self.random.below(200)).map(|_| self.random.below_u64(NUMBERS)).collect()
    }

    /// Writes, and does the same to the model.
    fn write(&mut self, task: &Task) {
        let keys = || task.numbers.iter().map(|&number| task.shape.key(number).to_vec());
        match task.operation {
            Operation::Put | Operation::Batch => {
                self.model.extend(keys().zip(task.numbers.iter().map(|&number| task.shape.digest(number))));
            }
            Operation::Delete => keys().for_each(|key| {
                self.model.remove(&key);
            }),
            Operation::DeleteRange => self.model.retain(|key, _| !range().contains(&&key[..])),
            Operation::Retain => self.model.retain(|key, _| kept(key)),
            _ => unreachable!("it reads"),
        }
        let reply = self.child.ask(task).unwrap();
        let transactions = match task.operation {
            Operation::DeleteRange | Operation::Retain => 1,
            _ => task
                .numbers
                .chunks(task.numbers.len().div_ceil(task.threads))
                .fold(0, |sum, part| sum + part.len().div_ceil(task.size)),
        };
        assert_eq!(reply.transactions.len(), transactions, "{task:?}");
    }

    /// Reads everything and parts, in all ways.
    fn compare(&mut self, keys: Keys, what: &str) {
        let shape = Shape { keys, ..Shape::USUAL };
        let there: Vec<u64> = self.model.keys().map(|key| self.numbers[key]).collect();
        let read = |operation, size, threads, numbers: &[u64]| Task {
            shape,
            threads,
            ..Task::new(operation, size, numbers.to_vec())
        };
        let gets: u64 = self.model.values().fold(0, |sum, digest| sum.wrapping_add(*digest));
        for (size, threads) in [(usize::MAX, 1), (1, 1), (7, 2)] {
            let reply = self.child.ask(&read(Operation::Get, size, threads, &there)).unwrap();
            assert_eq!(reply.sum, gets, "get {what}");
        }
        assert_eq!(self.child.ask(&read(Operation::GetMany, 64, 1, &there)).unwrap().sum, gets, "get many {what}");
        for (number, len) in [(0, usize::MAX), (self.random.below_u64(NUMBERS), 10), (1, 1)] {
            let from = shape.key(number).to_vec();
            let items = self.model.range(from..).take(len);
            let sum: u64 = items.fold(0, |sum, (_, digest)| sum.wrapping_add(*digest));
            let reply = self.child.ask(&read(Operation::Scan, len, 1, &[number])).unwrap();
            assert_eq!(reply.sum, sum, "scan of {len} {what}");
        }
    }
}

fn runs_beside_a_model(peer: &Peer) {
    let Some(programs) = programs::programs(peer) else { return };
    let dir = tempfile::tempdir().unwrap();
    let start = |durability| programs.start(peer, dir.path(), durability).unwrap().0;
    let mut beside = Beside::new(start(Durability::NotSynced), Keys::Random);
    for step in 0..24u32 {
        let numbers = beside.some();
        let task = |operation, size, threads| Task { threads, ..Task::new(operation, size, numbers.clone()) };
        let long = if peer.does(flatness::NAME) { 2 * 4096 } else { 1000 };
        let deleted = || {
            let there =
                numbers.iter().copied().filter(|&number| beside.model.contains_key(&Shape::USUAL.key(number)[..]));
            there.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
        };
        let task = match step % 8 {
            0 | 4 => task(Operation::Put, usize::MAX, 1),
            1 => task(Operation::Put, 10, 1),
            2 => Task { shape: Shape { value_bytes: long, ..Shape::USUAL }, ..task(Operation::Put, 50, 1) },
            3 => Task { numbers: deleted(), ..task(Operation::Delete, 30, 1) },
            5 => task(Operation::Batch, 1, 20),
            6 => task(Operation::DeleteRange, 1, 1),
            _ => task(Operation::Retain, 1, 1),
        };
        if !(task.numbers.is_empty() && task.operation == Operation::Delete) {
            beside.write(&task);
        }
        beside.compare(Keys::Random, &format!("after step {step}"));
        if step % 5 == 4 {
            // One process at a time has the store.
            let open = if step % 2 == 0 { Durability::Durable } else { Durability::NotSynced };
            let Beside { child, model, numbers, random } = beside;
            drop(child);
            beside = Beside { child: start(open), model, numbers, random };
            beside.compare(Keys::Random, &format!("after step {step} and opening"));
        }
    }
    assert!(!beside.model.is_empty());
}

#[test]
fn every_engine_runs_beside_a_model() {
    for peer in PEERS.iter().filter(|peer| peer.does("get")) {
        println!("{}", peer.name);
        runs_beside_a_model(peer);
    }
}

#[test]
fn engines_that_append_take_keys_in_order() {
    let peer = Peer::named("lmdb-append").unwrap();
    let programs = programs::programs(peer).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (child, _) = programs.start(peer, dir.path(), Durability::NotSynced).unwrap();
    let mut beside = Beside::new(child, Keys::Ascending);
    let shape = Shape { keys: Keys::Ascending, ..Shape::USUAL };
    beside.write(&Task { shape, ..Task::new(Operation::Put, usize::MAX, (0..NUMBERS).collect()) });
    beside.compare(Keys::Ascending, "after appending");
}

#[test]
fn a_get_of_what_is_not_there_fails() {
    for peer in PEERS.iter().filter(|peer| peer.does("get")) {
        let Some(programs) = programs::programs(peer) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let (mut child, _) = programs.start(peer, dir.path(), Durability::NotSynced).unwrap();
        child.ask(&Task::new(Operation::Put, 1, vec![1])).unwrap();
        for operation in [Operation::Get, Operation::GetMany] {
            let absent = child.ask(&Task::new(operation, 64, vec![1, 2]));
            assert!(absent.is_err(), "{}, {operation:?}: {absent:?}", peer.name);
        }
        assert!(child.ask(&Task::new(Operation::Get, 1, vec![1])).is_ok(), "{} goes on", peer.name);
    }
}
