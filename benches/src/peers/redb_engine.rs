//! redb with default options: `Durability::Immediate`, or `Durability::None` where the work is not durable.

use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};

use super::{Durability, Engine, Result, missing};
use crate::workload::{digest, key, value};

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
    let tx = database.begin_write()?;
    tx.open_table(TABLE)?;
    tx.commit()?;
    Ok(Box::new(Redb { database, durability }))
}

impl Engine for Redb {
    fn put(&self, numbers: &[u64]) -> Result<()> {
        let mut tx = self.database.begin_write()?;
        tx.set_durability(self.durability)?;
        {
            let mut table = tx.open_table(TABLE)?;
            for &number in numbers {
                table.insert(&key(number)[..], &value(number)[..])?;
            }
        }
        Ok(tx.commit()?)
    }

    fn get(&self, numbers: &[u64]) -> Result<u64> {
        let tx = self.database.begin_read()?;
        let table = tx.open_table(TABLE)?;
        let mut sum = 0u64;
        for &number in numbers {
            let value = table.get(&key(number)[..])?.ok_or_else(|| missing(number))?;
            sum = sum.wrapping_add(digest(value.value()));
        }
        Ok(sum)
    }

    fn scan(&self, numbers: &[u64], len: usize) -> Result<u64> {
        let tx = self.database.begin_read()?;
        let table = tx.open_table(TABLE)?;
        let mut sum = 0u64;
        for &number in numbers {
            for item in table.range(&key(number)[..]..)?.take(len) {
                let (_, value) = item?;
                sum = sum.wrapping_add(digest(value.value()));
            }
        }
        Ok(sum)
    }
}
