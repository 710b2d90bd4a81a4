//! A backup during writes: it has a consistent state, and neither side waits.
//!
//! ```sh
//! cargo run -p kv-examples --bin backup_while_writing
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use kv::{Db, Error, ReadTx};

/// The sum of two accounts. Money moves between them, so the sum is always 1,000.
fn total(tx: &ReadTx<'_>) -> Result<u64, Error> {
    let accounts = tx.bucket("accounts")?;
    let balance = |name| -> Result<u64, Error> {
        let text = accounts.get(name)?.map(String::from_utf8_lossy);
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    Ok(balance("ada")? + balance("alan")?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let db = Db::open(directory.path().join("bank.db"))?;
    let set = |ada: u64| {
        db.update(|tx| {
            let mut accounts = tx.create_bucket_if_absent("accounts")?;
            accounts.put("ada", ada.to_string())?;
            accounts.put("alan", (1000 - ada).to_string())
        })
    };
    set(1000)?;

    let copy = directory.path().join("bank-backup.db");
    let (transfers, done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<(), Error> {
            while !done.load(Ordering::Relaxed) {
                set(transfers.fetch_add(1, Ordering::Relaxed) % 1000)?;
            }
            Ok(())
        });
        while transfers.load(Ordering::Relaxed) < 10 && !writer.is_finished() {
            thread::yield_now();
        }
        // The copy gets its name when it is whole and durable. `write_to` streams to any writer.
        let copied = db.begin_read().copy_file(&copy);
        done.store(true, Ordering::Relaxed);
        println!("{} bytes copied", copied?);
        writer.join().expect("the writer does not panic")
    })?;

    let backup = Db::options().read_only(true).open(&copy)?;
    assert_eq!(backup.view(total)?, 1000, "the backup has no half transfer");
    assert_eq!(backup.begin_read().check()?, []);
    println!(
        "{} transfers before and during the backup of transaction {}",
        transfers.into_inner(),
        backup.begin_read().id()
    );
    Ok(())
}
