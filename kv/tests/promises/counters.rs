//! The counters of a commit say what the store was asked for, and a commit asks for few writes: pages that are neighbours
//! in the file share them, up to a size that is kind to the page cache.

use std::ops::Range;
use std::sync::Arc;

use kv::{Options, TxStats};

use crate::stores::Fragile;

const PAGE: u64 = 4096;
/// Bytes after which the pages that follow go into another write.
const WRITE_MAX: u64 = 64 * 1024;

/// What one commit counted, and its writes of data pages.
fn counted(done: TxStats, writes: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let bytes: u64 = writes.iter().map(|write| write.end - write.start).sum();
    assert_eq!(done.bytes, bytes, "{writes:?}");
    let data: Vec<_> = writes.into_iter().filter(|write| write.start >= 2 * PAGE).collect();
    assert_eq!(done.writes, data.len() as u64, "{data:?}");
    assert_eq!(done.pages * PAGE, data.iter().map(|write| write.end - write.start).sum::<u64>(), "{data:?}");
    data
}

#[test]
fn neighbouring_pages_share_a_write() {
    let store = Fragile::new(&[], 0);
    let db = Options::new().page_size(4096).open_store(Box::new(Arc::clone(&store))).unwrap();
    let mut most = 0;
    for turn in 0..20u32 {
        store.take_writes();
        let before = db.stats();
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            // Some large values, so that nodes have overflow pages. From the second turn on there are free pages.
            (0..100 + turn * 7)
                .try_for_each(|n| bucket.put(format!("{:04}", n * 13 % 400), vec![1; 200 + n as usize % 5 * 2500]))
        })
        .unwrap();
        let done = db.stats().since(&before).tx;
        assert_eq!(done.pages_freed > 20, turn > 0, "what a commit replaces it frees: {done:?}");
        let data = counted(done, store.take_writes());
        for write in &data {
            let len = write.end - write.start;
            // It ends with the first node that takes it to the size.
            assert!(len < WRITE_MAX + 4 * PAGE, "turn {turn}: {len} bytes");
            most = most.max(len);
        }
        for pair in data.windows(2) {
            let full = pair[0].end - pair[0].start >= WRITE_MAX;
            assert!(full || pair[0].end < pair[1].start, "turn {turn}: neighbours are written apart, {pair:?}");
        }
    }
    assert!(most >= WRITE_MAX, "the commits are large enough: {most}");
}
