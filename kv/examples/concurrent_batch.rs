//! Group commit: `batch` puts the changes of many threads into one transaction, so that they share its syncs.
//!
//! ```sh
//! cargo run --release -p kv-examples --bin concurrent_batch
//! ```

use std::thread;
use std::time::Instant;

use kv::{Db, Error};

const THREADS: usize = 16;
const EACH: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let db = Db::open(directory.path().join("log.db"))?;
    db.update(|tx| tx.create_bucket("log").map(drop))?;

    let started = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let db = &db;
            scope.spawn(move || {
                for entry in 0..EACH {
                    // `batch` returns when the change is durable. The closure may run twice, so it has no side effects.
                    let key = format!("{thread:02}/{entry:03}");
                    db.batch(move |tx| tx.bucket_mut("log")?.put(&key, "entry")).expect("the disk is not full");
                }
            });
        }
    });

    // A closure that fails does not affect the others.
    let refused = db.batch(|tx| tx.bucket_mut("log")?.put("", "a key needs a byte"));
    assert!(matches!(refused, Err(Error::KeyRequired)));

    let (changes, commits) = (THREADS * EACH, db.stats().tx.commits);
    assert_eq!(db.begin_read().bucket("log")?.iter().count(), changes);
    println!("{changes} durable changes in {commits} commits, {:?}", started.elapsed());
    Ok(())
}
