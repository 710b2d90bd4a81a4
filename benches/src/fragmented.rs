//! Files whose free pages are single pages, no two of them neighbours: the worst that a freelist can meet.

use std::path::Path;

use crate::store::put;
use crate::workload::ascending_key;

/// How many pairs there are beside the free pages, in the usual bucket: what the measured commits put.
pub const PAIRS: u64 = 10_000;

/// Items in a transaction while the file is built.
const BATCH: u64 = 10_000;

/// How free a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragmentation {
    /// Free pages.
    pub free: u64,
    /// Those among them whose neighbours are both in use.
    pub single: u64,
}

/// Makes a file with about `free` free single pages, and a little to work on.
///
/// It fills a bucket with values of three quarters of a page, so that each leaf has one, and deletes every second one.
///
/// # Errors
/// Those of the database.
pub fn build(path: &Path, free: u64, page_size: u32) -> kv::Result<Fragmentation> {
    let db = kv::Options::new().no_sync(true).page_size(page_size).open(path)?;
    let pairs: Vec<u64> = (0..PAIRS).collect();
    put(&db, &pairs);
    let filler = vec![0xF1; page_size as usize * 3 / 4];
    in_batches(2 * free + 1, |range| {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("filler")?;
            range.into_iter().try_for_each(|number| bucket.put(ascending_key(number), &filler))
        })
    })?;
    in_batches(free, |range| {
        db.update(|tx| {
            let mut bucket = tx.bucket_mut("filler")?;
            range.into_iter().try_for_each(|number| bucket.delete(ascending_key(2 * number + 1)).map(|_| ()))
        })
    })?;
    // What the last deletion freed may be used again after two more commits.
    for number in 0..2 {
        put(&db, &[number]);
    }
    let found = fragmentation(&db)?;
    db.close()?;
    Ok(found)
}

/// Counts the free pages of the newest state, pending ones included. O(pages).
///
/// # Errors
/// Those of the database.
pub fn fragmentation(db: &kv::Db) -> kv::Result<Fragmentation> {
    let map = db.begin_read().page_map()?;
    let mut found = Fragmentation { free: 0, single: 0 };
    for run in map.chunk_by(|one, next| one.kind == next.kind).filter(|run| run[0].kind == kv::PageKind::Free) {
        found.free += run.len() as u64;
        found.single += u64::from(run.len() == 1);
    }
    Ok(found)
}

fn in_batches(count: u64, mut work: impl FnMut(std::ops::Range<u64>) -> kv::Result<()>) -> kv::Result<()> {
    let mut next = 0;
    while next < count {
        let end = count.min(next + BATCH);
        work(next..end)?;
        next = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_free_as_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fragmented.db");
        let built = build(&path, 2000, 1024).unwrap();
        let db = kv::Db::open(&path).unwrap();
        let free = fragmentation(&db).unwrap();
        assert!(built.free.abs_diff(2000) < 200 && built.single > 1800, "{built:?}");
        assert_eq!(db.stats().free_pages + db.stats().pending_pages, free.free);
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}
