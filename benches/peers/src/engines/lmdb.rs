//! LMDB with default flags: a map far larger than the data, one named database. `MDB_NOSYNC` where the work is not
//! durable.
//!
//! The crate that binds it is `lmdb-rkv`, because everything here is in safe Rust, and opening an environment through
//! `heed` is not.

use std::path::Path;

use benches::workload::digest;
use lmdb::{Cursor, Database, DatabaseFlags, Environment, EnvironmentFlags, Transaction, WriteFlags};

use crate::{Durability, Engine, Pairs, Result, kept, range};

const MAP_BYTES: usize = 1 << 38;
/// Enough for all threads of any work.
const READERS: u32 = 512;
/// Operations of `mdb_cursor_get`, as `lmdb.h` numbers them.
const SET_RANGE: u32 = 17;
const NEXT: u32 = 8;

struct Lmdb {
    environment: Environment,
    database: Database,
    put: WriteFlags,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, durability, EnvironmentFlags::empty(), WriteFlags::empty())
}

/// With the pages changed in the map itself.
pub(super) fn open_writemap(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, durability, EnvironmentFlags::WRITE_MAP, WriteFlags::empty())
}

/// Told that all puts come in key order.
pub(super) fn open_append(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    open_with(dir, durability, EnvironmentFlags::empty(), WriteFlags::APPEND)
}

fn open_with(dir: &Path, durability: Durability, map: EnvironmentFlags, put: WriteFlags) -> Result<Box<dyn Engine>> {
    let sync = match durability {
        Durability::Durable => EnvironmentFlags::empty(),
        Durability::NotSynced => EnvironmentFlags::NO_SYNC,
    };
    let mut options = Environment::new();
    options.set_flags(map | sync).set_map_size(MAP_BYTES).set_max_dbs(1).set_max_readers(READERS);
    let environment = options.open(dir)?;
    let database = environment.create_db(Some("pairs"), DatabaseFlags::empty())?;
    Ok(Box::new(Lmdb { environment, database, put }))
}

impl Lmdb {
    /// Deletes the pairs from `from` to before `to` that `dead` names.
    fn delete_where(&self, from: &[u8], to: Option<&[u8]>, dead: impl Fn(&[u8]) -> bool) -> Result<()> {
        let mut tx = self.environment.begin_rw_txn()?;
        {
            let mut cursor = tx.open_rw_cursor(self.database)?;
            let mut found = cursor.get(Some(from), None, SET_RANGE);
            while let Ok((Some(key), _)) = found {
                if to.is_some_and(|to| key >= to) {
                    break;
                }
                if dead(key) {
                    cursor.del(WriteFlags::empty())?;
                }
                found = cursor.get(None, None, NEXT);
            }
        }
        Ok(tx.commit()?)
    }
}

impl Engine for Lmdb {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut tx = self.environment.begin_rw_txn()?;
        pairs.each(|key, value| Ok(tx.put(self.database, &key, &value, self.put)?))?;
        Ok(tx.commit()?)
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        let mut tx = self.environment.begin_rw_txn()?;
        pairs.keys().try_for_each(|key| tx.del(self.database, &key, None))?;
        Ok(tx.commit()?)
    }

    fn delete_range(&self) -> Result<()> {
        self.delete_where(range().start, Some(range().end), |_| true)
    }

    fn retain(&self) -> Result<()> {
        self.delete_where(&[0], None, |key| !kept(key))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        let tx = self.environment.begin_ro_txn()?;
        pairs.get(|key| Ok(Some(tx.get(self.database, &key)?)))
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        let tx = self.environment.begin_ro_txn()?;
        pairs.sum(|key| {
            let mut cursor = tx.open_ro_cursor(self.database)?;
            let items = cursor.iter_from(key).take(len);
            items.map(|item| Ok(digest(item?.1))).try_fold(0u64, |sum, one: Result<u64>| Ok(sum.wrapping_add(one?)))
        })
    }
}
