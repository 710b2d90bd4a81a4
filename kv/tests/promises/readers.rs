//! Readers hold up nobody, see one state for as long as they like, and keep only the pages of that state.

use std::path::PathBuf;

use kv::{Db, Options};
use kv_testkit::Random;

use crate::stores::dump;

const KEYS: usize = 200;

fn filled(options: &Options) -> (tempfile::TempDir, PathBuf, Db) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("readers.db");
    let db = options.clone().page_size(1024).no_sync(true).open(&path).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..KEYS).try_for_each(|n| bucket.put(format!("key {n:03}"), vec![b'0'; 100]))
    })
    .unwrap();
    (dir, path, db)
}

/// Overwrites some keys, so that each commit frees some pages and takes others.
fn overwrite(db: &Db, random: &mut Random) {
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        (0..3)
            .try_for_each(|_| bucket.put(format!("key {:03}", random.below(KEYS)), vec![random.next_u64() as u8; 100]))
    })
    .unwrap();
}

/// All bytes of the pages that a state's trees have.
fn pages_of(tx: &kv::ReadTx<'_>) -> Vec<u8> {
    let mut copy = Vec::new();
    tx.write_to(&mut copy).unwrap();
    let is_node = |info: &kv::PageInfo| matches!(info.kind, kv::PageKind::Branch | kv::PageKind::Leaf);
    let nodes = tx.page_map().unwrap().into_iter().filter(is_node);
    nodes
        .flat_map(|info| {
            let from = info.id.get() as usize * 1024;
            copy[from..from + (1 + info.overflow as usize) * 1024].to_vec()
        })
        .collect()
}

#[test]
fn a_snapshot_stays_as_it_is_over_thousands_of_commits_and_many_growths() {
    // With room for the map to grow in place, and with a new map for every growth.
    for options in [Options::new(), Options::new().reserve(0)] {
        let (_dir, _path, db) = filled(&options);
        let borrowed = db.begin_read();
        let owned = db.begin_read_owned();
        let (lines, pages, len) = (dump(&borrowed), pages_of(&borrowed), db.file_len());
        let bucket = borrowed.bucket("b").unwrap();
        let value = bucket.get("key 100").unwrap().unwrap();
        let mut random = Random::new(1);
        for n in 0..2000 {
            overwrite(&db, &mut random);
            if n % 100 == 0 {
                // The file grows by more than it has, again and again.
                let more = vec![1; db.file_len().min(1 << 22) as usize];
                db.update(|tx| tx.bucket_mut("b")?.put(format!("large {n}"), more)).unwrap();
                db.update(|tx| tx.bucket_mut("b")?.delete(format!("large {n}"))).unwrap();
            }
            if n % 500 == 0 {
                assert_eq!(dump(&owned), lines);
            }
        }
        assert!(db.file_len() >= len * 64, "the file has grown many times: {} to {}", len, db.file_len());
        assert_eq!(value, [b'0'; 100], "a borrowed value is where it was");
        assert_eq!((dump(&borrowed), dump(&owned)), (lines.clone(), lines));
        assert_eq!((pages_of(&borrowed), pages_of(&owned)), (pages.clone(), pages));
        assert_eq!(borrowed.check().unwrap(), []);
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

#[test]
fn space_comes_back_when_the_reader_ends() {
    let (_dir, _path, db) = filled(&Options::new());
    let mut random = Random::new(2);
    let reader = db.begin_read();
    let held = reader.size();
    (0..300).for_each(|_| overwrite(&db, &mut random));
    assert_eq!(db.stats().read_tx_open, 1);
    let pending = db.stats().pending_pages;
    assert!(pending >= reader.page_map().unwrap().len() as u64 / 2, "what the reader sees waits: {pending}");
    drop(reader);
    overwrite(&db, &mut random);
    let few = db.stats().pending_pages;
    assert!(few < 20, "only what the last commit has replaced waits: {few}");
    let high_water = db.begin_read().size();
    (0..500).for_each(|_| overwrite(&db, &mut random));
    assert_eq!(db.begin_read().size(), high_water, "the space is used again");
    assert!(high_water < held * 4);
}

#[test]
fn an_old_reader_keeps_only_the_pages_that_it_can_see() {
    let (_dir, _path, db) = filled(&Options::new());
    let mut random = Random::new(3);
    overwrite(&db, &mut random);
    let used = db.begin_read().size();
    let old = db.begin_read();
    let lines = dump(&old);
    (0..2000).for_each(|_| overwrite(&db, &mut random));
    // The old state, the new one, and what a few commits have in flight; not 2,000 commits' worth of pages.
    let size = db.begin_read().size();
    assert!(size <= used * 3, "{used} bytes have become {size}");
    assert_eq!(dump(&old), lines);
}

#[test]
fn pages_freed_between_two_readers_come_back() {
    let (_dir, _path, db) = filled(&Options::new());
    let mut random = Random::new(4);
    let used = db.begin_read().size();
    let mut readers = std::collections::VecDeque::new();
    for n in 0..1500 {
        overwrite(&db, &mut random);
        if n % 50 == 0 {
            let tx = db.begin_read_owned();
            let lines = dump(&tx);
            readers.push_back((tx, lines));
        }
        if readers.len() > 4 {
            // From the middle: neither the oldest nor the newest.
            let (tx, lines) = readers.remove(2).unwrap();
            assert_eq!(dump(&tx), lines);
        }
    }
    let size = db.begin_read().size();
    // Five states at most were open at a time.
    assert!(size <= used * 7, "{used} bytes have become {size}");
    for (tx, lines) in readers {
        assert_eq!(dump(&tx), lines);
    }
}

#[test]
fn hundreds_of_readers_are_open_at_once() {
    let (_dir, _path, db) = filled(&Options::new());
    let mut random = Random::new(5);
    let readers: Vec<_> = (0..400)
        .map(|_| {
            overwrite(&db, &mut random);
            let tx = db.begin_read_owned();
            let lines = dump(&tx);
            (tx, lines)
        })
        .collect();
    assert_eq!(db.stats().read_tx_open, 400);
    for (tx, lines) in readers {
        assert_eq!(dump(&tx), lines);
    }
    assert_eq!(db.stats().read_tx_open, 0);
}

#[test]
fn readers_see_whole_commits_while_another_thread_writes() {
    let (_dir, _path, db) = filled(&Options::new().reserve(0));
    db.update(|tx| tx.bucket_mut("b")?.put("left", [0; 8]).and_then(|()| tx.bucket_mut("b")?.put("right", [0; 8])))
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 400 {
                    let tx = db.begin_read();
                    let bucket = tx.bucket("b").unwrap();
                    let read = |key: &str| u64::from_le_bytes(bucket.get(key).unwrap().unwrap().try_into().unwrap());
                    assert_eq!(read("left"), read("right"));
                    assert!(read("left") >= last, "time does not run backwards");
                    last = read("left");
                }
            });
        }
        for n in 1..=400u64 {
            db.update(|tx| {
                tx.bucket_mut("b")?.put("left", n.to_le_bytes())?;
                tx.bucket_mut("b")?.put(format!("grow {n}"), vec![0; 1500])?;
                tx.bucket_mut("b")?.put("right", n.to_le_bytes())
            })
            .unwrap();
        }
    });
    assert_eq!(db.begin_read().check().unwrap(), []);
}
