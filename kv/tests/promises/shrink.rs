//! The file becomes shorter while it is in use, and nothing else changes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kv::{Db, Error, FreelistKind, FreelistSync, Options, Shrunk, StoreError};
use kv_testkit::Random;
use pagefile_std::sim::{Call, Fault, Plan, SimDisk};
use pagefile_std::{MemStore, PageStore};

use crate::stores::{Field, dump, dump_of, dump_of_bytes, in_memory, is_valid, word};

const PAGE: u64 = 1024;

fn options() -> Options {
    Options::new().page_size(PAGE as u32).strict(true)
}

fn go_on(_: &Shrunk) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Values of many sizes in a plain bucket, in nested ones and in inline ones; then most of them go, here and there, and at
/// the end of the file some stay.
fn fill(db: &Db, seed: u64) {
    let mut random = Random::new(seed);
    for round in 0..12u64 {
        db.update(|tx| {
            let mut plain = tx.create_bucket_if_absent("plain")?;
            for n in 0..60 {
                let len = if random.one_in(12) { random.within(2000, 9000) } else { random.within(0, 300) };
                plain.put(format!("{:05}", (round * 60 + n) * 7919 % 1009), random.bytes(len))?;
            }
            let mut outer = tx.create_bucket_if_absent("outer")?;
            for n in 0..6 {
                let mut inner = outer.create_bucket_if_absent(format!("{round:02} {n}"))?;
                for n in 0..random.below(12) {
                    inner.put(format!("{n:05}"), random.bytes(120))?;
                }
                inner.create_bucket_if_absent("deeper")?.put("key", random.bytes(700))?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    }
    db.update(|tx| {
        let mut number = 0;
        let mut keep = |_: &[u8], _: &[u8]| {
            number += 1;
            number % 5 == 0
        };
        tx.bucket_mut("plain")?.retain(&mut keep)?;
        let mut outer = tx.bucket_mut("outer")?;
        for name in (0..12).flat_map(|round| (0..5).map(move |n| format!("{round:02} {n}"))) {
            outer.delete_bucket(name)?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
}

/// Both metas must fit into the file at any time: whoever falls back to the older one finds its pages.
fn assert_both_metas_fit(store: &dyn PageStore) {
    let mut metas = vec![0; 2 * PAGE as usize];
    store.read_at(0, &mut metas).unwrap();
    for at in [0, PAGE as usize].into_iter().filter(|&at| is_valid(&metas, at)) {
        let end = word(&metas, at + Field::HighWater as usize) * PAGE;
        assert!(end <= store.len(), "a meta names {end} bytes, and the file has {}", store.len());
    }
}

/// The pages in use, and the high-water mark.
fn used_and_mark(db: &Db) -> (u64, u64) {
    let mark = db.begin_read().size() / PAGE;
    (mark - db.stats().free_pages - db.stats().pending_pages, mark)
}

#[test]
fn shrinking_keeps_the_content_and_ends_the_file_a_little_behind_it() {
    for kind in [FreelistKind::SpanMaps, FreelistKind::SortedArray] {
        for sync in [FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log] {
            let options = options().freelist(kind).freelist_sync(sync);
            let (db, store) = in_memory(&options);
            fill(&db, 1);
            let content = dump_of(&db);
            let mut steps = 0;
            let shrunk = db
                .shrink(|_| {
                    steps += 1;
                    assert_both_metas_fit(&*store);
                    assert_eq!(dump_of_bytes(&store.snapshot()), content);
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(dump_of(&db), content);
            assert_eq!(db.begin_read().check().unwrap(), []);
            let (used, mark) = used_and_mark(&db);
            // Values of many pages find no room in the last gaps.
            assert!(mark <= used + used / 2, "{used} pages are in use, and the file has {mark}");
            assert!(shrunk.bytes * 2 < shrunk.bytes_before && shrunk.bytes == store.len(), "{shrunk:?}");
            assert!(shrunk.pages_moved > 0 && shrunk.pages_left == 0 && steps > 3, "{shrunk:?}");
            db.close().unwrap();
            assert_eq!(dump_of_bytes(&store.snapshot()), content);
        }
    }
}

#[test]
fn a_shrunk_file_grows_again() {
    let (db, store) = in_memory(&options());
    fill(&db, 1);
    for seed in 2..5 {
        db.shrink(go_on).unwrap();
        let short = store.len();
        fill(&db, seed);
        assert!(store.len() > short);
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
    let content = dump_of(&db);
    db.close().unwrap();
    assert_eq!(dump_of_bytes(&store.snapshot()), content);
}

/// Whatever a commit needs is there while the file shrinks: long runs of pages too, from free space or from a longer file.
#[test]
fn large_values_find_room_at_every_moment() {
    let (db, _) = in_memory(&options().shrink(2));
    fill(&db, 1);
    let mut random = Random::new(1);
    for n in 0..400u64 {
        db.update(|tx| {
            let mut bucket = tx.bucket_mut("plain")?;
            bucket.put("large", random.bytes((n * 37 % 60_000) as usize))?;
            if n % 3 == 0 { bucket.delete("large").map(drop) } else { Ok(()) }
        })
        .unwrap();
    }
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn a_file_that_is_short_stays_as_it_is() {
    let (db, store) = in_memory(&options());
    fill(&db, 1);
    let first = db.shrink(go_on).unwrap();
    let second = db.shrink(go_on).unwrap();
    assert!(second.pages_moved * 4 < first.pages_moved, "{first:?}, then {second:?}");
    assert_eq!((second.bytes, store.len()), (first.bytes, first.bytes));
}

#[test]
fn a_reader_keeps_what_it_sees_and_the_file_waits_for_it() {
    let (db, store) = in_memory(&options());
    fill(&db, 1);
    let reader = db.begin_read();
    let (len, content) = (store.len(), dump(&reader));
    let beside = db.shrink(go_on).unwrap();
    assert_eq!(store.len(), len, "the reader's state reaches to the end of the file");
    assert!(beside.pages_left > 0, "{beside:?}");
    db.update(|tx| tx.create_bucket("other")?.put("more", vec![1; 5000])).unwrap();
    assert_eq!(dump(&reader), content);
    drop(reader);
    db.shrink(go_on).unwrap();
    assert!(store.len() < len / 2);
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn commits_shrink_the_file_along_the_way_if_they_are_asked_to() {
    for sync in [FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log] {
        let (db, store) = in_memory(&options().freelist_sync(sync).shrink(8));
        fill(&db, 1);
        let before = store.len();
        for n in 0..400u64 {
            db.update(|tx| tx.bucket_mut("plain")?.put("00000", n.to_le_bytes())).unwrap();
            assert_both_metas_fit(&*store);
        }
        let (used, mark) = used_and_mark(&db);
        assert!(mark <= used + used / 4 + 16 && store.len() < before / 2, "{used} pages are in use of {mark}");
        assert_eq!(db.begin_read().check().unwrap(), []);
        let moved_pages = db.stats().tx.pages;
        for n in 0..20u64 {
            db.update(|tx| tx.bucket_mut("plain")?.put("00000", n.to_le_bytes())).unwrap();
        }
        assert!(db.stats().tx.pages - moved_pages < 20 * 8, "a file that is short costs nothing");
    }
}

#[test]
fn a_transaction_that_changes_nothing_moves_nothing() {
    let (db, store) = in_memory(&options().shrink(8));
    fill(&db, 1);
    let before = store.snapshot();
    for _ in 0..100 {
        db.update(|tx| tx.bucket_mut("plain").map(drop)).unwrap();
    }
    assert!(store.snapshot() == before);
}

#[test]
fn whoever_watches_can_end_it() {
    let (db, store) = in_memory(&options());
    fill(&db, 1);
    let content = dump_of(&db);
    let mut steps = 0;
    let shrunk = db
        .shrink(|_| {
            steps += 1;
            if steps == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((steps, shrunk.bytes), (2, store.len()));
    assert_eq!(dump_of(&db), content);
    db.update(|tx| tx.create_bucket("after").map(drop)).unwrap();
    assert!(db.shrink(go_on).unwrap().bytes < shrunk.bytes);
}

#[test]
fn the_file_stays_as_long_as_it_was_asked_to_be() {
    let (db, store) = in_memory(&options().initial_size(1 << 20));
    fill(&db, 1);
    db.shrink(go_on).unwrap();
    assert_eq!(store.len(), 1 << 20);
}

/// What is not synced may be lost, and then an older meta counts again.
#[test]
fn commits_that_are_not_synced_do_not_truncate() {
    let (db, store) = in_memory(&options().no_sync(true));
    fill(&db, 1);
    let before = store.len();
    let shrunk = db.shrink(go_on).unwrap();
    assert!(shrunk.pages_moved > 0);
    assert_eq!(store.len(), before);
    db.set_no_sync(false);
    db.shrink(go_on).unwrap();
    assert!(store.len() < before / 2);
}

#[test]
fn a_truncation_that_fails_is_told_and_harms_nothing() {
    let disk = Arc::new(SimDisk::new());
    let db = options().open_store(Box::new(Arc::clone(&disk))).unwrap();
    fill(&db, 1);
    let content = dump_of(&db);
    disk.plan(Plan { call: Some(Call::SetLen), nth: 1, fault: Fault::Io, for_ever: false });
    let error = db.shrink(go_on).unwrap_err();
    assert!(matches!(&error, Error::Store(StoreError::Io { .. })), "{error}");
    assert_eq!(dump_of(&db), content);
    db.update(|tx| tx.create_bucket("after").map(drop)).unwrap();
    fill(&db, 2);
    db.shrink(go_on).unwrap();
    assert_eq!(db.begin_read().check().unwrap(), []);
}

/// A pass that leaves room for long runs may leave more than they need: another one leaves half as much.
#[test]
fn no_more_room_is_left_for_long_runs_than_they_need() {
    for seed in [8, 18] {
        let (db, _store) = in_memory(&options());
        fill(&db, seed);
        fill(&db, seed + 1);
        let shrunk = db.shrink(go_on).unwrap();
        let (used, mark) = used_and_mark(&db);
        assert!(mark <= used + used / 6, "seed {seed}: {used} pages are in use of {mark}");
        assert_eq!(shrunk.pages_left, 0, "seed {seed}");
    }
}

/// Damage in what is to be moved: who shrinks is told the page, and commits beside it go on.
#[test]
fn damage_at_the_end_of_the_file_stops_the_moves_and_no_commit() {
    let (db, store) = in_memory(&options());
    fill(&db, 1);
    db.close().unwrap();
    let mut bytes = store.snapshot();
    let db = options().open_store(Box::new(MemStore::with_bytes(&bytes))).unwrap();
    let last = db.begin_read().page_map().unwrap();
    let last = last.iter().rev().find(|page| page.kind == kv::PageKind::Leaf).unwrap().id.get();
    drop(db);
    // Two keys in the wrong order.
    let at = (last * PAGE) as usize;
    let (first, second) = (word(&bytes, at + 16 + 4), word(&bytes, at + 32 + 4));
    bytes[at + 16 + 4..at + 24 + 4].copy_from_slice(&second.to_le_bytes());
    bytes[at + 32 + 4..at + 40 + 4].copy_from_slice(&first.to_le_bytes());

    let options = Options::new().page_size(PAGE as u32);
    let open = |options: &Options| options.open_store(Box::new(MemStore::with_bytes(&bytes))).unwrap();
    let error = open(&options).shrink(go_on).unwrap_err();
    assert!(matches!(error, Error::Corrupt { page, .. } if page.get() == last), "{error}");
    let db = open(&options.shrink(8));
    for n in 0..100u64 {
        db.update(|tx| tx.create_bucket_if_absent("new")?.put("n", n.to_le_bytes())).unwrap();
    }
}

#[test]
fn a_database_that_is_read_only_does_not_shrink() {
    let (db, store) = in_memory(&options());
    fill(&db, 1);
    db.close().unwrap();
    let db = options().read_only(true).open_store(Box::new(Arc::clone(&store))).unwrap();
    assert!(matches!(db.shrink(go_on), Err(Error::ReadOnly)));
}

/// On a real file, where a look past its end would end the process: readers that begin and end at any time, long ones and
/// short ones, and a writer, beside both ways to shrink.
#[test]
fn readers_and_a_writer_go_on_beside_it() {
    for private in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shrinks.db");
        let options = Options::new().page_size(PAGE as u32).private_reads(private).shrink(4);
        let db = options.open(&path).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for seed in 0..3 {
                let (db, done) = (&db, &done);
                threads.spawn(move || {
                    let mut random = Random::new(seed);
                    while !done.load(Ordering::Relaxed) {
                        let tx = db.begin_read();
                        let seen = dump(&tx);
                        if random.one_in(4) {
                            std::thread::sleep(std::time::Duration::from_millis(5));
                        }
                        assert_eq!(dump(&tx), seen);
                    }
                });
            }
            let writer = threads.spawn(|| {
                for seed in 0..6 {
                    fill(&db, seed);
                }
            });
            let mut shrunk = 0;
            while !writer.is_finished() {
                let now = db.shrink(go_on).unwrap();
                shrunk += u64::from(now.bytes < now.bytes_before);
            }
            writer.join().unwrap();
            done.store(true, Ordering::Relaxed);
            println!("shorter after {shrunk} calls");
        });
        db.shrink(go_on).unwrap();
        assert_eq!(db.begin_read().check().unwrap(), []);
        if cfg!(unix) {
            assert_eq!(std::fs::metadata(&path).unwrap().len(), db.file_len());
            let (used, mark) = used_and_mark(&db);
            // How many runs of pages find no gap as long depends on how the threads came to run.
            assert!(mark <= used + used / 2, "{used} pages are in use of {mark}");
        }
        let content = dump_of(&db);
        db.close().unwrap();
        assert_eq!(dump_of_bytes(&std::fs::read(&path).unwrap()), content);
    }
}
