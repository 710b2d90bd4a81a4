//! A file with commits in its redo log, for who only reads: the newest commit is shown, and the file stays as it is.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use kv::surgery::RawFile;
use kv::{Db, Durability, Error, MemStore, Options, PageId, PageKind, PageStore};
use kv_testkit::Random;
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::{Model, difference};

use crate::stores::{Fragile, dump, dump_of, dump_of_bytes, with_bytes};

const PAGE: u64 = 1024;

fn plain() -> Options {
    Options::new().page_size(PAGE as u32)
}

fn reading() -> Options {
    plain().read_only(true)
}

/// With the smallest log that there can be.
fn logged() -> Options {
    // Without a thread, which would make a checkpoint at any moment.
    plain().durability(Durability::Log).log_size(0).checkpoint_thread(false)
}

fn open(store: &Arc<MemStore>, options: &Options) -> Db {
    options.open_store(Box::new(Arc::clone(store))).unwrap()
}

fn put(db: &Db, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
    db.update(|tx| tx.create_bucket_if_absent("b")?.put(key, value)).unwrap();
}

/// A file that a crash has left with five commits in its log, and what they are.
fn unsettled() -> (Vec<u8>, Vec<String>, u64) {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged());
    put(&db, "large", vec![7; 5000]);
    db.checkpoint().unwrap();
    for number in 0..5u8 {
        put(&db, [number], [number; 50]);
    }
    let newest = db.begin_read().id().get();
    (store.snapshot(), dump_of(&db), newest)
}

#[test]
fn who_only_reads_is_shown_the_newest_commit_and_changes_nothing() {
    let (bytes, expected, newest) = unsettled();
    let store = Fragile::new(&bytes, 0);
    let all =
        [reading(), reading().preload_freelist(true), reading().read_cache(0), reading().durability(Durability::Log)];
    for options in all.into_iter().chain([reading().write_memory(0), reading().max_size(2048), reading().strict(true)])
    {
        let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
        let tx = db.begin_read();
        assert_eq!((dump(&tx), tx.id().get()), (expected.clone(), newest), "{options:?}");
        assert_eq!(tx.check().unwrap(), []);
        assert!(db.is_read_only() && matches!(db.begin_write(), Err(Error::ReadOnly)));
        let owned = db.begin_read_owned();
        drop(tx);
        db.close().unwrap();
        assert_eq!(dump(&owned), expected);
    }
    assert_eq!((store.changes(), store.syncs.load(Ordering::Relaxed)), (0, 0), "not even a write of the same bytes");
    assert!(store.inner.snapshot() == bytes);
}

#[test]
fn a_file_that_was_only_read_has_its_bytes_and_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (bytes, expected, _) = unsettled();
    std::fs::write(&path, &bytes).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    for private in [false, true] {
        let db = reading().private_reads(private).open(&path).unwrap();
        let second = reading().open(&path).unwrap();
        assert_eq!((dump_of(&db), dump_of(&second)), (expected.clone(), expected.clone()), "several may read");
    }
    let target = open(&Arc::new(MemStore::new()), &plain());
    kv::compact(&reading().open(&path).unwrap(), &target, 0).unwrap();
    assert_eq!(dump_of(&target), expected);
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(path.metadata().unwrap().modified().unwrap(), then);
    assert_eq!(directory.path().read_dir().unwrap().count(), 1, "nothing lies beside it");
}

#[test]
fn a_copy_of_what_is_shown_is_a_file_like_any_other() {
    let (bytes, expected, newest) = unsettled();
    let (db, mut copy) = (with_bytes(&bytes, &reading()).unwrap(), Vec::new());
    db.begin_read().write_to(&mut copy).unwrap();
    assert_eq!(dump_of_bytes(&copy), expected);
    let raw = RawFile::new(MemStore::with_bytes(&copy), None).unwrap();
    assert_eq!((raw.newest().map(|meta| meta.tx), raw.redo_log().unwrap()), (Some(newest), None));
}

#[test]
fn a_log_without_commits_shows_the_checkpoint() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged());
    for commits in 0..2 {
        (0..commits).for_each(|_| put(&db, "key", "value"));
        db.checkpoint().unwrap();
        let shown = with_bytes(&store.snapshot(), &reading()).unwrap();
        assert_eq!((dump_of(&shown), shown.begin_read().id()), (dump_of(&db), db.begin_read().id()));
        assert_eq!(shown.begin_read().check().unwrap(), []);
    }
}

/// Changes of all kinds, with so little memory and log that checkpoints come at all places.
#[test]
fn whatever_the_commits_have_done() {
    let mut replayed = 0;
    for seed in 0..25 {
        let (mut random, store) = (Random::new(seed), Arc::new(MemStore::new()));
        let options = logged().log_size(if seed % 2 == 0 { 0 } else { 1 << 20 });
        let db = open(&store, &options);
        let mut model = Model::default();
        for commit in 0..40 {
            let program = changes(&mut random, &mut model.clone(), &Shape::SMALL);
            db.update(|tx| execute_beside(tx, &mut model, &program)).unwrap();
            let left = Arc::new(MemStore::with_bytes(&store.snapshot()));
            let shown = open(&left, &reading().preload_freelist(true));
            let tx = shown.begin_read();
            assert_eq!(difference(&tx.root(), &model).unwrap(), None, "seed {seed}, commit {commit}");
            assert_eq!(tx.id(), db.begin_read().id(), "seed {seed}, commit {commit}");
            assert_eq!(tx.check().unwrap(), [], "seed {seed}, commit {commit}");
            let mut copy = Vec::new();
            tx.write_to(&mut copy).unwrap();
            let copied = with_bytes(&copy, &plain()).unwrap();
            assert_eq!(difference(&copied.begin_read().root(), &model).unwrap(), None, "seed {seed}, commit {commit}");
            let map = tx.page_map().unwrap();
            let free = map.iter().filter(|page| page.kind == PageKind::Free).count() as u64;
            assert_eq!(shown.stats().free_pages, free, "seed {seed}, commit {commit}");
            assert!(left.snapshot() == store.snapshot());
            let log = RawFile::new(left, None).unwrap().redo_log().unwrap().unwrap();
            assert_eq!(log.newest, tx.id().get());
            replayed += log.transactions;
        }
    }
    assert!(replayed > 1000, "{replayed} transactions done again");
}

#[test]
fn the_pages_of_the_log_are_not_called_free() {
    let (bytes, ..) = unsettled();
    let store = Arc::new(MemStore::with_bytes(&bytes));
    let raw = RawFile::new(Arc::clone(&store), None).unwrap();
    let (first, pages) = raw.redo_log_pages().unwrap();
    let of_the_log = |db: &Db, first: PageId| {
        let info = db.begin_read().page(first).unwrap().unwrap();
        (info.id, info.kind, info.overflow + 1) == (first, PageKind::RedoLog, pages)
    };
    assert!(of_the_log(&open(&store, &reading()), first), "left by a crash");
    let db = open(&store, &logged());
    let raw = RawFile::new(Arc::clone(&store), None).unwrap();
    assert!(of_the_log(&db, raw.redo_log_pages().unwrap().0), "open");
    let reader = db.begin_read_owned();
    db.close().unwrap();
    assert!(reader.page_map().unwrap().iter().all(|page| page.kind != PageKind::RedoLog), "ended");
}

#[test]
fn what_is_in_a_log_is_told() {
    let (bytes, _, newest) = unsettled();
    let log = RawFile::new(MemStore::with_bytes(&bytes), None).unwrap().redo_log().unwrap().unwrap();
    assert_eq!((log.checkpoint.tx, log.newest, log.checkpoint.page_size), (newest - 5, newest, 1024));
    assert_eq!((log.units, log.transactions, log.bytes_used), (5, 5, 5 * 4096));
    assert_eq!((log.bytes, log.pages), (32 * 1024, 32));
    let mut damaged = bytes.clone();
    damaged[log.first_page.get() as usize * 1024 + 4096 * 2 + 60] ^= 1;
    let raw = RawFile::new(MemStore::with_bytes(&damaged), None).unwrap();
    assert!(matches!(raw.redo_log(), Err(Error::Corrupt { page, .. }) if page == log.first_page));
    assert!(matches!(with_bytes(&damaged, &reading()), Err(Error::Corrupt { page, .. }) if page == log.first_page));
}

/// A repaired copy keeps the log: what it says of the file is not in the place that other metas have for something else.
#[test]
fn a_repair_leaves_the_log_alone() {
    let (bytes, expected, _) = unsettled();
    let raw = RawFile::new(MemStore::with_bytes(&bytes), None).unwrap();
    let mut copy = std::io::Cursor::new(Vec::new());
    raw.write_to(&mut copy, &[], |_| ()).unwrap();
    assert_eq!(dump_of_bytes(&copy.into_inner()), expected);
}

#[test]
fn a_look_beside_a_program_with_a_log_shows_its_newest_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let db = logged().open(&path).unwrap();
    let peek = Db::peek(&path).unwrap();
    for number in 0..60u8 {
        put(&db, [number % 7], vec![number; 300]);
        if number % 11 == 0 {
            db.checkpoint().unwrap();
        }
        let (seen, id) = peek.view(|tx| Ok::<_, Error>((dump(tx), tx.id()))).unwrap();
        assert_eq!((seen, id), (dump_of(&db), db.begin_read().id()));
    }
    let look = peek.now().unwrap();
    put(&db, "later", "value");
    let read = look.view(|tx| Ok(tx.bucket("b")?.get("later")?.map(<[u8]>::to_vec)));
    assert_eq!(read.unwrap(), None, "commits to the log do not overtake it");
    db.checkpoint().unwrap();
    assert_eq!(peek.view(|tx| tx.bucket("b").map(|b| b.iter().count())).unwrap(), 8);
    let expected = dump_of(&db);
    db.close().unwrap();
    assert_eq!(peek.view(|tx| Ok::<_, Error>(dump(tx))).unwrap(), expected);
}

/// The writer commits and makes checkpoints all the time. Each commit changes two keys together, far apart.
#[test]
fn each_answer_beside_a_writer_is_of_one_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let db = logged().checkpoint_thread(true).open(&path).unwrap();
    let fill = |tx: &mut kv::WriteTx<'_>| {
        let mut bucket = tx.create_bucket("b")?;
        (0..400u32).try_for_each(|key| bucket.put(format!("{key:03}"), [0; 100]))
    };
    db.update(fill).unwrap();
    let (ended, newest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1u64.. {
                let value = [&number.to_le_bytes()[..], &[1; 92]].concat();
                db.update(|tx| {
                    let mut bucket = tx.bucket_mut("b")?;
                    let key = (number % 200) as u32;
                    [key, 399 - key].into_iter().try_for_each(|key| bucket.put(format!("{key:03}"), &value))?;
                    bucket.set_sequence(number)
                })
                .unwrap();
                newest.store(number, Ordering::SeqCst);
                if number % 40 == 0 {
                    db.checkpoint().unwrap();
                }
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let peek = Db::peek(&path).unwrap().patience(Duration::from_secs(60));
        let mut looks = 0;
        while looks < 150 || newest.load(Ordering::SeqCst) < 500 {
            let committed = newest.load(Ordering::SeqCst);
            let (last, values) = peek
                .view(|tx| {
                    let bucket = tx.bucket("b")?;
                    let number = |value: &[u8]| u64::from_le_bytes(value[..8].try_into().unwrap());
                    let values = bucket.iter().map(|pair| pair.map(|(_, value)| number(value)));
                    Ok::<_, Error>((bucket.sequence(), values.collect::<Result<Vec<_>, _>>()?))
                })
                .unwrap();
            assert!(last >= committed, "commit {last} is shown after {committed} had returned");
            for (key, value) in (0..200u64).zip(&values) {
                let expected = (1..=last).rev().take(200).find(|number| number % 200 == key).unwrap_or(0);
                assert_eq!((*value, values[399 - key as usize]), (expected, expected), "key {key} of commit {last}");
            }
            looks += 1;
        }
        ended.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_file_with_a_log_becomes_shorter_and_goes_on_with_a_log() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged());
    for number in 0..40u8 {
        put(&db, [number], vec![number; 3000]);
    }
    let reader = db.begin_read_owned();
    let seen = dump(&reader);
    for number in 2..40u8 {
        db.update(|tx| tx.bucket_mut("b")?.delete([number]).map(drop)).unwrap();
    }
    let before = store.len();
    let expected = dump_of(&db);
    let mut steps = 0;
    let shrunk = db
        .shrink(|_| {
            steps += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(steps > 0 && shrunk.bytes_before == before && shrunk.bytes == store.len());
    assert_eq!(dump(&reader), seen, "a reader keeps its state, and the file its pages");
    drop(reader);
    let shrunk = db.shrink(|_| ControlFlow::Continue(())).unwrap();
    assert!(shrunk.bytes < before / 2 && shrunk.bytes == store.len(), "{shrunk:?}");
    assert_eq!(dump_of(&db), expected);
    put(&db, "after", "value");
    let raw = RawFile::new(Arc::clone(&store), None).unwrap().redo_log().unwrap().expect("a log again");
    assert_eq!(raw.transactions, 1);
    assert_eq!(dump_of(&with_bytes(&store.snapshot(), &plain()).unwrap()), dump_of(&db), "after a crash");
}

/// A reader is in the memory of a log that ends, and the next log begins to fill memory.
#[test]
fn a_reader_keeps_its_state_while_a_log_ends_and_another_begins() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged().log_memory(0));
    for number in 0..30u8 {
        put(&db, [number], [number; 200]);
    }
    db.checkpoint().unwrap();
    put(&db, "seen", "by the reader");
    let reader = db.begin_read_owned();
    let seen = dump(&reader);
    db.shrink(|_| ControlFlow::Break(())).unwrap();
    for number in 0..30u8 {
        put(&db, [number], [number ^ 0xFF; 200]);
        assert_eq!(dump(&reader), seen, "commit {number}");
    }
}
