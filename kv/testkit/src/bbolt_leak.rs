//! Commands at which bbolt 1.3 goes wrong, so that a program to compare with it must not have them:
//!
//! * `DeleteBucket` walks the bucket while it deletes the nested ones; if the bucket was written in the same transaction,
//!   every second one is skipped, and its pages are neither reachable nor free from then on;
//! * `DeleteBucket` of the empty name finds an "incompatible value" in an empty bucket.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::model::Model;
use crate::program::{Action, BucketPath, Command, Step};

/// The buckets that a transaction has written to.
#[derive(Debug, Default)]
pub(crate) struct Written(BTreeSet<BucketPath>);

impl Written {
    /// Whether bbolt goes wrong at this command.
    pub(crate) fn defeats_bbolt(&self, model: &Model, command: &Command) -> bool {
        matches!(command.action, Action::DeleteBucket)
            && (command.path.last().is_some_and(Vec::is_empty)
                || model.bucket(&command.path).is_some_and(|bucket| self.leaks(&command.path, bucket)))
    }

    fn leaks(&self, path: &[Vec<u8>], bucket: &Model) -> bool {
        self.0.contains(path) && bucket.nested().count() >= 2
            || bucket.nested().any(|(name, nested)| self.leaks(&[path, std::slice::from_ref(name)].concat(), nested))
    }

    /// Executes a command on the model.
    pub(crate) fn execute(&mut self, model: &mut Model, command: &Command) {
        let exists = model.bucket(&command.path).is_some();
        let outcome = model.execute(command);
        let deletes = matches!(command.action, Action::Delete(_)) && exists;
        if !deletes && !outcome.is_change() {
            return;
        }
        let parent = || command.path.split_last().map_or_else(Vec::new, |(_, parent)| parent.to_vec());
        match &command.action {
            Action::CreateIfAbsent if exists => {}
            Action::Create | Action::CreateIfAbsent => self.0.extend([parent(), command.path.clone()]),
            Action::DeleteBucket => self.0.extend([parent()]),
            Action::Move(to) => self.0.extend([parent(), to.clone()]),
            _ => self.0.extend([command.path.clone()]),
        }
    }
}

/// Whether bbolt goes wrong at a command of the case. Leaving out others can bring that about.
#[must_use]
pub fn defeats_bbolt(case: &Case) -> bool {
    let mut model = case.start.clone();
    for step in case.turns.iter().flat_map(|turn| &turn.program) {
        let Step::Transaction(transaction) = step else { continue };
        let (before, mut written) = (model.clone(), Written::default());
        for command in &transaction.commands {
            if written.defeats_bbolt(&model, command) {
                return true;
            }
            written.execute(&mut model, command);
        }
        if !transaction.commits {
            model = before;
        }
    }
    false
}
