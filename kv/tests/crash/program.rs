//! Operations and programs, done to a transaction and to the model alike.

use kv::{BucketMut, Result, WriteTx};

use crate::model::{Entry, Model, Path};
use crate::random::Random;

/// A change. One that the model says is not possible is skipped in both.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Puts `count` keys from number `first` on, each with a value of `len` bytes.
    Put {
        at: Path,
        first: usize,
        count: usize,
        len: usize,
        fill: u8,
    },
    /// Deletes those of these keys that are there.
    Delete {
        at: Path,
        first: usize,
        count: usize,
    },
    CreateBucket {
        at: Path,
        name: Vec<u8>,
    },
    DeleteBucket {
        at: Path,
        name: Vec<u8>,
    },
    MoveBucket {
        name: Vec<u8>,
        from: Path,
        to: Path,
    },
    NextSequence {
        at: Path,
    },
}

/// The operations of one transaction.
pub(crate) type Changes = Vec<Op>;

/// Where long keys begin.
pub(crate) const LONG: usize = 100;

/// Keys of several lengths: long ones make branches with few children, hence deep trees.
fn key(number: usize) -> Vec<u8> {
    let mut key = format!("{number:03}").into_bytes();
    if number >= LONG {
        key.resize(180, b'k');
    }
    key
}

pub(crate) fn path(names: &str) -> Path {
    names.split('/').filter(|name| !name.is_empty()).map(|name| name.as_bytes().to_vec()).collect()
}

impl Op {
    /// Does it to the model; says whether there is anything to be done.
    pub(crate) fn apply_to(&self, model: &mut Model) -> bool {
        match self {
            Op::Put { at, first, count, len, fill } => {
                let Some(bucket) = model.at(at).filter(|_| !at.is_empty()) else { return false };
                for number in *first..first + count {
                    bucket.entries.insert(key(number), Entry::Value(vec![*fill; *len]));
                }
                true
            }
            Op::Delete { at, first, count } => {
                let Some(bucket) = model.at(at).filter(|_| !at.is_empty()) else { return false };
                let removed = (*first..first + count).filter(|number| bucket.entries.remove(&key(*number)).is_some());
                removed.count() > 0
            }
            Op::CreateBucket { at, name } => {
                let Some(parent) = model.at(at).filter(|parent| !parent.entries.contains_key(name)) else {
                    return false;
                };
                parent.entries.insert(name.clone(), Entry::Bucket(Model::default()));
                true
            }
            Op::DeleteBucket { at, name } => model.at(at).is_some_and(|parent| parent.entries.remove(name).is_some()),
            Op::MoveBucket { name, from, to } => relocate(model, name, from, to),
            Op::NextSequence { at } => {
                let Some(bucket) = model.at(at).filter(|_| !at.is_empty()) else { return false };
                bucket.sequence += 1;
                true
            }
        }
    }

    /// Does it to the database, where it is possible.
    pub(crate) fn apply(&self, tx: &mut WriteTx<'_>) -> Result<()> {
        match self {
            Op::Put { at, first, count, len, fill } => {
                let mut bucket = bucket_at(tx, at)?;
                // The letter also says how the pages are filled.
                match fill % 4 {
                    0 => bucket.set_fill_percent(1.0),
                    1 => bucket.set_fill_percent(0.4),
                    _ => {}
                }
                (*first..first + count).try_for_each(|number| bucket.put(key(number), vec![*fill; *len]))
            }
            Op::Delete { at, first, count } => {
                let mut bucket = bucket_at(tx, at)?;
                (*first..first + count).try_for_each(|number| bucket.delete(key(number)).map(|_| ()))
            }
            Op::CreateBucket { at, name } if at.is_empty() => tx.create_bucket(name).map(|_| ()),
            Op::CreateBucket { at, name } => bucket_at(tx, at)?.create_bucket(name).map(|_| ()),
            Op::DeleteBucket { at, name } if at.is_empty() => tx.delete_bucket(name),
            Op::DeleteBucket { at, name } => bucket_at(tx, at)?.delete_bucket(name),
            Op::MoveBucket { name, from, to } => tx.move_bucket(name, &slices(from), &slices(to)),
            Op::NextSequence { at } => bucket_at(tx, at)?.next_sequence().map(|_| ()),
        }
    }
}

fn slices(path: &Path) -> Vec<&[u8]> {
    path.iter().map(Vec::as_slice).collect()
}

fn bucket_at<'t>(tx: &'t mut WriteTx<'_>, path: &Path) -> Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().expect("the model refuses what would change the top");
    rest.iter().try_fold(tx.bucket_mut(first)?, BucketMut::into_bucket_mut)
}

fn relocate(model: &mut Model, name: &[u8], from: &Path, to: &Path) -> bool {
    let moved = [from.as_slice(), &[name.to_vec()]].concat();
    let free = model.at(to).is_some_and(|target| !target.entries.contains_key(name));
    if from == to || to.starts_with(&moved) || !free || model.at(&moved).is_none() {
        return false;
    }
    let Some(entry) = model.at(from).and_then(|source| source.entries.remove(name)) else { return false };
    model.at(to).expect("it is not inside what was moved").entries.insert(name.to_vec(), entry);
    true
}

/// So many random transactions, one after the other, each of which changes something.
pub(crate) fn random_transactions(mut model: Model, count: usize, random: &mut Random) -> Vec<Changes> {
    let mut program = Vec::new();
    while program.len() < count {
        let changes = random_changes(model.clone(), random);
        for op in &changes {
            op.apply_to(&mut model);
        }
        program.extend(Some(changes).filter(|changes| !changes.is_empty()));
    }
    program
}

/// One random change to what is there. Keys and buckets are few, so that they meet; files stay within some 64 KiB.
pub(crate) fn random_op(model: &Model, random: &mut Random) -> Op {
    let paths = model.paths();
    let at = random.of_these(&paths);
    let name = vec![random.of_these(b"xyz")];
    if at.is_empty() || (at.len() < 3 && random.one_in(12)) {
        return match random.below(8) {
            0 => Op::DeleteBucket { at, name },
            _ => Op::CreateBucket { at, name },
        };
    }
    let first = random.below(60) + random.of_these(&[0, 0, 0, LONG]);
    let fill = random.of_these(b"abcdefgh");
    match random.below(40) {
        0 => Op::DeleteBucket { name: at[at.len() - 1].clone(), at: at[..at.len() - 1].to_vec() },
        1..=3 => {
            let from = at[..at.len() - 1].to_vec();
            Op::MoveBucket { name: at[at.len() - 1].clone(), from, to: random.of_these(&paths) }
        }
        4..=6 => Op::NextSequence { at },
        7..=12 => Op::Put { at, first, count: 1 + random.below(25), len: random.below(90), fill },
        13..=17 => Op::Delete { at, first, count: 1 + random.below(40) },
        18..=24 => Op::Delete { at, first, count: 1 },
        25..=26 => Op::Put { at, first: first / 8, count: 1, len: 900 + random.below(3000), fill },
        27..=31 => Op::Put { at, first, count: 1, len: random.below(600), fill },
        _ => Op::Put { at, first, count: 1, len: random.below(60), fill },
    }
}

/// The changes of one random transaction. Most are small; few in flight is what can be exhausted.
pub(crate) fn random_changes(mut model: Model, random: &mut Random) -> Changes {
    let most = random.of_these(&[1, 2, 2, 4, 10]);
    let count = 1 + random.below(most);
    let mut changes = Vec::new();
    for _ in 0..count {
        let op = random_op(&model, random);
        if op.apply_to(&mut model) {
            changes.push(op);
        }
    }
    changes
}
