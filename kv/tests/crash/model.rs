//! What a database should hold: a tree of `BTreeMap`s, and the bytes that a state is compared by.

use std::collections::BTreeMap;
use std::sync::Arc;

use kv::{Bucket, Result};

/// A bucket's path from the top; empty for the top itself.
pub(crate) type Path = Vec<Vec<u8>>;

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Value(Vec<u8>),
    Bucket(Model),
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) sequence: u64,
    pub(crate) entries: BTreeMap<Vec<u8>, Entry>,
}

impl Model {
    /// The bucket at `path`, if there is one.
    pub(crate) fn at(&mut self, path: &[Vec<u8>]) -> Option<&mut Model> {
        path.iter().try_fold(self, |model, name| match model.entries.get_mut(name) {
            Some(Entry::Bucket(inner)) => Some(inner),
            _ => None,
        })
    }

    /// The paths of all buckets, the top's empty one first.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths = vec![Vec::new()];
        for (name, entry) in &self.entries {
            if let Entry::Bucket(inner) = entry {
                paths.extend(inner.paths().into_iter().map(|rest| [vec![name.clone()], rest].concat()));
            }
        }
        paths
    }

    fn write(&self, depth: usize, text: &mut Vec<u8>) {
        assert!(depth <= DEPTH_MAX, "programs that nest so deep need a larger bound");
        text.extend(self.sequence.to_le_bytes());
        for (key, entry) in &self.entries {
            match entry {
                Entry::Value(value) => write_value(text, key, value),
                Entry::Bucket(inner) => {
                    write_name(text, key);
                    inner.write(depth + 1, text);
                }
            }
        }
        text.push(END);
    }

    pub(crate) fn into_state(self) -> Arc<State> {
        let mut text = Vec::new();
        self.write(0, &mut text);
        let mut marked = text.clone();
        marked.pop();
        write_name(&mut marked, MARK.0);
        marked.extend(0u64.to_le_bytes());
        write_value(&mut marked, MARK.1, MARK.2);
        marked.extend([END, END]);
        Arc::new(State { model: self, text, marked })
    }
}

/// A state of a database in a form that is compared in one go: every bucket with its sequence, every key with its value.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) model: Model,
    pub(crate) text: Vec<u8>,
    /// The same once [`MARK`] has been added.
    pub(crate) marked: Vec<u8>,
}

/// Bucket, key and value of the commit that every image has to take. No program uses the bucket, and it sorts last.
pub(crate) const MARK: (&[u8], &[u8], &[u8]) = (b"~", b"mark", b"made after the power cut");

const END: u8 = 0;
const VALUE: u8 = 1;
const BUCKET: u8 = 2;

/// No program nests its buckets deeper, so what does is damage.
const DEPTH_MAX: usize = 100;

fn write_name(text: &mut Vec<u8>, name: &[u8]) {
    text.push(BUCKET);
    write_bytes(text, name);
}

fn write_value(text: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    text.push(VALUE);
    write_bytes(text, key);
    write_bytes(text, value);
}

fn write_bytes(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend(u32::try_from(bytes.len()).expect("short enough").to_le_bytes());
    text.extend(bytes);
}

/// Writes what `bucket` holds as [`State::text`] has it. Ends early, with what cannot be equal to any state, where there
/// are more than `len_max` bytes or buckets without end.
pub(crate) fn write_bucket(bucket: &Bucket<'_>, len_max: usize, text: &mut Vec<u8>) -> Result<()> {
    write_nested(bucket, len_max, 0, text)
}

fn write_nested(bucket: &Bucket<'_>, len_max: usize, depth: usize, text: &mut Vec<u8>) -> Result<()> {
    text.extend(bucket.sequence().to_le_bytes());
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for item in bucket {
        let (key, value) = item?;
        if let Some(value) = value {
            write_value(text, key, value);
        } else {
            write_name(text, key);
            write_nested(&bucket.bucket(key)?, len_max, depth + 1, text)?;
        }
        if text.len() > len_max {
            return Ok(());
        }
    }
    text.push(END);
    Ok(())
}
