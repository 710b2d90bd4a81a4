//! Default options. A transaction is a write batch, with a sync of the log where the work is durable.

use std::path::Path;

use benches::workload::digest;
use rocksdb::{DB, Direction, IteratorMode, Options, WriteBatch, WriteOptions};

use crate::{Durability, Engine, Pairs, Result, kept, range};

struct Rocks {
    db: DB,
    sync: bool,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let mut options = Options::default();
    options.create_if_missing(true);
    Ok(Box::new(Rocks { db: DB::open(&options, dir)?, sync: durability == Durability::Durable }))
}

impl Rocks {
    fn write(&self, batch: WriteBatch) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(self.sync);
        Ok(self.db.write_opt(batch, &options)?)
    }
}

impl Engine for Rocks {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut batch = WriteBatch::default();
        pairs.each(|key, value| {
            batch.put(key, value);
            Ok(())
        })?;
        self.write(batch)
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut batch = WriteBatch::default();
        pairs.keys().for_each(|key| batch.delete(key));
        self.write(batch)
    }

    fn delete_range(&self) -> Result<()> {
        let mut batch = WriteBatch::default();
        batch.delete_range(range().start, range().end);
        self.write(batch)
    }

    fn retain(&self) -> Result<()> {
        let mut batch = WriteBatch::default();
        for item in self.db.iterator(IteratorMode::Start) {
            let (key, _) = item?;
            if !kept(&key) {
                batch.delete(key);
            }
        }
        self.write(batch)
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        let snapshot = self.db.snapshot();
        pairs.get(|key| Ok(snapshot.get_pinned(key)?))
    }

    fn get_many(&self, pairs: Pairs<'_>, size: usize) -> Result<u64> {
        let snapshot = self.db.snapshot();
        let mut sum = 0u64;
        for numbers in pairs.numbers.chunks(size) {
            for value in snapshot.multi_get(Pairs { numbers, ..pairs }.keys()) {
                sum = sum.wrapping_add(digest(&value?.ok_or("a pair that was put is not there")?));
            }
        }
        Ok(sum)
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        let snapshot = self.db.snapshot();
        pairs.sum(|key| {
            let items = snapshot.iterator(IteratorMode::From(key, Direction::Forward)).take(len);
            items.map(|item| Ok(digest(&item?.1))).try_fold(0u64, |sum, one: Result<u64>| Ok(sum.wrapping_add(one?)))
        })
    }
}
