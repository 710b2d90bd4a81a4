//! What a writer has written after each of its transactions: a function of the seed, the writer and the number of the
//! transaction. So the parent knows what has to be in the file without asking the process that it kills.
//!
//! A writer works in rounds. In a round its keys grow in number, then they are swept away in large pieces, and the next
//! round begins with an empty bucket. Rounds differ in size, up to eightfold.

use std::collections::BTreeMap;

use kv_testkit::Random;

/// Nested buckets of each writer, each inside the one before.
pub(super) const PLACES: u8 = 4;

/// Transactions in a round, and how many of them let the keys grow.
const ROUND: u64 = 600;
const GROWING: u64 = 500;

/// Sizes of rounds, which take turns.
const SIZES: u64 = 8;

/// Bytes before the random ones: writer, place and number of the key, and the generation.
const HEADER: usize = 14;

/// Where a value is: in which of the writer's nested buckets, and under which number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) place: u8,
    pub(super) number: u32,
}

/// What a transaction does, one thing after the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// The writer's bucket is deleted.
    Restart,
    /// The value of this generation, which is the number of its transaction.
    Put(Key, u64),
    /// A key that is there is deleted.
    Delete(Key),
    /// The bucket of this place is deleted, with those inside it.
    Drop(u8),
}

/// All keys of a snapshot in two numbers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Tally {
    keys: usize,
    sum: u64,
}

impl Tally {
    pub(super) fn add(&mut self, key: Key, generation: u64) {
        self.keys += 1;
        self.sum = self.sum.wrapping_add(Self::mixed(key, generation));
    }

    fn remove(&mut self, key: Key, generation: u64) {
        self.keys -= 1;
        self.sum = self.sum.wrapping_sub(Self::mixed(key, generation));
    }

    fn mixed(key: Key, generation: u64) -> u64 {
        Random::of(generation, u64::from(key.place) << 32 | u64::from(key.number)).next_u64()
    }
}

/// The state of one writer's buckets.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    pub(super) writer: u8,
    /// Its last transaction; 0 before the first.
    pub(super) number: u64,
    /// The generation of every key.
    pub(super) keys: BTreeMap<Key, u64>,
    pub(super) tally: Tally,
    seed: u64,
}

impl Oracle {
    /// After transaction `number`. O(one round).
    pub(super) fn after(seed: u64, writer: u8, number: u64) -> Self {
        let begin = number.saturating_sub(1) / ROUND * ROUND;
        let mut oracle = Self { writer, number: begin, keys: BTreeMap::new(), tally: Tally::default(), seed };
        oracle.advance(number);
        oracle
    }

    /// Goes on to transaction `number`.
    pub(super) fn advance(&mut self, number: u64) {
        while self.number < number {
            let _ = self.next_changes();
        }
    }

    /// The changes of the next transaction, made here.
    pub(super) fn next_changes(&mut self) -> Vec<Change> {
        let (round, turn) = (self.number / ROUND, self.number % ROUND);
        self.number += 1;
        let random = &mut Random::of(self.seed ^ u64::from(self.writer) << 56, self.number);
        let size = 1 + (round + u64::from(self.writer)) % SIZES;
        let mut changes = Vec::new();
        if turn == 0 {
            self.record(&mut changes, Change::Restart);
        }
        if turn < GROWING {
            self.grow(random, size as usize, &mut changes);
        } else {
            self.sweep(random, 20 * size as usize, &mut changes);
        }
        if random.one_in(150) {
            let place = 1 + random.below(usize::from(PLACES) - 1) as u8;
            if self.keys.keys().any(|key| key.place == place) {
                self.record(&mut changes, Change::Drop(place));
            }
        }
        changes
    }

    fn grow(&mut self, random: &mut Random, size: usize, changes: &mut Vec<Change>) {
        for _ in 0..random.within(1, 6 * size) {
            let key = any_key(random, size);
            self.record(changes, Change::Put(key, self.number));
        }
        if random.one_in(3) {
            self.sweep(random, 1, changes);
        }
    }

    /// Deletes so many keys that lie side by side.
    fn sweep(&mut self, random: &mut Random, count: usize, changes: &mut Vec<Change>) {
        let from = any_key(random, SIZES as usize);
        let keys: Vec<Key> =
            self.keys.range(from..).chain(self.keys.range(..from)).map(|(key, _)| *key).take(count).collect();
        for key in keys {
            self.record(changes, Change::Delete(key));
        }
    }

    fn record(&mut self, changes: &mut Vec<Change>, change: Change) {
        changes.push(change);
        match change {
            Change::Restart => (self.keys, self.tally) = (BTreeMap::new(), Tally::default()),
            Change::Put(key, generation) => {
                self.forget(key);
                self.keys.insert(key, generation);
                self.tally.add(key, generation);
            }
            Change::Delete(key) => self.forget(key),
            Change::Drop(place) => {
                let inside: Vec<Key> = self.keys.keys().filter(|key| key.place >= place).copied().collect();
                for key in inside {
                    self.forget(key);
                }
            }
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(generation) = self.keys.remove(&key) {
            self.tally.remove(key, generation);
        }
    }
}

fn any_key(random: &mut Random, size: usize) -> Key {
    Key { place: random.below(usize::from(PLACES)) as u8, number: random.below(1000 * size) as u32 }
}

/// The value of a key in a generation: who wrote it, then random bytes that nobody else writes. One in forty needs
/// overflow pages.
pub(super) fn value(seed: u64, writer: u8, key: Key, generation: u64) -> Vec<u8> {
    let whose = u64::from(writer) << 48 | u64::from(key.place) << 40 | u64::from(key.number);
    let random = &mut Random::of(seed ^ whose, generation);
    let len = match random.below(40) {
        0 => random.within(5000, 60_000),
        1..=5 => random.within(500, 3000),
        _ => random.within(HEADER, 200),
    };
    let mut value = vec![writer, key.place];
    value.extend(key.number.to_le_bytes());
    value.extend(generation.to_le_bytes());
    assert_eq!(value.len(), HEADER);
    value.resize(len, 0);
    random.fill(&mut value[HEADER..]);
    value
}

/// The generation that a value says it is of; none if it is too short to say.
pub(super) fn generation(value: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*value.get(6..HEADER)?.first_chunk()?))
}

#[test]
fn the_oracle_says_the_same_wherever_it_begins() {
    let mut oracle = Oracle::after(1, 0, 0);
    let mut largest = 0;
    for number in 1..3 * ROUND {
        let changes = oracle.next_changes();
        assert!(changes.iter().all(|change| !matches!(change, Change::Put(_, of) if *of != number)));
        let mut tally = Tally::default();
        oracle.keys.iter().for_each(|(key, generation)| tally.add(*key, *generation));
        assert_eq!(oracle.tally, tally, "after transaction {number}");
        largest = largest.max(oracle.keys.len());
        if number % 97 == 0 || number % ROUND < 2 {
            assert_eq!(Oracle::after(1, 0, number).keys, oracle.keys, "after transaction {number}");
        }
    }
    assert!(largest > 1000 && Oracle::after(1, 0, ROUND).keys.len() < 200, "it grows, and then is swept away");
}
