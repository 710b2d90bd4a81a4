//! redb with default options: `Durability::Immediate`, or `Durability::None` where the work is not durable.

use std::path::Path;

use benches::workload::digest;
use redb::{Database, ReadableDatabase, Table, TableDefinition};

use crate::{Durability, Engine, Pairs, Result, kept, range};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pairs");

struct Redb {
    database: Database,
    durability: redb::Durability,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let database = Database::create(dir.join("redb.db"))?;
    let durability = match durability {
        Durability::Durable => redb::Durability::Immediate,
        Durability::NotSynced => redb::Durability::None,
    };
    let redb = Redb { database, durability };
    redb.write(|_| Ok(()))?;
    Ok(Box::new(redb))
}

impl Redb {
    fn write(&self, change: impl FnOnce(&mut Table<'_, &[u8], &[u8]>) -> Result<()>) -> Result<()> {
        let mut tx = self.database.begin_write()?;
        tx.set_durability(self.durability)?;
        change(&mut tx.open_table(TABLE)?)?;
        Ok(tx.commit()?)
    }
}

impl Engine for Redb {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|table| pairs.each(|key, value| Ok(table.insert(key, value).map(|_| ())?)))
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|table| pairs.keys().try_for_each(|key| Ok(table.remove(&key[..]).map(|_| ())?)))
    }

    fn delete_range(&self) -> Result<()> {
        self.write(|table| Ok(table.retain_in(range(), |_, _| false)?))
    }

    fn retain(&self) -> Result<()> {
        self.write(|table| Ok(table.retain(|key, _| kept(key))?))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        pairs.sum(|key| Ok(digest(table.get(key)?.ok_or("a pair that was put is not there")?.value())))
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        pairs.sum(|key| {
            table.range(key..)?.take(len).try_fold(0u64, |sum, item| Ok(sum.wrapping_add(digest(item?.1.value()))))
        })
    }
}
