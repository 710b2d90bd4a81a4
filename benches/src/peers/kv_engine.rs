//! This project's own engine, with default options.

use std::path::Path;

use super::{Durability, Engine, Result, missing};
use crate::workload::{digest, key, value};

const BUCKET: &str = "pairs";

struct Kv(kv::Db);

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let db = kv::Options::new().no_sync(durability == Durability::NotSynced).open(dir.join("kv.db"))?;
    db.update(|tx| tx.create_bucket_if_absent(BUCKET).map(|_| ()))?;
    Ok(Box::new(Kv(db)))
}

impl Engine for Kv {
    fn put(&self, numbers: &[u64]) -> Result<()> {
        self.0.try_update(|tx| {
            let mut bucket = tx.bucket_mut(BUCKET)?;
            for &number in numbers {
                bucket.put(key(number), value(number))?;
            }
            Ok(())
        })
    }

    fn get(&self, numbers: &[u64]) -> Result<u64> {
        self.0.try_view(|tx| {
            let bucket = tx.bucket(BUCKET)?;
            let mut sum = 0u64;
            for &number in numbers {
                let value = bucket.get(key(number))?.ok_or_else(|| missing(number))?;
                sum = sum.wrapping_add(digest(value));
            }
            Ok(sum)
        })
    }

    fn scan(&self, numbers: &[u64], len: usize) -> Result<u64> {
        self.0.try_view(|tx| {
            let bucket = tx.bucket(BUCKET)?;
            let mut sum = 0u64;
            for &number in numbers {
                for item in bucket.range(key(number)..).take(len) {
                    let (_, value) = item?;
                    sum = sum.wrapping_add(digest(value));
                }
            }
            Ok(sum)
        })
    }
}
