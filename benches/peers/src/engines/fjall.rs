//! fjall with default options. A transaction is a batch: `PersistMode::SyncData`, or no sync where the work is not
//! durable. It has no deletion of a range, so a scan finds what is deleted.

use std::path::Path;

use benches::workload::digest;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::{Durability, Engine, Pairs, Result, kept, range};

struct Fjall {
    database: Database,
    keyspace: Keyspace,
    mode: PersistMode,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let database = Database::builder(dir).open()?;
    let keyspace = database.keyspace("pairs", KeyspaceCreateOptions::default)?;
    let mode = match durability {
        Durability::Durable => PersistMode::SyncData,
        Durability::NotSynced => PersistMode::Buffer,
    };
    Ok(Box::new(Fjall { database, keyspace, mode }))
}

impl Fjall {
    fn delete_where(&self, items: fjall::Iter, dead: impl Fn(&[u8]) -> bool) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.mode));
        for item in items {
            let key = item.key()?;
            if dead(&key) {
                batch.remove(&self.keyspace, key);
            }
        }
        Ok(batch.commit()?)
    }
}

impl Engine for Fjall {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.mode));
        pairs.each(|key, value| {
            batch.insert(&self.keyspace, key, value);
            Ok(())
        })?;
        Ok(batch.commit()?)
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.mode));
        pairs.keys().for_each(|key| batch.remove(&self.keyspace, key));
        Ok(batch.commit()?)
    }

    fn delete_range(&self) -> Result<()> {
        self.delete_where(self.keyspace.range(range()), |_| true)
    }

    fn retain(&self) -> Result<()> {
        self.delete_where(self.keyspace.iter(), |key| !kept(key))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        let snapshot = self.database.snapshot();
        pairs.get(|key| Ok(snapshot.get(&self.keyspace, key)?))
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        let snapshot = self.database.snapshot();
        pairs.sum(|key| {
            let items = snapshot.range(&self.keyspace, key..).take(len);
            items
                .map(|item| Ok(digest(&item.value()?)))
                .try_fold(0u64, |sum, one: Result<u64>| Ok(sum.wrapping_add(one?)))
        })
    }
}
