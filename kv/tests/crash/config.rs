//! The kinds of database that programs run on, and the files they start from.

use std::sync::{Arc, LazyLock};

use kv_testkit::Random;
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::Model;
use kv_testkit::program::{Action, Command, Settings, Value, path};
use pagefile_std::MemStore;

use crate::state::State;

/// Small, so that few keys make deep trees and files are soon written whole.
pub(crate) const PAGE_SIZE: u32 = 1024;

/// Which freelist, written when: commits by two syncs.
pub(crate) static CONFIGS: LazyLock<[Settings; 6]> = LazyLock::new(|| Settings::all(PAGE_SIZE));

/// The same, and those with a redo log.
pub(crate) static ALL_CONFIGS: LazyLock<[Settings; 8]> = LazyLock::new(|| {
    let ([a, b, c, d, e, f], [g, h]) = (*CONFIGS, Settings::logged(PAGE_SIZE));
    [a, b, c, d, e, f, g, h]
});

/// The commands of one transaction.
pub(crate) type Changes = Vec<Command>;

/// A file, and the states of which it must be one.
pub(crate) struct Base {
    pub(crate) bytes: Vec<u8>,
    pub(crate) allowed: Vec<Arc<State>>,
}

impl Base {
    /// The file after these transactions; closed, or left as a crash leaves it.
    pub(crate) fn of(config: Settings, transactions: &[Changes], closed: bool) -> Base {
        let store = Arc::new(MemStore::new());
        let db = config.options().open_store(Box::new(Arc::clone(&store))).expect("an empty store opens");
        let mut model = Model::default();
        for changes in transactions {
            db.update(|tx| execute_beside(tx, &mut model, changes)).expect("memory does not fail");
        }
        let left = store.snapshot();
        db.close().expect("memory does not fail");
        let bytes = if closed { store.snapshot() } else { left };
        Base { bytes, allowed: vec![State::of(model)] }
    }
}

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

/// Puts `count` keys from number `first` on, each with a value of `len` bytes.
pub(crate) fn puts(at: &str, first: usize, count: usize, len: usize) -> Changes {
    let put = |number| Action::Put(key(number), Value::Expanded { len, seed: number as u64 });
    (first..first + count).map(|number| Command::new(path(at), put(number))).collect()
}

/// Deletes those keys.
pub(crate) fn deletes(at: &str, first: usize, count: usize) -> Changes {
    (first..first + count).map(|number| Command::new(path(at), Action::Delete(key(number)))).collect()
}

pub(crate) fn on(at: &str, action: Action) -> Changes {
    vec![Command::new(path(at), action)]
}

/// A bucket at the top with `keys` keys of `len` bytes in it, which is `a`.
pub(crate) fn filled(keys: usize, len: usize) -> Changes {
    [on("a", Action::Create), puts("a", 0, keys, len)].concat()
}

/// The changes of one random transaction, of which at least one changes something.
pub(crate) fn random_changes(model: &Model, random: &mut Random) -> Changes {
    loop {
        let (mut before, mut after) = (model.clone(), model.clone());
        let changes = changes(random, &mut after, &Shape::SMALL);
        if changes.iter().any(|command| before.execute(command).is_change()) {
            return changes;
        }
    }
}

/// So many random transactions, one after the other.
pub(crate) fn random_transactions(mut model: Model, count: usize, random: &mut Random) -> Vec<Changes> {
    let transactions = (0..count).map(|_| {
        let changes = random_changes(&model, random);
        for command in &changes {
            model.execute(command);
        }
        changes
    });
    transactions.collect()
}
