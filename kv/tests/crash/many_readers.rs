//! Readers of many states at once, which begin and end in any order beside commits: what waits for each of them is kept
//! apart, and comes back when it has gone.

use kv::{Options, ReadTx};
use kv_testkit::Random;
use pagefile_std::MemStore;

/// Readers that are open at a time, at most.
const READERS: usize = 6;

/// What the transaction says of the commit that it sees.
fn commit_of(reader: &ReadTx<'_>) -> Vec<u8> {
    reader.bucket("b").unwrap().get("commit").unwrap().unwrap().to_vec()
}

#[test]
fn readers_of_many_states_come_and_go() {
    let db = Options::new().page_size(1024).strict(true).open_store(Box::new(MemStore::new())).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    let mut random = Random::new(1);
    let mut held: Vec<(ReadTx<'static>, u64)> = Vec::new();
    for commit in 1..=400u64 {
        db.update(|tx| {
            let mut bucket = tx.bucket_mut("b")?;
            for _ in 0..4 {
                bucket.put(random.below_u64(200).to_le_bytes(), [1; 100])?;
            }
            bucket.put("commit", commit.to_le_bytes())?;
            Ok(())
        })
        .unwrap();
        if random.one_in(2) {
            held.push((db.begin_read_owned(), commit));
        }
        if held.len() > READERS || (!held.is_empty() && random.one_in(3)) {
            let (reader, saw) = held.swap_remove(random.below(held.len()));
            assert_eq!(commit_of(&reader), saw.to_le_bytes(), "a reader sees another state than at first");
            drop(reader);
        }
    }
    drop(held);
    db.update(|tx| tx.bucket_mut("b")?.put("commit", "none")).unwrap();
    db.update(|tx| tx.bucket_mut("b")?.put("commit", "none")).unwrap();
    assert!(db.stats().pending_pages < 10, "pages wait for readers that are gone: {:?}", db.stats());
}
