//! This project's own engine, with default options, and with a redo log.

use std::path::Path;
use std::time::Duration;

use benches::workload::digest;
use kv::Options;

use crate::{Durability, Engine, Pairs, Result, kept, range};

const BUCKET: &str = "pairs";

struct Kv {
    db: kv::Db,
    /// Pairs are handed over together.
    many: bool,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, &Options::new().no_sync(durability == Durability::NotSynced), false)
}

/// With [`put_many`](kv::BucketMut::put_many) for each transaction. What it takes to collect its pairs is measured too.
pub(super) fn open_many(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, &Options::new().no_sync(durability == Durability::NotSynced), true)
}

pub(super) fn open_log(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, &Options::new().durability(by_log(durability)), false)
}

/// Where nothing has to be synced, commits are at most a second behind: a power cut leaves a state without a gap.
fn by_log(durability: Durability) -> kv::Durability {
    match durability {
        Durability::Durable => kv::Durability::Log,
        Durability::NotSynced => kv::Durability::Eventual(Duration::from_secs(1)),
    }
}

/// With room for as much as those engines keep in memory and in their logs that are built on a log.
pub(super) fn open_large_log(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let options = Options::new().log_size(64 << 20).log_memory(512 << 20);
    open_with(dir, &options.durability(by_log(durability)), false)
}

fn open_with(dir: &Path, options: &Options, many: bool) -> Result<Box<dyn Engine>> {
    let db = options.open(dir.join("kv.db"))?;
    if db.view(|tx| Ok(tx.bucket(BUCKET).is_err()))? {
        db.update(|tx| tx.create_bucket(BUCKET).map(|_| ()))?;
    }
    Ok(Box::new(Kv { db, many }))
}

fn owned(pairs: Pairs<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut owned = Vec::with_capacity(pairs.numbers.len());
    pairs.each(|key, value| {
        owned.push((key.to_vec(), value.to_vec()));
        Ok(())
    })?;
    Ok(owned)
}

impl Engine for Kv {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        if self.many {
            let owned = owned(pairs)?;
            return Ok(self.db.update(|tx| tx.bucket_mut(BUCKET)?.put_many(&owned))?);
        }
        self.db.try_update(|tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            pairs.each(|key, value| Ok(bucket.put(key, value)?))
        })
    }

    fn batch(&self, pairs: Pairs<'_>) -> Result<()> {
        let owned = owned(pairs)?;
        Ok(self.db.batch(move |tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            owned.iter().try_for_each(|(key, value)| bucket.put(key, value))
        })?)
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        self.db.try_update(|tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            pairs.keys().try_for_each(|key| Ok(bucket.delete(key).map(|_| ())?))
        })
    }

    fn delete_range(&self) -> Result<()> {
        self.db.try_update(|tx| Ok(tx.bucket_mut(BUCKET)?.delete_range(range()).map(|_| ())?))
    }

    fn retain(&self) -> Result<()> {
        self.db.try_update(|tx| Ok(tx.bucket_mut(BUCKET)?.retain(|key, _| kept(key)).map(|_| ())?))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        self.db.try_view(|tx| {
            let bucket = tx.bucket(BUCKET)?;
            pairs.get(|key| Ok(bucket.get(key)?))
        })
    }

    fn get_many(&self, pairs: Pairs<'_>, size: usize) -> Result<u64> {
        self.db.try_view(|tx| {
            let bucket = tx.bucket(BUCKET)?;
            let mut sum = 0u64;
            for numbers in pairs.numbers.chunks(size) {
                let keys: Vec<_> = Pairs { numbers, ..pairs }.keys().collect();
                for value in bucket.get_many(&keys)? {
                    sum = sum.wrapping_add(digest(value.ok_or("a pair that was put is not there")?));
                }
            }
            Ok(sum)
        })
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        self.db.try_view(|tx| {
            let bucket = tx.bucket(BUCKET)?;
            pairs.sum(|key| {
                bucket.range(key..).take(len).try_fold(0u64, |sum, item| {
                    let (_, value) = item?;
                    Ok(sum.wrapping_add(digest(value)))
                })
            })
        })
    }
}
