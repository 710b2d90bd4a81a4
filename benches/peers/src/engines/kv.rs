//! This project's own engine, with default options, and with a redo log.

use std::path::Path;
use std::time::Duration;

use benches::workload::digest;
use kv::Options;

use crate::{Durability, Engine, Pairs, Result, kept, range};

const BUCKET: &str = "pairs";

struct Kv(kv::Db);

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, Options::new().no_sync(durability == Durability::NotSynced))
}

/// Where nothing has to be synced, commits are at most a second behind: a power cut leaves a state without a gap.
pub(super) fn open_log(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let durability = match durability {
        Durability::Durable => kv::Durability::Log,
        Durability::NotSynced => kv::Durability::Eventual(Duration::from_secs(1)),
    };
    open_with(dir, Options::new().durability(durability))
}

fn open_with(dir: &Path, options: Options) -> Result<Box<dyn Engine>> {
    let db = options.open(dir.join("kv.db"))?;
    if db.view(|tx| Ok(tx.bucket(BUCKET).is_err()))? {
        db.update(|tx| tx.create_bucket(BUCKET).map(|_| ()))?;
    }
    Ok(Box::new(Kv(db)))
}

impl Engine for Kv {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        self.0.try_update(|tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            pairs.each(|key, value| Ok(bucket.put(key, value)?))
        })
    }

    fn batch(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut owned = Vec::new();
        pairs.each(|key, value| {
            owned.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(self.0.batch(move |tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            owned.iter().try_for_each(|(key, value)| bucket.put(key, value))
        })?)
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        self.0.try_update(|tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            pairs.keys().try_for_each(|key| Ok(bucket.delete(key).map(|_| ())?))
        })
    }

    fn delete_range(&self) -> Result<()> {
        self.0.try_update(|tx| Ok(tx.bucket_mut(BUCKET)?.delete_range(range()).map(|_| ())?))
    }

    fn retain(&self) -> Result<()> {
        self.0.try_update(|tx| Ok(tx.bucket_mut(BUCKET)?.retain(|key, _| kept(key)).map(|_| ())?))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        self.0.try_view(|tx| {
            let bucket = tx.bucket(BUCKET)?;
            pairs.get(|key| Ok(bucket.get(key)?))
        })
    }

    fn get_many(&self, pairs: Pairs<'_>, size: usize) -> Result<u64> {
        self.0.try_view(|tx| {
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
        self.0.try_view(|tx| {
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
