//! The naive model: nested sorted maps that answer a program's commands as the
//! engines must. It is compared with bbolt in every test that uses it, so its
//! rules are bbolt's by experiment.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::program::{Action, BucketPath, Command, Step, Transaction};
use crate::text::{hex_text, value_text};

/// Longest key in bytes that a put takes.
pub(crate) const MAX_KEY_LEN: usize = 32_768;

#[derive(Clone)]
pub(crate) enum Item {
    Value(Arc<[u8]>),
    Bucket(Node),
}

#[derive(Clone, Default)]
pub(crate) struct Node {
    pub(crate) items: BTreeMap<Vec<u8>, Item>,
    pub(crate) sequence: u64,
    /// Written in the current transaction; see [`Model::defeats_bbolt`].
    written: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) root: Node,
}

impl Model {
    /// Runs a program; one outcome for each line of its text form.
    pub(crate) fn run(&mut self, program: &[Step]) -> Vec<String> {
        let mut outcomes = Vec::new();
        for step in program {
            match step {
                Step::Reopen => outcomes.push("ok".into()),
                Step::Transaction(transaction) => self.transact(transaction, &mut outcomes),
            }
        }
        outcomes
    }

    fn transact(&mut self, transaction: &Transaction, outcomes: &mut Vec<String>) {
        outcomes.push("ok".into());
        let before = self.begin();
        for command in &transaction.commands {
            outcomes.push(self.execute(command).unwrap_or_else(str::to_owned));
        }
        outcomes.push("ok".into());
        if !transaction.commits {
            *self = before;
        }
    }

    /// Starts a transaction; the answer is the state to return to on rollback.
    pub(crate) fn begin(&mut self) -> Self {
        self.root.forget_writes();
        self.clone()
    }

    /// The bucket at a path; the empty path is the root bucket.
    pub(crate) fn bucket(&self, path: &[Vec<u8>]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, name| match node.items.get(name) {
            Some(Item::Bucket(nested)) => Some(nested),
            _ => None,
        })
    }

    pub(crate) fn bucket_mut(&mut self, path: &[Vec<u8>]) -> Result<&mut Node, &'static str> {
        path.iter().try_fold(&mut self.root, |node, name| match node.items.get_mut(name) {
            Some(Item::Bucket(nested)) => Ok(nested),
            _ => Err("bucket-not-found"),
        })
    }

    /// Executes one command; the error is the class of bbolt's error.
    pub(crate) fn execute(&mut self, command: &Command) -> Result<String, &'static str> {
        let ok = Ok("ok".to_owned());
        if let Action::Create | Action::CreateIfAbsent | Action::DeleteBucket = command.action {
            let (name, parent) = command.path.split_last().ok_or("bucket-name-required")?;
            let parent = self.bucket_mut(parent)?;
            match command.action {
                Action::Create => parent.create(name)?,
                Action::DeleteBucket => parent.delete_bucket(name)?,
                _ => match parent.create(name) {
                    Err("bucket-exists") => {}
                    other => other?,
                },
            }
            return ok;
        }
        let node = self.bucket_mut(&command.path)?;
        match &command.action {
            Action::Put(key, value) => node.put(key, &value.bytes()).and(ok),
            Action::Delete(key) => Ok(format!("ok {}", node.delete(key)?)),
            Action::Sweep(from, limit) => Ok(format!("ok {}", node.sweep(from, *limit))),
            Action::SetSequence(n) => {
                node.written = true;
                node.sequence = *n;
                ok
            }
            Action::NextSequence => {
                node.written = true;
                node.sequence += 1;
                Ok(format!("ok {}", node.sequence))
            }
            Action::Get(key) => Ok(node.get(key)),
            Action::Seek(key) => Ok(node.seek(key)),
            _ => Ok(node.scan()),
        }
    }

    /// Whether bbolt 1.3.6 goes wrong at this command, so that a program to
    /// compare with it must not have it:
    ///
    /// * `DeleteBucket` walks the bucket while it deletes the nested ones; if the
    ///   bucket was written in the same transaction, every second one is skipped
    ///   and its pages are neither reachable nor free ever after;
    /// * `DeleteBucket` of the empty name finds an "incompatible value" in an
    ///   empty bucket.
    pub(crate) fn defeats_bbolt(&self, command: &Command) -> bool {
        matches!(command.action, Action::DeleteBucket)
            && (self.bucket(&command.path).is_some_and(Node::has_leaky_part)
                || command.path.last().is_some_and(Vec::is_empty))
    }

    /// All buckets, the root not among them.
    pub(crate) fn paths(&self) -> Vec<BucketPath> {
        let mut paths = Vec::new();
        self.root.collect_paths(&mut Vec::new(), &mut paths);
        paths
    }
}

impl Node {
    fn create(&mut self, name: &[u8]) -> Result<(), &'static str> {
        match self.items.get(name) {
            _ if name.is_empty() => Err("bucket-name-required"),
            Some(Item::Bucket(_)) => Err("bucket-exists"),
            Some(Item::Value(_)) => Err("incompatible-value"),
            None => {
                self.written = true;
                let created = Self { written: true, ..Self::default() };
                self.items.insert(name.to_vec(), Item::Bucket(created));
                Ok(())
            }
        }
    }

    fn delete_bucket(&mut self, name: &[u8]) -> Result<(), &'static str> {
        match self.items.get(name) {
            None => Err("bucket-not-found"),
            Some(Item::Value(_)) => Err("incompatible-value"),
            Some(Item::Bucket(_)) => {
                self.written = true;
                self.items.remove(name);
                Ok(())
            }
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if key.is_empty() {
            return Err("key-required");
        }
        if key.len() > MAX_KEY_LEN {
            return Err("key-too-large");
        }
        if let Some(Item::Bucket(_)) = self.items.get(key) {
            return Err("incompatible-value");
        }
        self.written = true;
        self.items.insert(key.to_vec(), Item::Value(value.into()));
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, &'static str> {
        if let Some(Item::Bucket(_)) = self.items.get(key) {
            return Err("incompatible-value");
        }
        self.written = true;
        Ok(self.items.remove(key).is_some())
    }

    fn sweep(&mut self, from: &[u8], limit: usize) -> usize {
        let swept: Vec<Vec<u8>> = self
            .from(from)
            .take_while(|(_, item)| matches!(item, Item::Value(_)))
            .take(limit)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &swept {
            self.written = true;
            self.items.remove(key);
        }
        swept.len()
    }

    fn get(&self, key: &[u8]) -> String {
        match self.items.get(key) {
            Some(Item::Value(value)) => format!("ok {}", value_text(value)),
            _ => "none".into(),
        }
    }

    fn seek(&self, key: &[u8]) -> String {
        match self.from(key).next() {
            None => "none".into(),
            Some((found, Item::Bucket(_))) => format!("ok {} bucket", hex_text(found)),
            Some((found, Item::Value(value))) => format!("ok {} {}", hex_text(found), value_text(value)),
        }
    }

    fn scan(&self) -> String {
        scan_text(self.items.iter().map(|(key, item)| match item {
            Item::Value(value) => (&key[..], Some(&value[..])),
            Item::Bucket(_) => (&key[..], None),
        }))
    }

    fn from(&self, key: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Item)> {
        self.items.range::<[u8], _>((Bound::Included(key), Bound::Unbounded))
    }

    pub(crate) fn nested(&self) -> impl Iterator<Item = (&Vec<u8>, &Self)> {
        self.items.iter().filter_map(|(name, item)| match item {
            Item::Bucket(node) => Some((name, node)),
            Item::Value(_) => None,
        })
    }

    fn forget_writes(&mut self) {
        self.written = false;
        for item in self.items.values_mut() {
            if let Item::Bucket(node) = item {
                node.forget_writes();
            }
        }
    }

    fn has_leaky_part(&self) -> bool {
        self.written && self.nested().count() >= 2 || self.nested().any(|(_, node)| node.has_leaky_part())
    }

    fn collect_paths(&self, here: &mut BucketPath, paths: &mut Vec<BucketPath>) {
        for (name, node) in self.nested() {
            here.push(name.clone());
            paths.push(here.clone());
            node.collect_paths(here, paths);
            here.pop();
        }
    }
}

/// The outcome of a scan: counts, and FNV-1a over each key, 1 for a bucket or 0,
/// and the value.
pub(crate) fn scan_text<'a>(items: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> String {
    let (mut keys, mut buckets, mut hash) = (0, 0, 0xcbf2_9ce4_8422_2325_u64);
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    for (key, value) in items {
        feed(key);
        if let Some(value) = value {
            keys += 1;
            feed(&[0]);
            feed(value);
        } else {
            buckets += 1;
            feed(&[1]);
        }
    }
    format!("ok keys {keys} buckets {buckets} hash {hash:016x}")
}
