//! Record numbers: each bucket has a counter, and the transaction that adds a record takes the next number.
//!
//! ```sh
//! cargo run -p kv-examples --bin counters
//! ```

use kv::Db;

/// A key with the most significant byte first: such keys sort in the order of their numbers.
#[allow(clippy::big_endian_bytes, reason = "keys are compared byte by byte")]
fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let db = Db::open(directory.path().join("orders.db"))?;
    db.update(|tx| tx.create_bucket("orders").map(drop))?;

    for order in ["two teapots", "a kettle", "nine cups"] {
        let number = db.update(|tx| {
            let mut orders = tx.bucket_mut("orders")?;
            let number = orders.next_sequence()?;
            orders.put(key(number), order)?;
            Ok(number)
        })?;
        println!("order {number}: {order}");
    }

    // A rollback gives the number back.
    let mut tx = db.begin_write()?;
    assert_eq!(tx.bucket_mut("orders")?.next_sequence()?, 4);
    tx.rollback();

    let tx = db.begin_read();
    let orders = tx.bucket("orders")?;
    assert_eq!(orders.sequence(), 3);
    // The newest first.
    assert_eq!(orders.last()?, Some((&key(3)[..], &b"nine cups"[..])));
    // All from the second on.
    assert_eq!(orders.range(key(2)..).count(), 2);
    Ok(())
}
