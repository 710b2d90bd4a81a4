//! The model runs programs.

use std::ops::Bound;

use super::{Entry, Model};
use crate::outcome::{Outcome, Refusal, Scan};
use crate::program::{Action, Command, Step, Transaction};

/// Most bytes of a key.
pub(crate) const MAX_KEY_LEN: usize = 32_768;

impl Model {
    /// Runs a program; one outcome for each line of its text form.
    pub fn run(&mut self, program: &[Step]) -> Vec<String> {
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
        let before = self.clone();
        outcomes.extend(transaction.commands.iter().map(|command| self.execute(command).to_string()));
        outcomes.push("ok".into());
        if !transaction.commits {
            *self = before;
        }
    }

    /// Executes one command.
    pub fn execute(&mut self, command: &Command) -> Outcome {
        let executed = match &command.action {
            Action::Create | Action::CreateIfAbsent | Action::DeleteBucket => self.change_buckets(command),
            Action::Move(to) => self.relocate(&command.path, to),
            action => match self.bucket_mut(&command.path) {
                Some(bucket) => bucket.change(action),
                None => Err(Refusal::BucketNotFound),
            },
        };
        executed.unwrap_or_else(Outcome::Refused)
    }

    fn change_buckets(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let (name, parent) = command.path.split_last().ok_or(Refusal::BucketNameRequired)?;
        let parent = self.bucket_mut(parent).ok_or(Refusal::BucketNotFound)?;
        match command.action {
            Action::DeleteBucket => {
                parent.named(name)?;
                parent.entries.remove(name);
                Ok(Outcome::Done)
            }
            Action::CreateIfAbsent if parent.named(name).is_ok() => Ok(Outcome::Done),
            _ => parent.create(name),
        }
    }

    fn create(&mut self, name: &[u8]) -> Result<Outcome, Refusal> {
        if name.is_empty() {
            return Err(Refusal::BucketNameRequired);
        }
        self.free_at(name)?;
        self.entries.insert(name.to_vec(), Entry::Bucket(Self::default()));
        Ok(Outcome::Done)
    }

    /// There is a nested bucket of this name.
    fn named(&self, name: &[u8]) -> Result<(), Refusal> {
        match self.entries.get(name) {
            None => Err(Refusal::BucketNotFound),
            Some(Entry::Value(_)) => Err(Refusal::IncompatibleValue { is_bucket: false }),
            Some(Entry::Bucket(_)) => Ok(()),
        }
    }

    /// A nested bucket can have this name.
    fn free_at(&self, name: &[u8]) -> Result<(), Refusal> {
        match self.entries.get(name) {
            None => Ok(()),
            Some(Entry::Value(_)) => Err(Refusal::IncompatibleValue { is_bucket: false }),
            Some(Entry::Bucket(_)) => Err(Refusal::BucketExists),
        }
    }

    /// There is no nested bucket in the place of a value.
    fn value_at(&self, key: &[u8]) -> Result<(), Refusal> {
        match self.entries.get(key) {
            Some(Entry::Bucket(_)) => Err(Refusal::IncompatibleValue { is_bucket: true }),
            _ => Ok(()),
        }
    }

    fn relocate(&mut self, moved: &[Vec<u8>], to: &[Vec<u8>]) -> Result<Outcome, Refusal> {
        let (name, from) = moved.split_last().ok_or(Refusal::BucketNameRequired)?;
        let source = self.bucket(from).ok_or(Refusal::BucketNotFound)?;
        let target = self.bucket(to).ok_or(Refusal::BucketNotFound)?;
        source.named(name)?;
        if from == to || to.starts_with(moved) {
            return Err(Refusal::SameBuckets);
        }
        target.free_at(name)?;
        let entry = self.bucket_mut(from).and_then(|source| source.entries.remove(name));
        let target = self.bucket_mut(to).expect("it is not inside what was moved");
        target.entries.extend(entry.map(|entry| (name.clone(), entry)));
        Ok(Outcome::Done)
    }

    fn change(&mut self, action: &Action) -> Result<Outcome, Refusal> {
        Ok(match action {
            Action::Put(key, value) => return self.put(key, &value.bytes()),
            Action::Delete(key) => {
                self.value_at(key)?;
                Outcome::Deleted(self.entries.remove(key).is_some())
            }
            Action::Sweep(from, limit) => Outcome::Swept(self.sweep(from, *limit)),
            Action::Thin(share) => self.thin(*share),
            Action::DeleteRange(from, below) => Outcome::Swept(self.delete_range(from, below)),
            Action::Clear => {
                self.entries.clear();
                Outcome::Done
            }
            Action::Retain(share) => Outcome::Swept(self.retain(*share)),
            Action::SetSequence(number) => {
                self.sequence = *number;
                Outcome::Done
            }
            Action::NextSequence => {
                self.sequence += 1;
                Outcome::Sequence(self.sequence)
            }
            Action::Get(key) => Outcome::Value(match self.entries.get(key) {
                Some(Entry::Value(value)) => Some(value.to_vec()),
                _ => None,
            }),
            Action::Seek(key) => Outcome::Item(self.from(key).next().map(|(key, entry)| match entry {
                Entry::Bucket(_) => (key.clone(), None),
                Entry::Value(value) => (key.clone(), Some(value.to_vec())),
            })),
            _ => Outcome::Items(Scan::of(self.items())),
        })
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Outcome, Refusal> {
        if key.is_empty() {
            return Err(Refusal::KeyRequired);
        }
        if key.len() > MAX_KEY_LEN {
            return Err(Refusal::KeyTooLarge);
        }
        self.value_at(key)?;
        self.entries.insert(key.to_vec(), Entry::Value(value.into()));
        Ok(Outcome::Done)
    }

    fn sweep(&mut self, from: &[u8], limit: usize) -> usize {
        let values = self.from(from).take_while(|(_, entry)| matches!(entry, Entry::Value(_)));
        let swept: Vec<Vec<u8>> = values.take(limit).map(|(key, _)| key.clone()).collect();
        for key in &swept {
            self.entries.remove(key);
        }
        swept.len()
    }

    fn thin(&mut self, share: usize) -> Outcome {
        let scan = Scan::of(self.items());
        let before = self.entries.len();
        let mut number = 0;
        self.entries.retain(|_, entry| {
            number += 1;
            matches!(entry, Entry::Bucket(_)) || number % share != 0
        });
        Outcome::Thinned(scan, before - self.entries.len())
    }

    fn delete_range(&mut self, from: &[u8], below: &[u8]) -> usize {
        let before = self.entries.len();
        self.entries.retain(|key, _| &key[..] < from || !below.is_empty() && &key[..] >= below);
        before - self.entries.len()
    }

    fn retain(&mut self, share: usize) -> usize {
        let (before, mut number) = (self.entries.len(), 0);
        self.entries.retain(|_, entry| {
            let is_value = matches!(entry, Entry::Value(_));
            number += usize::from(is_value);
            !is_value || number % share != 0
        });
        before - self.entries.len()
    }

    fn from(&self, key: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.entries.range::<[u8], _>((Bound::Included(key), Bound::Unbounded))
    }
}
