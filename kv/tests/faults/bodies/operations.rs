//! A program beside the model: commits, rollbacks, clean ends and kills, on two kinds of freelist.

use std::sync::Arc;

use kv::{Db, FreelistKind, FreelistSync, Options};
use kv_testkit::engine::execute_beside;
use kv_testkit::model::{Model, difference};
use kv_testkit::program::{Action, Command, Value, path};
use pagefile_std::MemStore;

/// What a program does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Changes, with what they need.
    Change(Vec<Command>),
    Commit,
    Rollback,
    /// Closes it, or leaves it as a kill does, and opens it again.
    Reopen {
        close: bool,
    },
}

/// The buckets that changes are made in: beside each other, inside each other, and one that stays small.
const PATHS: [&str; 6] = ["a", "a/inner", "a/inner/deep", "a/small", "b", "b/twin"];

/// Different keys of a bucket.
const KEYS: u8 = 48;

/// The name of a key; some are long, so that few of them fill a branch.
fn key(number: u8) -> Vec<u8> {
    let number = number % KEYS;
    let len = if number.is_multiple_of(7) { 180 } else { 4 };
    format!("{number:0>len$}").into_bytes()
}

/// A program as bytes: four of them a step.
pub fn steps(bytes: &[u8]) -> impl Iterator<Item = Step> {
    bytes.chunks_exact(4).enumerate().map(|(number, step)| {
        let (what, place, name, size) = (step[0], step[1], step[2], usize::from(step[3]));
        let path = path(PATHS[usize::from(place) % PATHS.len()]);
        let on = |action| Command::new(path.clone(), action);
        // The bucket and those around it are made where they are missing.
        let made = |action| {
            let buckets = (1..=path.len()).map(|len| Command::new(path[..len].to_vec(), Action::CreateIfAbsent));
            Step::Change(buckets.chain([on(action)]).collect())
        };
        let put = |len| made(Action::Put(key(name), Value::Expanded { len, seed: number as u64 }));
        match what % 32 {
            0 => Step::Change(vec![on(Action::DeleteBucket)]),
            1 => made(Action::SetSequence(number as u64)),
            2..8 => Step::Change(vec![on(Action::Delete(key(name)))]),
            8..12 => Step::Commit,
            12 => Step::Rollback,
            13 => Step::Reopen { close: true },
            14 => Step::Reopen { close: false },
            // Values beyond a page for the largest sizes.
            15..18 => put(size * 24),
            _ => put(size),
        }
    })
}

/// The options that the first byte of an input chooses.
pub fn options(choice: u8) -> Options {
    Options::new()
        .page_size(1024)
        .freelist(if choice & 1 == 0 { FreelistKind::SpanMaps } else { FreelistKind::SortedArray })
        .freelist_sync([FreelistSync::OnClose, FreelistSync::Every, FreelistSync::Log][usize::from(choice / 2 % 3)])
}

/// Runs the program; every commit is checked before it counts, and compared afterwards.
///
/// # Panics
/// If what the database shows is not what the model holds.
pub fn run(bytes: &[u8]) {
    let Some((&choice, program)) = bytes.split_first() else { return };
    let options = options(choice).strict(true);
    let store = Arc::new(MemStore::new());
    let open = || options.open_store(Box::new(Arc::clone(&store))).expect("it opens");
    let mut db = open();
    let mut committed = Model::default();
    let mut waiting = Vec::new();
    for step in steps(program) {
        match step {
            Step::Change(commands) => waiting.extend(commands),
            Step::Commit => {
                let done = db.update(|tx| execute_beside(tx, &mut committed, &waiting));
                done.expect("memory does not fail");
                waiting.clear();
                assert_shown(&db, &committed, "after a commit");
            }
            Step::Rollback => {
                let mut tx = db.begin_write().expect("nobody else writes");
                execute_beside(&mut tx, &mut committed.clone(), &waiting).expect("memory does not fail");
                waiting.clear();
                tx.rollback();
                assert_shown(&db, &committed, "after a rollback");
            }
            Step::Reopen { close } => {
                waiting.clear();
                let left = store.snapshot();
                if close {
                    db.close().expect("memory does not fail");
                    db = open();
                } else {
                    // The bytes as a kill leaves them, and not as closing makes them.
                    drop(db);
                    let killed = options.open_store(Box::new(MemStore::with_bytes(&left))).expect("it opens");
                    assert_shown(&killed, &committed, "after a kill");
                    drop(killed);
                    db = open();
                }
                assert_shown(&db, &committed, "after opening it again");
            }
        }
    }
}

fn assert_shown(db: &Db, model: &Model, when: &str) {
    let tx = db.begin_read();
    assert_eq!(tx.check().expect("it can be checked"), [], "{when}");
    assert_eq!(difference(&tx.root(), model).expect("it can be read"), None, "{when}");
}
