//! Transactions and what they lead to: changes done to a database and to a tree of maps alike.

use std::collections::BTreeMap;

use kv::{BucketMut, ReadTx, Result, WriteTx};

/// The names that lead to a bucket, from the outermost.
pub type Path = Vec<Vec<u8>>;

/// Every bucket with its counter and its keys.
pub type State = BTreeMap<Path, (u64, BTreeMap<Vec<u8>, Vec<u8>>)>;

/// The buckets that changes are made in: beside each other, inside each other, and one that stays small.
pub const PATHS: [&[&str]; 6] =
    [&["a"], &["a", "inner"], &["a", "inner", "deep"], &["a", "small"], &["b"], &["b", "twin"]];

/// How many different keys a bucket has at most.
pub const KEYS: u64 = 48;

/// One change; `bucket` is a place in [`PATHS`]. Whatever it needs is made, and what it deletes need not be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// A value of `len` bytes, which `fill` chooses.
    Put { bucket: usize, key: u64, len: usize, fill: u64 },
    /// No such key afterwards.
    Delete { bucket: usize, key: u64 },
    /// No such bucket afterwards, nor any inside it.
    DeleteBucket { bucket: usize },
    /// Another value of the bucket's counter.
    Count { bucket: usize, to: u64 },
}

/// Numbers from a seed: Steele, Lea and Flood's `SplitMix64`.
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end.max(1)
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }
}

/// The changes of transaction `number` of the run that `seed` names.
pub fn transaction(seed: u64, number: u64) -> Vec<Change> {
    let mut numbers = Numbers(seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
    let count = 1 + numbers.below(12);
    (0..count).map(|_| change(&mut numbers)).collect()
}

fn change(numbers: &mut Numbers) -> Change {
    let (bucket, key) = (numbers.index(PATHS.len()), numbers.below(KEYS));
    match numbers.below(100) {
        0 => Change::DeleteBucket { bucket },
        1..5 => Change::Count { bucket, to: numbers.any() },
        5..30 => Change::Delete { bucket, key },
        // Now and then a value that takes pages of its own.
        size => {
            let len = if size > 94 { 500 + numbers.index(5000) } else { numbers.index(90) };
            Change::Put { bucket, key, len, fill: numbers.any() }
        }
    }
}

/// The name of key `number`; some are long, so that few of them fill a branch.
pub fn name(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(7) { 180 } else { 4 };
    format!("{number:0>len$}").into_bytes()
}

/// The bytes of a value: of these no two are alike.
pub fn value(len: usize, fill: u64) -> Vec<u8> {
    let mut numbers = Numbers(fill);
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| numbers.any().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

fn path(bucket: usize) -> &'static [&'static str] {
    PATHS[bucket % PATHS.len()]
}

impl Change {
    /// Makes it in a transaction.
    pub fn make(self, tx: &mut WriteTx<'_>) -> Result<()> {
        match self {
            Self::Put { bucket, key, len, fill } => created(tx, path(bucket))?.put(name(key), value(len, fill)),
            Self::Count { bucket, to } => created(tx, path(bucket))?.set_sequence(to),
            Self::Delete { bucket, key } => match found(tx, path(bucket))? {
                Some(mut bucket) => bucket.delete(name(key)).map(|_| ()),
                None => Ok(()),
            },
            Self::DeleteBucket { bucket } => delete(tx, path(bucket)),
        }
    }

    /// Makes it in the maps.
    pub fn model(self, state: &mut State) {
        match self {
            Self::Put { bucket, key, len, fill } => {
                modelled(state, path(bucket)).1.insert(name(key), value(len, fill));
            }
            Self::Count { bucket, to } => modelled(state, path(bucket)).0 = to,
            Self::Delete { bucket, key } => {
                if let Some((_, keys)) = state.get_mut(&owned(path(bucket))) {
                    keys.remove(&name(key));
                }
            }
            Self::DeleteBucket { bucket } => {
                let gone = owned(path(bucket));
                state.retain(|path, _| !path.starts_with(&gone));
            }
        }
    }
}

fn owned(path: &[&str]) -> Path {
    path.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn modelled<'s>(state: &'s mut State, path: &[&str]) -> &'s mut (u64, BTreeMap<Vec<u8>, Vec<u8>>) {
    for len in 1..path.len() {
        state.entry(owned(&path[..len])).or_default();
    }
    state.entry(owned(path)).or_default()
}

fn created<'t>(tx: &'t mut WriteTx<'_>, path: &[&str]) -> Result<BucketMut<'t>> {
    let mut bucket = tx.create_bucket_if_absent(path[0])?;
    for name in &path[1..] {
        bucket.create_bucket_if_absent(name)?;
        bucket = bucket.into_bucket_mut(name)?;
    }
    Ok(bucket)
}

fn found<'t>(tx: &'t mut WriteTx<'_>, path: &[&str]) -> Result<Option<BucketMut<'t>>> {
    if tx.get_bucket(path[0])?.is_none() {
        return Ok(None);
    }
    let mut bucket = tx.bucket_mut(path[0])?;
    for name in &path[1..] {
        if bucket.get_bucket(name)?.is_none() {
            return Ok(None);
        }
        bucket = bucket.into_bucket_mut(name)?;
    }
    Ok(Some(bucket))
}

fn delete(tx: &mut WriteTx<'_>, path: &[&str]) -> Result<()> {
    let Some((name, parents)) = path.split_last() else { return Ok(()) };
    if parents.is_empty() {
        return if tx.get_bucket(name)?.is_some() { tx.delete_bucket(name) } else { Ok(()) };
    }
    match found(tx, parents)? {
        Some(mut parent) if parent.get_bucket(name)?.is_some() => parent.delete_bucket(name),
        _ => Ok(()),
    }
}

/// The most buckets that are looked into: in a damaged file they may lead in a circle.
const BUCKETS_MAX: usize = 100;

/// All that a transaction shows, read in order.
pub fn state(tx: &ReadTx<'_>) -> Result<State> {
    let (mut state, mut waiting) = (State::new(), vec![(Path::new(), tx.root())]);
    while let Some((path, bucket)) = waiting.pop() {
        if state.len() > BUCKETS_MAX {
            break;
        }
        let mut keys = BTreeMap::new();
        for item in bucket {
            match item? {
                (key, Some(value)) => _ = keys.insert(key.to_vec(), value.to_vec()),
                (name, None) => waiting.push(([&path[..], &[name.to_vec()]].concat(), bucket.bucket(name)?)),
            }
        }
        if !path.is_empty() {
            state.insert(path, (bucket.sequence(), keys));
        }
    }
    Ok(state)
}
