//! Bytes from disk are hostile: whatever they are, the answer is a value or an error, never a panic and never a hang.
//!
//! Every case asks everything of a database that a user may ask, reading and writing; any answer will do.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kv::{Bucket, Db, Error, FreelistKind, FreelistSync, Options, PageId, WriteTx};
use kv_testkit::Random;
use pagefile_std::MemStore;

use crate::stores::{file, with_bytes};

pub(crate) const PAGE: usize = 1024;

/// Nested, inline and empty buckets, a value over several pages, branches, sequences, free pages, in 16 pages.
pub(crate) fn zoo(options: &Options) -> Vec<u8> {
    file(options, |db| {
        db.update(|tx| {
            let mut tree = tx.create_bucket("tree")?;
            for n in 0..60 {
                tree.put(key(n), format!("value {n}"))?;
            }
            tree.set_sequence(7)?;
            let mut nested = tree.create_bucket("nested")?;
            nested.put("small", "inline")?;
            nested.create_bucket("deeper")?.put("large", vec![b'x'; 2500])?;
            tx.create_bucket("inline")?.put("a", "b")?;
            tx.create_bucket("empty")?;
            tx.create_bucket("gone")?.put("soon", vec![1; 3000])
        })
        .unwrap();
        db.update(|tx| {
            tx.delete_bucket("gone")?;
            for n in 20..30 {
                tx.bucket_mut("tree")?.delete(key(n))?;
            }
            tx.bucket_mut("tree")?.put(key(0), "changed")
        })
        .unwrap();
    })
}

fn key(n: u32) -> String {
    format!("key {n:04}")
}

/// Runs `count` cases, each its number's name and bytes, on all processors. A case that panics fails the test with its
/// name; one that hangs ends the whole run with it.
pub(crate) fn each_case(count: usize, case: impl Fn(usize) -> (String, Vec<u8>) + Sync) {
    const LIMIT: Duration = Duration::from_secs(30);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let running: Vec<Mutex<Option<(usize, Instant)>>> = (0..workers).map(|_| Mutex::new(None)).collect();
    let work = |slot: &Mutex<Option<(usize, Instant)>>| -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let (name, bytes) = case(number);
            *slot.lock().unwrap() = Some((number, Instant::now()));
            catch_unwind(AssertUnwindSafe(|| exercise(&bytes))).map_err(|_| name)?;
            *slot.lock().unwrap() = None;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = running.iter().map(|slot| scope.spawn(|| work(slot))).collect();
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
                for slot in &running {
                    if let Some((number, since)) = *slot.lock().unwrap()
                        && since.elapsed() > LIMIT
                    {
                        // Past the test harness, which would keep it until an end that does not come.
                        let _ = writeln!(std::io::stderr(), "{} has been running for {LIMIT:?}", case(number).0);
                        std::process::abort();
                    }
                }
            }
        });
        let panicked: Vec<String> = workers.into_iter().filter_map(|worker| worker.join().unwrap().err()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(panicked.is_empty(), "panicked: {panicked:?}");
    });
}

/// Everything that a user may ask.
fn exercise(bytes: &[u8]) {
    if let Ok(db) = with_bytes(bytes, &Options::new().read_only(true)) {
        look_at_all(&db);
        read(&db, bytes.len());
    }
    if let Ok(db) = with_bytes(bytes, &Options::new()) {
        write(&db);
        read(&db, bytes.len() * 2);
        let _ = db.close();
    }
    let options = Options::new().freelist_sync(FreelistSync::Every).freelist(FreelistKind::SortedArray);
    if let Ok(db) = with_bytes(bytes, &options) {
        let _ = db.update(|tx| tx.delete_bucket("tree"));
    }
}

fn look_at_all(db: &Db) {
    let tx = db.begin_read();
    // Of little address space, which an emulator has to set up anew for each case.
    let target = Options::new().open_store(Box::new(MemStore::with_capacity(1 << 20))).unwrap();
    let looks = [
        tx.page_map().map(|_| ()),
        tx.inspect().map(|_| ()),
        tx.root().stats().map(|_| ()),
        tx.write_to(&mut std::io::sink()).map(|_| ()),
        kv::compact(db, &target, 0).map(|_| ()),
    ];
    if tx.check().unwrap().is_empty() {
        looks.into_iter().for_each(Result::unwrap);
    }
}

fn read(db: &Db, len: usize) {
    let tx = db.begin_read();
    let _ = tx.check_from(PageId::new(3));
    walk(&tx.root(), len, 0, &mut 0);
    if let Ok(tree) = tx.bucket("tree") {
        let _ = tree.get(key(33));
        let _ = tree.range(key(10)..key(20)).rev().count();
        let mut cursor = tree.cursor();
        let _ = cursor.seek(key(31) + "x");
        let _ = cursor.prev();
    }
}

/// Both ways through a bucket and those inside it. Buckets may lead in a circle, which is the walker's to notice; one
/// bucket may not: it has at most as many items as the file has room for.
fn walk(bucket: &Bucket<'_>, len: usize, depth: usize, buckets: &mut usize) {
    *buckets += 1;
    let most = len / 16;
    assert!(bucket.items(..).take(most + 2).count() <= most + 1, "more items than fit into the file");
    assert!(bucket.items(..).rev().take(most + 2).count() <= most + 1, "more items than fit into the file");
    for item in bucket.items(..) {
        if let Ok((name, None)) = item
            && depth < 5
            && *buckets < 50
            && let Ok(inner) = bucket.bucket(name)
        {
            walk(&inner, len, depth + 1, buckets);
        }
    }
}

type Attempt = fn(&mut WriteTx<'_>) -> Result<(), Error>;

fn write(db: &Db) {
    let attempts: [Attempt; 8] = [
        |tx| tx.bucket_mut("tree")?.put(key(33), "put"),
        |tx| tx.bucket_mut("tree")?.put("new", vec![0; 2000]),
        |tx| tx.bucket_mut("tree")?.bucket_mut("nested")?.put("small", vec![0; 400]),
        |tx| (0..60).try_for_each(|n| tx.bucket_mut("tree")?.delete(key(n)).map(|_| ())),
        |tx| tx.move_bucket("nested", &[b"tree"], &[]),
        |tx| {
            let mut inline = tx.bucket_mut("inline")?;
            let mut cursor = inline.cursor_mut();
            for _ in 0..100 {
                if cursor.next()?.is_none() || !cursor.delete()? {
                    break;
                }
            }
            Ok(())
        },
        |tx| tx.delete_bucket("tree"),
        |tx| tx.create_bucket("fresh")?.put("a", "b"),
    ];
    // Each in a separate transaction; what it changed before it met an error is committed all the same.
    for attempt in attempts {
        let Ok(mut tx) = db.begin_write() else { return };
        let _ = attempt(&mut tx);
        let _ = tx.commit();
    }
}

fn flipped(bytes: &[u8], bit: usize) -> (String, Vec<u8>) {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    (format!("bit {} of byte {}", bit % 8, bit / 8), bytes)
}

/// All flips are tried, or one of so many as `KV_FLIPS_EVERY` says: emulators are slow.
fn every() -> usize {
    std::env::var("KV_FLIPS_EVERY").ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

#[test]
fn any_flipped_bit_in_the_first_pages() {
    let bytes = zoo(&Options::new().page_size(PAGE as u32));
    each_case(8 * PAGE * 8 / every(), |case| flipped(&bytes, case * every()));
}

#[test]
fn flipped_bits_anywhere() {
    let list = Options::new().freelist_sync(FreelistSync::Every);
    for (seed, page_size) in [(1, 1024), (2, 4096), (3, 65536)] {
        let bytes = zoo(&list.clone().page_size(page_size));
        each_case(1000 / every(), |case| {
            let mut random = Random::new(seed * 10_000 + case as u64);
            let (name, mut bytes) = flipped(&bytes, random.below(bytes.len() * 8));
            // Most of a large page is empty; where there is something, one bit more.
            let used: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
            let at = used[random.below(used.len())];
            bytes[at] ^= 1 << random.below(8);
            (format!("seed {seed}, case {case}: {name} and one of byte {at}"), bytes)
        });
    }
}

#[test]
fn a_file_cut_anywhere() {
    let bytes = zoo(&Options::new().page_size(PAGE as u32));
    let mut random = Random::new(40);
    let borders = (0..=bytes.len()).step_by(PAGE);
    let lens: Vec<usize> = borders.chain((0..200).map(|_| random.below(bytes.len()))).collect();
    each_case(lens.len(), |case| (format!("cut to {} bytes", lens[case]), bytes[..lens[case]].to_vec()));
    // As long as it should be, but the end never reached the disk.
    each_case(lens.len(), |case| {
        let mut zeroed = bytes.clone();
        zeroed[lens[case]..].fill(0);
        (format!("zero from byte {} on", lens[case]), zeroed)
    });
}

#[test]
fn bytes_of_no_meaning() {
    each_case(200, |case| {
        let mut random = Random::new(50_000 + case as u64);
        let mut bytes = zoo(&Options::new().page_size(PAGE as u32));
        // After good metas, or everywhere.
        let from = if case % 2 == 0 { 2 * PAGE } else { 0 };
        bytes[from..].fill_with(|| random.next_u64() as u8);
        (format!("noise {case}"), bytes)
    });
}
