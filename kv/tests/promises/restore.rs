//! `restore_from`: the content of an older state comes back, at the price of what differs.

use kv::{Db, Error, Options, ReadTx, Scope};
use kv_testkit::Random;
use kv_testkit::budget::number;
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::{Entry, Model, difference};
use kv_testkit::program::Settings;
use pagefile_std::MemStore;

use crate::changes::replayed;

fn db() -> Db {
    Options::new().open_store(Box::new(MemStore::new())).unwrap()
}

/// Gives a bucket of the model what it has in an older one, as `restore_bucket_from` does.
fn restore_bucket(model: &mut Model, old: &Model, path: &[Vec<u8>]) -> bool {
    let (name, parent) = path.split_last().unwrap();
    let was = old.bucket(path).cloned();
    // A pair in the place of a bucket, then or now, is refused.
    let is_pair = |model: &Model| {
        (1..=path.len()).any(|len| {
            let (name, parent) = path[..len].split_last().unwrap();
            let entry = model.bucket(parent).and_then(|parent| parent.entries.get(name));
            matches!(entry, Some(Entry::Value(_)))
        })
    };
    if is_pair(model) || is_pair(old) {
        return false;
    }
    match (model.bucket_mut(parent), was) {
        (Some(parent), Some(was)) => drop(parent.entries.insert(name.clone(), Entry::Bucket(was))),
        (Some(parent), None) => drop(parent.entries.remove(name)),
        (None, Some(_)) => return false,
        (None, None) => {}
    }
    true
}

/// Random programs, with readers held from all times: transactions change things, go back, wholly or in a bucket, and change
/// things again. Every commit is checked as a whole, and a listener is told all of it.
#[test]
fn what_is_restored_is_what_the_snapshot_has() {
    for seed in 0..number("KV_RESTORE_PROGRAMS", 60) {
        let mut random = Random::of(seed, 73);
        let settings = *random.pick(&Settings::all(1024));
        let db = settings.options().strict(true).open_store(Box::new(MemStore::new())).unwrap();
        let (mut model, mut replica) = (Model::default(), Model::default());
        let mut told = db.subscribe(Scope::all(), 100 << 20);
        let mut held: Vec<(ReadTx<'_>, Model)> = Vec::new();
        for _ in 0..25 {
            let mut tx = db.begin_write().unwrap();
            let mut now = model.clone();
            for _ in 0..random.within(1, 3) {
                if held.is_empty() || random.one_in(2) {
                    let commands = changes(&mut random, &mut now.clone(), &Shape::SMALL);
                    execute_beside(&mut tx, &mut now, &commands).unwrap();
                    continue;
                }
                let (snapshot, old) = random.pick(&held);
                let paths = [old.paths(), now.paths()].concat();
                if paths.is_empty() || random.one_in(2) {
                    tx.restore_from(snapshot).unwrap();
                    now = old.clone();
                } else {
                    let path = random.pick(&paths).clone();
                    let names: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
                    let restored = tx.restore_bucket_from(&names, snapshot);
                    let expected = restore_bucket(&mut now, old, &path);
                    assert_eq!(restored.is_ok(), expected, "seed {seed}: {restored:?}");
                }
                assert_eq!(difference(&tx.root(), &now).unwrap(), None, "seed {seed}");
            }
            if random.one_in(5) {
                continue;
            }
            tx.commit().unwrap();
            model = now;
            replayed(&mut replica, &mut told);
            assert!(replica == model, "seed {seed}: the replay differs");
            held.push((db.begin_read(), model.clone()));
            if held.len() > 4 {
                let (old, had) = held.swap_remove(random.below(held.len()));
                assert_eq!(difference(&old.root(), &had).unwrap(), None, "seed {seed}: a snapshot has changed");
            }
        }
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

/// 100,000 pairs, of which a few change: a restore reads and writes some pages, not the file.
#[test]
fn the_price_is_what_differs() {
    let db = db();
    let key = |n: u32| format!("{n:06}");
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..100_000).try_for_each(|n| bucket.put(key(n), [7; 100]))
    })
    .unwrap();
    let pages = db.begin_read().page_map().unwrap().len() as u64;
    assert!(pages > 2500, "{pages} pages");
    let before = db.begin_read();
    for n in (0..100_000).step_by(10_000) {
        db.update(|tx| tx.bucket_mut("b")?.put(key(n), "changed")).unwrap();
    }
    let mut tx = db.begin_write().unwrap();
    let restored = tx.restore_from(&before).unwrap();
    // On both sides ten leaves, the branches above them, and the root bucket.
    assert_eq!((restored.put, restored.deleted), (10, 0));
    assert!((40..100).contains(&restored.pages), "{restored:?} of {pages} pages");
    tx.commit().unwrap();
    let written = db.stats();
    // A range that is gone comes back, and what has come goes without being read.
    db.update(|tx| tx.bucket_mut("b")?.delete_range(key(50_000)..key(51_000))).unwrap();
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        (0..20_000).try_for_each(|n| bucket.put(key(70_000) + &key(n), [9; 100]))
    })
    .unwrap();
    let restored = db.update(|tx| tx.restore_from(&before)).unwrap();
    assert_eq!((restored.put, restored.deleted), (1000, 20_000));
    assert!(restored.pages < 150, "{restored:?}: what has come is not read leaf by leaf");
    let pages_written = db.stats().since(&written).tx.pages;
    assert!(pages_written < pages / 2, "{pages_written} pages written, most of them for the 20,000 pairs");
    let same = db.update(|tx| tx.restore_from(&before)).unwrap();
    assert_eq!((same.put, same.deleted), (0, 0));
    let (now, then) = (db.begin_read(), before);
    assert!(
        now.bucket("b").unwrap().iter().map(Result::unwrap).eq(then.bucket("b").unwrap().iter().map(Result::unwrap))
    );
}

#[test]
fn a_snapshot_of_another_database_is_refused() {
    let (db, other) = (db(), db());
    let foreign = other.begin_read();
    let refused = db.update(|tx| tx.restore_from(&foreign));
    assert!(matches!(refused, Err(Error::OtherDatabase)), "{refused:?}");
    let refused = db.update(|tx| tx.restore_bucket_from(&[b"b"], &foreign));
    assert!(matches!(refused, Err(Error::OtherDatabase)), "{refused:?}");
}

/// What this transaction has done inside a bucket that its parent's leaf does not show yet.
#[test]
fn changes_of_the_same_transaction_are_undone() {
    let db = db();
    db.update(|tx| {
        let mut outer = tx.create_bucket("outer")?;
        outer.create_bucket("inner")?.put("key", "value")?;
        outer.create_bucket("other")?.set_sequence(7)
    })
    .unwrap();
    let before = db.begin_read();
    db.update(|tx| {
        tx.bucket_mut("outer")?.bucket_mut("inner")?.put("key", "changed")?;
        tx.bucket_mut("outer")?.bucket_mut("other")?.next_sequence()?;
        let restored = tx.restore_from(&before)?;
        assert_eq!((restored.put, restored.deleted), (1, 0));
        let outer = tx.bucket("outer")?;
        assert_eq!(outer.bucket("inner")?.get("key")?, Some(&b"value"[..]));
        assert_eq!(outer.bucket("other")?.sequence(), 7);
        Ok(())
    })
    .unwrap();
}
