//! Readers, a writer, batches and growth at once, with a map that moves each time: every snapshot is one that was
//! committed, and stays what it is. The sanitizers are run on this (`.ci/sanitize`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use kv::{Db, Options, ReadTx};
use kv_testkit::budget::seed;
use kv_testkit::figure::print;
use pagefile_std::MemStore;

use crate::budget::goals;

const CELLS: u64 = 24;

/// Every cell of the bucket holds the number of one and the same transaction, repeated as often as that says.
fn assert_snapshot(tx: &ReadTx<'_>) -> u64 {
    let bucket = tx.bucket("cells").unwrap();
    let number = bucket.sequence();
    let mut cells = 0;
    for item in bucket {
        let (_, value) = item.unwrap();
        assert_eq!(value.len() as u64, len(number), "the value of another transaction");
        assert!(value.chunks_exact(8).all(|word| word == number.to_le_bytes()), "bytes of another transaction");
        cells += 1;
    }
    assert_eq!(cells, CELLS);
    number
}

/// Values grow and shrink, so that pages are freed, reused and added all the time.
const fn len(number: u64) -> u64 {
    8 + 8 * (number * 37 % 300)
}

fn write(db: &Db, number: u64) {
    let value = number.to_le_bytes().repeat(usize::try_from(len(number) / 8).unwrap());
    db.update(|tx| {
        let mut bucket = tx.create_bucket_if_absent("cells")?;
        bucket.set_sequence(number)?;
        (0..CELLS).try_for_each(|cell| bucket.put([cell as u8], &value))?;
        // The file grows again and again.
        tx.create_bucket_if_absent("growth")?.put(format!("{number:08}"), vec![1; 200])
    })
    .unwrap();
}

#[test]
fn every_snapshot_is_one_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new().page_size(1024).reserve(0).no_sync(true);
    readers_beside_writers(&options.open(dir.path().join("db")).unwrap(), "in a file");
    // In memory a page is written where readers would see it, were it not their own.
    let store = MemStore::with_capacity(64 * 1024);
    readers_beside_writers(&options.open_store(Box::new(store)).unwrap(), "in memory");
}

fn readers_beside_writers(db: &Db, place: &str) {
    let began = Instant::now();
    write(db, 1);
    db.update(|tx| tx.create_bucket("batches").map(|_| ())).unwrap();
    let (done, snapshots, commits) = (AtomicBool::new(false), AtomicU64::new(0), goals().commits);
    let first_len = db.file_len();
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let (done, snapshots) = (&done, &snapshots);
            scope.spawn(move || {
                let (mut newest, mut held) = (0, None);
                while !done.load(Ordering::Relaxed) {
                    let tx = db.begin_read_owned();
                    let number = assert_snapshot(&tx);
                    assert!(number >= newest, "time does not run backwards");
                    newest = number;
                    let count = snapshots.fetch_add(1, Ordering::Relaxed);
                    // One is held for a while, and must be what it was.
                    if count % (20 + reader) == 0 {
                        held.replace((tx, number)).inspect(|(old, number)| assert_eq!(assert_snapshot(old), *number));
                    }
                }
            });
        }
        for batcher in 0..2u64 {
            let done = &done;
            scope.spawn(move || {
                for number in (0u64..).take_while(|_| !done.load(Ordering::Relaxed)) {
                    let key = format!("{batcher} {number:08}");
                    db.batch(move |tx| tx.bucket_mut("batches")?.put(&key, [7; 30])).unwrap();
                    let batched = db.view(|tx| Ok(tx.bucket("batches")?.iter().count() as u64)).unwrap();
                    assert!(batched > number, "a batch that has returned is there");
                }
            });
        }
        (2..=commits).for_each(|number| write(db, number));
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(assert_snapshot(&db.begin_read()), commits);
    assert_eq!(db.begin_read().check().unwrap(), []);
    assert!(db.file_len() > first_len, "the file has grown");
    print("snapshots read", snapshots.into_inner(), &format!(" beside {commits} commits {place}"), seed(), began);
}
