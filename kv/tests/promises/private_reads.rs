//! A database whose pages are read into private memory does all that one with a map does.

use kv::{Options, ReadTx};
use kv_testkit::Random;
use kv_testkit::budget::{Budget, seed};
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::{Model, difference};

/// Random transactions, by budget.
const COMMITS: [u64; 4] = [300, 3_000, 30_000, 300_000];

/// Transactions of one open.
const OPEN: u64 = 60;

#[track_caller]
fn assert_shown(tx: &ReadTx<'_>, model: &Model) {
    assert_eq!(difference(&tx.root(), model).unwrap(), None);
}

fn options(random: &mut Random) -> Options {
    let options = Options::new().private_reads(true).strict(random.one_in(2)).no_sync(true);
    let options = options.page_size(if random.one_in(2) { 1024 } else { 16 * 1024 });
    // A map that moves with each growth, as on systems without room for more.
    if random.one_in(2) { options.reserve(0) } else { options }
}

/// A backup that is made beside the writer is the state of its reader.
fn assert_copied(tx: &ReadTx<'_>, model: &Model) {
    let mut copy = Vec::new();
    tx.write_to(&mut copy).unwrap();
    let store = pagefile_std::MemStore::with_bytes(&copy);
    let db = Options::new().open_store(Box::new(store)).unwrap();
    assert_eq!(db.begin_read().check().unwrap(), []);
    assert_shown(&db.begin_read(), model);
}

#[test]
fn random_programs_do_what_the_model_does() {
    let (mut random, mut model) = (Random::new(seed()), Model::default());
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..Budget::of_this_run().of(&COMMITS) / OPEN {
        let db = options(&mut random).open(dir.path().join("private.db")).unwrap();
        let mut held: Vec<(ReadTx<'static>, Model)> = Vec::new();
        for _ in 0..OPEN {
            let mut next = model.clone();
            let commands = changes(&mut random, &mut next, &Shape::SMALL);
            let mut tx = db.begin_write().unwrap();
            execute_beside(&mut tx, &mut model.clone(), &commands).unwrap();
            if random.one_in(8) {
                tx.rollback();
            } else {
                tx.commit().unwrap();
                model = next;
            }
            assert_shown(&db.begin_read(), &model);
            if random.one_in(4) {
                held.push((db.begin_read_owned(), model.clone()));
            }
            if random.one_in(6) && !held.is_empty() {
                let (tx, model) = held.swap_remove(random.below(held.len()));
                assert_shown(&tx, &model);
                assert_copied(&tx, &model);
            }
        }
        held.drain(..).for_each(|(tx, model)| assert_shown(&tx, &model));
        assert_eq!(db.begin_read().check().unwrap(), []);
        db.close().unwrap();
        let mapped = Options::new().read_only(true).open(dir.path().join("private.db")).unwrap();
        assert_shown(&mapped.begin_read(), &model);
    }
}

/// Readers on other threads copy blocks for the first time while the writer writes into them.
#[test]
fn readers_beside_a_writer_see_their_states() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private.db");
    let fill = |n: u32| {
        move |tx: &mut kv::WriteTx<'_>| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            (0..200u32).try_for_each(|key| bucket.put(key.to_le_bytes(), n.to_le_bytes().repeat(50)))
        }
    };
    for round in 0..5 {
        let db = Options::new().page_size(1024).private_reads(true).no_sync(true).open(&path).unwrap();
        db.update(fill(round * 100)).unwrap();
        std::thread::scope(|scope| {
            let readers = [(); 3].map(|()| {
                scope.spawn(|| {
                    for _ in 0..60 {
                        let tx = db.begin_read();
                        let mut values = tx.bucket("b").unwrap().iter().map(|item| item.unwrap().1);
                        let first = values.next().unwrap();
                        assert!(values.all(|value| value == first), "one state");
                    }
                })
            });
            (1..60).for_each(|n| db.update(fill(round * 100 + n)).unwrap());
            for reader in readers {
                reader.join().unwrap();
            }
        });
        db.close().unwrap();
    }
}
