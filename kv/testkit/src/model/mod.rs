//! What a database should hold: nested sorted maps. They answer a program's commands as the engines must, by bbolt's
//! rules, which were found by experiment: every test beside bbolt compares them again.

mod compare;
mod dump;
mod execute;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use compare::{difference, difference_of_items};
pub(crate) use execute::MAX_KEY_LEN;

use crate::program::BucketPath;

/// A bucket and all that is in it.
///
/// ```
/// use kv_testkit::model::Model;
/// use kv_testkit::program::{Action, Command, Value, path};
///
/// let mut model = Model::default();
/// model.execute(&Command::new(path("a"), Action::Create));
/// model.execute(&Command::new(path("a"), Action::Put(b"key".to_vec(), Value::Plain(b"value".to_vec()))));
/// assert_eq!(model.paths(), [path("a")]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Model {
    /// The bucket's counter.
    pub sequence: u64,
    /// Keys and names of nested buckets.
    pub entries: BTreeMap<Vec<u8>, Entry>,
}

/// What is at a key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// A value.
    Value(Arc<[u8]>),
    /// A nested bucket.
    Bucket(Model),
}

impl Model {
    /// The bucket at a path.
    #[must_use]
    pub fn bucket(&self, path: &[Vec<u8>]) -> Option<&Self> {
        path.iter().try_fold(self, |model, name| match model.entries.get(name) {
            Some(Entry::Bucket(nested)) => Some(nested),
            _ => None,
        })
    }

    /// The bucket at a path.
    pub fn bucket_mut(&mut self, path: &[Vec<u8>]) -> Option<&mut Self> {
        path.iter().try_fold(self, |model, name| match model.entries.get_mut(name) {
            Some(Entry::Bucket(nested)) => Some(nested),
            _ => None,
        })
    }

    /// The nested buckets.
    pub fn nested(&self) -> impl Iterator<Item = (&Vec<u8>, &Self)> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Bucket(nested) => Some((name, nested)),
            Entry::Value(_) => None,
        })
    }

    /// The paths of all nested buckets; this one's own empty path is not among them.
    #[must_use]
    pub fn paths(&self) -> Vec<BucketPath> {
        let mut paths = Vec::new();
        self.collect_paths(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect_paths(&self, here: &mut BucketPath, paths: &mut Vec<BucketPath>) {
        for (name, nested) in self.nested() {
            here.push(name.clone());
            paths.push(here.clone());
            nested.collect_paths(here, paths);
            here.pop();
        }
    }

    /// Every key and value of this bucket.
    pub fn items(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.entries.iter().map(|(key, entry)| match entry {
            Entry::Value(value) => (&key[..], Some(&value[..])),
            Entry::Bucket(_) => (&key[..], None),
        })
    }
}
