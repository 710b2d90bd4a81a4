//! Commits by a redo log: durable by one write, in a file that bbolt is never shown an old state of.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kv::{Db, Durability, Error, FreelistOrigin, FreelistSync, MemStore, Options};
use kv_testkit::Random;

use crate::stores::{Fragile, dump, dump_of, dump_of_bytes, is_valid, with_bytes, word};

const PAGE: usize = 1024;

/// A version number that bbolt refuses.
const MARKED: u32 = 0x4B56_0002;

fn plain() -> Options {
    Options::new().page_size(PAGE as u32)
}

/// As small a log and as little memory as can be.
fn logged() -> Options {
    plain().durability(Durability::Log).log_size(0).log_memory(0)
}

fn open(store: &Arc<MemStore>, options: &Options) -> Db {
    options.open_store(Box::new(Arc::clone(store))).unwrap()
}

fn put(db: &Db, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
    db.update(|tx| tx.create_bucket_if_absent("b")?.put(key, value)).unwrap();
}

fn get(db: &Db, key: &str) -> Option<Vec<u8>> {
    db.begin_read().bucket("b").unwrap().get(key).unwrap().map(<[u8]>::to_vec)
}

fn versions(bytes: &[u8]) -> [u32; 2] {
    [0, PAGE].map(|meta| u32::from_le_bytes(bytes[meta + 20..meta + 24].try_into().unwrap()))
}

/// A file that a crash has left, with five commits in its log, and what it holds. There is room enough that no checkpoint begins
/// beside the commits: how far one comes is a matter of time.
fn unsettled() -> (Vec<u8>, Vec<String>) {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged().log_size(64 << 10).log_memory(1 << 20));
    for number in 0..5u8 {
        put(&db, [number], [number; 50]);
    }
    (store.snapshot(), dump_of(&db))
}

#[test]
fn a_small_commit_is_one_write() {
    let store = Fragile::new(&[], 0);
    let db = logged().log_memory(1 << 20).log_size(1 << 20).open_store(Box::new(Arc::clone(&store))).unwrap();
    put(&db, "key", "value");
    store.take_writes();
    for number in 0..100u8 {
        let syncs = store.syncs.load(Ordering::Relaxed);
        put(&db, [number], "value");
        let writes = store.take_writes();
        assert_eq!(writes.len(), 1, "one write, of one block: {writes:?}");
        assert!(writes[0].start >= 2 * PAGE as u64 && writes[0].end - writes[0].start == 4096, "{writes:?}");
        assert_eq!(store.syncs.load(Ordering::Relaxed), syncs + 1, "which is durable: this store syncs for it");
    }
    db.checkpoint().unwrap();
    assert!(store.take_writes().len() >= 2, "the pages, and a meta");
    db.checkpoint().unwrap();
    assert_eq!(store.take_writes(), [], "nothing is left for another");
}

#[test]
fn large_values_are_written_once_and_small_ones_beside_them_go_by_the_log() {
    let store = Fragile::new(&[], 0);
    let options = logged().log_size(4 << 20).log_memory(32 << 20).checkpoint_thread(false);
    let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
    put(&db, "key", "value");
    let bytes = |writes: Vec<std::ops::Range<u64>>| writes.iter().map(|write| write.end - write.start).sum::<u64>();
    for round in 0..6u8 {
        for number in 0..10u8 {
            store.take_writes();
            put(&db, [number], [round; 50]);
            assert_eq!(bytes(store.take_writes()), 4096, "round {round}: a block of the log");
        }
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("large")?;
            (0..20u8).try_for_each(|key| bucket.put([round, key], vec![round; 25 << 10]))
        })
        .unwrap();
        let (written, values) = (bytes(store.take_writes()), 20 * (25 << 10));
        assert!(written < values + values / 5, "round {round}: {written} bytes for {values} of values");
        let crashed = with_bytes(&store.inner.snapshot(), &plain()).unwrap();
        assert_eq!(dump_of(&crashed), dump_of(&db), "round {round}: after a crash");
    }
    db.close().unwrap();
}

#[test]
fn an_open_file_and_one_that_a_crash_has_left_are_refused_by_whoever_does_not_know_the_log() {
    let (bytes, _) = unsettled();
    assert_eq!(versions(&bytes), [MARKED; 2], "bbolt looks at these before anything else");
    assert!(!is_valid(&bytes, 0) && !is_valid(&bytes, PAGE), "nor are the checksums those of bbolt's metas");
}

#[test]
fn a_closed_file_is_bbolts_again() {
    for sync in [FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log] {
        let dropped = |db| {
            drop(db);
            Ok(())
        };
        for gone in [Db::close, dropped] {
            let store = Arc::new(MemStore::new());
            let db = open(&store, &logged().freelist_sync(sync));
            put(&db, "key", "value");
            let expected = dump_of(&db);
            gone(db).unwrap();
            let bytes = store.snapshot();
            assert_eq!(versions(&bytes), [2; 2]);
            for meta in [0, PAGE] {
                assert!(is_valid(&bytes, meta));
                assert_eq!(word(&bytes, meta + 64) % 2, u64::from(meta > 0), "each meta is in the page of its number");
            }
            assert_eq!(dump_of_bytes(&bytes), expected);
            let db = with_bytes(&bytes, &plain()).unwrap();
            let origin = db.stats().freelist;
            assert!(matches!(origin, FreelistOrigin::Sealed | FreelistOrigin::Logged), "{origin:?}");
        }
    }
}

#[test]
fn an_owned_transaction_that_outlives_the_handle_leaves_bbolts_file() {
    for commits in [true, false] {
        let store = Arc::new(MemStore::new());
        let db = open(&store, &logged());
        put(&db, "key", "value");
        let mut tx = db.begin_write_owned().unwrap();
        tx.bucket_mut("b").unwrap().put("late", "value").unwrap();
        drop(db);
        assert_eq!(versions(&store.snapshot()), [MARKED; 2], "the transaction may still be committed");
        if commits {
            tx.commit().unwrap();
        } else {
            drop(tx);
        }
        assert_eq!(versions(&store.snapshot()), [2; 2]);
        let db = open(&store, &plain());
        assert_eq!((get(&db, "key").is_some(), get(&db, "late").is_some()), (true, commits));
    }
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged());
    put(&db, "key", "value");
    let reader = db.begin_read_owned();
    drop(db);
    assert_eq!(reader.bucket("b").unwrap().get("key").unwrap(), Some(&b"value"[..]), "a reader goes on");
    drop(reader);
    assert_eq!(versions(&store.snapshot()), [2; 2]);
}

#[test]
fn opening_for_writing_brings_what_a_crash_has_left_into_the_trees() {
    let (bytes, expected) = unsettled();
    for options in [plain(), plain().no_sync(true), logged(), logged().log_size(1 << 20), plain().max_size(8192)] {
        let store = Arc::new(MemStore::with_bytes(&bytes));
        let db = open(&store, &options);
        assert_eq!(dump_of(&db), expected, "{options:?}");
        assert_eq!(db.begin_read().check().unwrap(), []);
        db.close().unwrap();
        assert_eq!(dump_of_bytes(&store.snapshot()), expected, "{options:?}");
    }
}

#[test]
fn what_does_not_go_with_a_log_is_refused() {
    for options in [logged().no_sync(true), logged().shrink(4), logged().private_reads(true)] {
        let refused = options.open_store(Box::new(MemStore::new())).unwrap_err();
        assert!(matches!(refused, Error::InvalidOption { .. }) && refused.to_string().contains("Log"), "{refused}");
    }
    let db = logged().open_store(Box::new(MemStore::new())).unwrap();
    db.set_no_sync(true);
    put(&db, "key", "durable all the same");
}

#[test]
fn readers_keep_their_state_through_any_number_of_checkpoints() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged().strict(true));
    let mut random = Random::new(5);
    let mut held = Vec::new();
    for round in 0..600u32 {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            bucket.put(random.below_u64(60).to_le_bytes(), vec![round as u8; random.below(1500)])?;
            bucket.delete(random.below_u64(60).to_le_bytes()).map(drop)
        })
        .unwrap();
        if random.one_in(20) {
            let reader = db.begin_read_owned();
            let seen = dump(&reader);
            held.push((reader, seen));
        }
        if held.len() > 8 {
            let (reader, seen) = held.swap_remove(random.below(8));
            assert_eq!(dump(&reader), seen);
            assert_eq!(reader.check().unwrap(), []);
        }
    }
    assert!(held.iter().all(|(reader, seen)| dump(reader) == *seen));
}

#[test]
fn a_copy_has_the_pages_that_are_not_in_the_file_yet() {
    let db = open(&Arc::new(MemStore::new()), &logged().log_memory(1 << 20));
    for number in 0..6u8 {
        put(&db, [number], vec![number; 400 * usize::from(number)]);
    }
    let (reader, mut copy) = (db.begin_read(), Vec::new());
    put(&db, "later", "value");
    reader.write_to(&mut copy).unwrap();
    assert_eq!(dump_of_bytes(&copy), dump(&reader));
}

#[test]
fn a_transaction_too_large_for_the_log_commits_by_two_syncs() {
    let store = Arc::new(MemStore::new());
    for options in [logged(), logged().write_memory(4096)] {
        let db = open(&store, &options);
        for round in 0..4u8 {
            put(&db, "small", [round]);
            db.update(|tx| {
                let mut bucket = tx.create_bucket_if_absent("large")?;
                (0..200u32).try_for_each(|key| bucket.put(key.to_le_bytes(), [round; 100]))
            })
            .unwrap();
            put(&db, "after", [round]);
            assert_eq!(dump_of(&with_bytes(&store.snapshot(), &plain()).unwrap()), dump_of(&db), "after a crash");
        }
        db.close().unwrap();
    }
}

#[test]
fn many_lives_of_a_file_do_not_make_it_longer() {
    let store = Arc::new(MemStore::new());
    let mut lengths = Vec::new();
    for life in 0..12u8 {
        let db = open(&store, &logged());
        put(&db, "key", [life; 100]);
        lengths.push(db.begin_read().size());
        if life % 3 == 0 { std::mem::forget(db) } else { db.close().unwrap() }
    }
    let longest = lengths.iter().skip(4).max().unwrap();
    assert!(*longest <= lengths[3] + 8 * PAGE as u64, "the log goes to the same place: {lengths:?}");
}

#[test]
fn a_file_without_room_for_a_log_is_left_as_it_was() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &plain());
    put(&db, "key", "value");
    db.close().unwrap();
    let before = dump_of_bytes(&store.snapshot());
    let refused = logged().max_size(20 * PAGE as u64).open_store(Box::new(Arc::clone(&store))).unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("limit is 20480"), "{cause}");
    assert_eq!(versions(&store.snapshot()), [2; 2]);
    assert_eq!(dump_of_bytes(&store.snapshot()), before);
}

/// Neither a checkpoint nor the end of the log needs more room than commits were given.
#[test]
fn a_file_at_its_limit_still_closes() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged().max_size(120 * PAGE as u64));
    let full = (0..1000u32)
        .find_map(|key| db.update(|tx| tx.create_bucket_if_absent("b")?.put(key.to_le_bytes(), [7; 300])).err());
    let full = full.expect("a limit");
    assert!(full.with_causes().contains("limit"), "{full}");
    let expected = dump_of(&db);
    assert_eq!(dump_of(&with_bytes(&store.snapshot(), &plain()).unwrap()), expected, "after a crash");
    db.checkpoint().unwrap();
    db.close().unwrap();
    assert_eq!(versions(&store.snapshot()), [2; 2]);
    assert_eq!(dump_of_bytes(&store.snapshot()), expected);
}

#[test]
fn damage_inside_the_log_is_an_error_and_changes_nothing() {
    let (bytes, expected) = unsettled();
    let first = word(&bytes, 72) as usize * PAGE;
    let mut at_the_end = 0;
    for unit in 0..5 {
        let mut damaged = bytes.clone();
        damaged[first + unit * 4096 + 60] ^= 1;
        let store = Arc::new(MemStore::with_bytes(&damaged));
        let read = with_bytes(&damaged, &plain().read_only(true));
        match plain().open_store(Box::new(Arc::clone(&store))) {
            Err(Error::Corrupt { page, .. }) => {
                assert!(matches!(read, Err(Error::Corrupt { page: seen, .. }) if seen == page), "{read:?}");
                assert_eq!(page.get() as usize * PAGE, first);
                assert_eq!(versions(&store.snapshot()), [MARKED; 2], "somebody may still repair it");
            }
            Ok(db) => {
                assert!(expected.len() > dump_of(&db).len(), "what was damaged is not there");
                assert_eq!(dump_of(&read.unwrap()), dump_of(&db));
                at_the_end += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(at_the_end, 1, "nothing tells the last unit from one that was not written whole");
}

/// The checksum of a marked meta (FORMAT.md).
fn word_sum(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(8).fold(0xcbf2_9ce4_8422_2325, |sum: u64, chunk| {
        let sum = (sum ^ u64::from_le_bytes(chunk.try_into().unwrap())).wrapping_mul(0x0100_0000_01b3);
        sum ^ (sum >> 32)
    })
}

/// *mix* of FORMAT.md.
fn mix(before: u64, next: u64) -> u64 {
    let mixed = before.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ next;
    (mixed ^ (mixed >> 32)).wrapping_mul(0x0100_0000_01b3)
}

/// What bytes lead to that may lie, for who writes and for who only reads: the same state, or damage for both.
fn opened_both_ways(bytes: &[u8], case: &str) -> Result<Db, Error> {
    let (writing, reading) = (with_bytes(bytes, &plain()), with_bytes(bytes, &plain().read_only(true)));
    match (&writing, &reading) {
        (Ok(written), Ok(read)) => {
            assert_eq!(read.begin_read().check().unwrap(), [], "{case}");
            assert_eq!(dump_of(read), dump_of(written), "{case}");
        }
        (Err(Error::Corrupt { page, what }), Err(Error::Corrupt { page: seen, what: read })) => {
            assert_eq!((page, what), (seen, read), "{case}");
        }
        (writing, reading) => {
            panic!("{case}: {:?}, and read-only {:?}", writing.as_ref().err(), reading.as_ref().err())
        }
    }
    writing
}

/// Records that lie, in a unit whose checksum fits: damage of the log, or a state, and no panic and no other error.
#[test]
fn a_record_that_lies_is_damage() {
    let store = Arc::new(MemStore::new());
    let db = open(&store, &logged());
    put(&db, "a", "1");
    put(&db, "b", "2");
    db.checkpoint().unwrap();
    db.update(|tx| {
        tx.create_bucket("new")?.set_sequence(3)?;
        let mut bucket = tx.bucket_mut("b")?;
        bucket.put("key", "value")?;
        bucket.delete("a")?;
        bucket.delete_range("b".."c")?;
        tx.move_bucket("new", &[], &[b"b"])
    })
    .unwrap();
    let bytes = store.snapshot();
    let newest = usize::from(word(&bytes, PAGE + 64) > word(&bytes, 64)) * PAGE;
    let at = (word(&bytes, newest + 72) as usize) * PAGE + word(&bytes, newest + 96) as usize;
    let len = word(&bytes, at + 16) as usize;
    let sum = |bytes: &[u8]| mix(word_sum(&bytes[at..at + 32]), word_sum(&bytes[at + 40..at + len]));
    assert_eq!(sum(&bytes), word(&bytes, at + 32), "this is the unit");
    let mut damaged = 0;
    for place in at + 40..at + len {
        for lie in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, b'b', 0xFF] {
            let mut lying = bytes.clone();
            lying[place] = lie;
            let sum = sum(&lying);
            lying[at + 32..at + 40].copy_from_slice(&sum.to_le_bytes());
            match opened_both_ways(&lying, &format!("byte {place}: {lie}")) {
                Ok(db) => assert_eq!(db.begin_read().check().unwrap(), [], "byte {place}: {lie}"),
                Err(error) => {
                    assert!(
                        matches!(error, Error::Corrupt { page, .. } if page.get() as usize * PAGE <= at),
                        "{error}"
                    );
                    damaged += 1;
                }
            }
        }
    }
    assert!(damaged > 100, "{damaged} lies were noticed");
}

/// Every number of the log's place, as a lie with a checksum that fits: an error, or the state, and no panic.
#[test]
fn a_marked_meta_that_lies_is_refused() {
    let (bytes, content) = unsettled();
    let newest = usize::from(word(&bytes, PAGE + 64) > word(&bytes, 64)) * PAGE;
    for at in (72..112).step_by(8).chain([32, 48, 56, 64]) {
        let told = word(&bytes, newest + at);
        for lie in [
            0,
            1,
            2,
            3,
            told.wrapping_sub(1),
            told.wrapping_add(1),
            told.wrapping_add(512),
            told.wrapping_mul(2),
            1 << 40,
            1 << 63,
            u64::MAX,
        ] {
            let mut bytes = bytes.clone();
            bytes[newest + at..newest + at + 8].copy_from_slice(&lie.to_le_bytes());
            let sum = word_sum(&bytes[newest..newest + 504]);
            assert_ne!(lie != told, sum.to_le_bytes() == bytes[newest + 504..newest + 512], "the checksum is this one");
            bytes[newest + 504..newest + 512].copy_from_slice(&sum.to_le_bytes());
            match with_bytes(&bytes, &plain()) {
                // An end of the log that lies shows an older state, as a log that ends there does.
                Ok(db) => assert!(dump_of(&db).iter().all(|line| content.contains(line)), "byte {at}: {lie}"),
                Err(error) => assert!(!error.to_string().is_empty(), "byte {at}: {lie}"),
            }
            // Who only reads does not walk over everything first, and may meet the damage later.
            if let Ok(db) = with_bytes(&bytes, &plain().read_only(true)) {
                let tx = db.begin_read();
                let _ = (tx.check().unwrap(), tx.page_map(), tx.root().stats(), tx.write_to(&mut std::io::sink()));
            }
        }
    }
}

#[test]
fn two_checkpoints_of_one_number_are_refused() {
    let (mut bytes, _) = unsettled();
    let (first, second) = bytes.split_at_mut(PAGE);
    first[16..512].copy_from_slice(&second[16..512]);
    let refused = with_bytes(&bytes, &plain()).err();
    // The header of the first says which page it is, so its checksum is another now: it is no meta.
    assert!(refused.is_none(), "{refused:?}");
    let (first, second) = bytes.split_at_mut(PAGE);
    first[..512].copy_from_slice(&second[..512]);
    let refused = with_bytes(&bytes, &plain()).unwrap_err();
    assert!(matches!(refused, Error::TwoStates { .. }), "{refused}");
}

#[test]
fn changes_are_told_to_listeners_beside_the_log() {
    let db = open(&Arc::new(MemStore::new()), &logged());
    let mut changes = db.subscribe(kv::Scope::all(), 1 << 20);
    put(&db, "key", "value");
    assert!(matches!(changes.try_next(), Some(kv::Event::Commit { changes, .. }) if changes.len() == 2));
}

#[test]
fn after_a_failed_write_to_the_log_the_handle_refuses_writes() {
    let store = Fragile::new(&[], 600);
    let db = logged().open_store(Box::new(Arc::clone(&store))).unwrap();
    put(&db, "key", "value");
    let before = dump_of(&db);
    store.fail(1);
    let failed = db.update(|tx| tx.bucket_mut("b")?.put("lost", "value")).unwrap_err();
    assert!(matches!(failed, Error::Unknown { .. }), "{failed}");
    assert_eq!(dump_of(&db), before);
    assert!(matches!(db.begin_write(), Err(Error::Poisoned)));
    assert!(db.checkpoint().is_err());
    drop(db);
    let opened = dump_of(&with_bytes(&store.inner.snapshot(), &plain()).unwrap());
    assert!(opened.len() == before.len() || opened.len() == before.len() + 1);
}
