//! LMDB with default flags: a map far larger than the data, one named database, no write map. Only where the work is
//! not durable, `MDB_NOSYNC`.
//!
//! Bound by `lmdb-rkv`, whose interface is safe, because the benchmarks are in safe Rust throughout; opening an
//! environment through `heed` is not.

use std::path::Path;

use lmdb::{Cursor, Database, DatabaseFlags, Environment, EnvironmentFlags, Transaction, WriteFlags};

use super::{Durability, Engine, Result, missing};
use crate::workload::{digest, key, value};

const MAP_BYTES: usize = 1 << 38;

struct Lmdb {
    environment: Environment,
    database: Database,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let flags = match durability {
        Durability::Durable => EnvironmentFlags::empty(),
        Durability::NotSynced => EnvironmentFlags::NO_SYNC,
    };
    let environment = Environment::new().set_flags(flags).set_map_size(MAP_BYTES).set_max_dbs(1).open(dir)?;
    let database = environment.create_db(Some("pairs"), DatabaseFlags::empty())?;
    Ok(Box::new(Lmdb { environment, database }))
}

impl Engine for Lmdb {
    fn put(&self, numbers: &[u64]) -> Result<()> {
        let mut tx = self.environment.begin_rw_txn()?;
        for &number in numbers {
            tx.put(self.database, &key(number), &value(number), WriteFlags::empty())?;
        }
        Ok(tx.commit()?)
    }

    fn get(&self, numbers: &[u64]) -> Result<u64> {
        let tx = self.environment.begin_ro_txn()?;
        let mut sum = 0u64;
        for &number in numbers {
            let value = tx.get(self.database, &key(number)).map_err(|_| missing(number))?;
            sum = sum.wrapping_add(digest(value));
        }
        Ok(sum)
    }

    fn scan(&self, numbers: &[u64], len: usize) -> Result<u64> {
        let tx = self.environment.begin_ro_txn()?;
        let mut sum = 0u64;
        for &number in numbers {
            let mut cursor = tx.open_ro_cursor(self.database)?;
            for item in cursor.iter_from(key(number)).take(len) {
                let (_, value) = item?;
                sum = sum.wrapping_add(digest(value));
            }
        }
        Ok(sum)
    }
}
