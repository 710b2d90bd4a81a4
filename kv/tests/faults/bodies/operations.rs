//! A program beside a tree of maps: commits, rollbacks, clean ends and kills, on two kinds of freelist.

use std::sync::Arc;

use kv::{Db, FreelistKind, FreelistSync, Options};
use pagefile_std::MemStore;

use super::changes::{Change, State, state};

/// What a program does next.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Change(Change),
    Commit,
    Rollback,
    /// Closes it, or leaves it as a kill does, and opens it again.
    Reopen {
        close: bool,
    },
}

/// A program as bytes: four of them a step.
pub fn steps(bytes: &[u8]) -> impl Iterator<Item = Step> {
    bytes.chunks_exact(4).enumerate().map(|(number, step)| {
        let [what, place, key, size] = [step[0], step[1], step[2], step[3]];
        let (bucket, key) = (usize::from(place), u64::from(key) % super::changes::KEYS);
        let fill = number as u64;
        match what % 32 {
            0 => Step::Change(Change::DeleteBucket { bucket }),
            1 => Step::Change(Change::Count { bucket, to: fill }),
            2..8 => Step::Change(Change::Delete { bucket, key }),
            8..12 => Step::Commit,
            12 => Step::Rollback,
            13 => Step::Reopen { close: true },
            14 => Step::Reopen { close: false },
            // Values beyond a page for the largest sizes.
            15..18 => Step::Change(Change::Put { bucket, key, len: usize::from(size) * 24, fill }),
            _ => Step::Change(Change::Put { bucket, key, len: usize::from(size), fill }),
        }
    })
}

/// The options that the first byte of an input chooses.
pub fn options(choice: u8) -> Options {
    Options::new()
        .page_size(1024)
        .freelist(if choice & 1 == 0 { FreelistKind::SpanMaps } else { FreelistKind::SortedArray })
        .freelist_sync(if choice & 2 == 0 { FreelistSync::OnClose } else { FreelistSync::Every })
}

/// Runs the program; every commit is checked before it counts, and compared afterwards.
///
/// # Panics
/// If what the database shows is not what the maps hold.
pub fn run(bytes: &[u8]) {
    let Some((&choice, program)) = bytes.split_first() else { return };
    let options = options(choice).strict(true);
    let store = Arc::new(MemStore::new());
    let open = || options.open_store(Box::new(Arc::clone(&store))).expect("it opens");
    let mut db = open();
    let mut committed = State::new();
    let mut waiting = Vec::new();
    for step in steps(program) {
        match step {
            Step::Change(change) => waiting.push(change),
            Step::Commit => {
                db.update(|tx| waiting.iter().try_for_each(|change| change.make(tx))).expect("memory does not fail");
                waiting.drain(..).for_each(|change| change.model(&mut committed));
                assert!(shown(&db) == committed, "after a commit");
            }
            Step::Rollback => {
                let mut tx = db.begin_write().expect("nobody else writes");
                waiting.drain(..).try_for_each(|change| change.make(&mut tx)).expect("memory does not fail");
                tx.rollback();
                assert!(shown(&db) == committed, "after a rollback");
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
                    assert!(shown(&killed) == committed, "after a kill");
                    drop(killed);
                    db = open();
                }
                assert!(shown(&db) == committed, "after opening it again");
            }
        }
    }
}

fn shown(db: &Db) -> State {
    let tx = db.begin_read();
    assert_eq!(tx.check().expect("it can be checked"), []);
    state(&tx).expect("it can be read")
}
