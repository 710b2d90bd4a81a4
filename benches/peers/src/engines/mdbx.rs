//! libmdbx with default flags and room to grow: `SafeNoSync` where the work is not durable.

use std::borrow::Cow;
use std::path::Path;

use benches::workload::digest;
use libmdbx::{
    Database, DatabaseOptions, Mode, NoWriteMap, RW, ReadWriteOptions, SyncMode, Table, Transaction, WriteFlags,
};

use crate::{Durability, Engine, Pairs, Result, kept, range};

const MAP_BYTES: isize = 1 << 38;
/// Enough for all threads of any work.
const READERS: u32 = 512;

struct Mdbx(Database<NoWriteMap>);

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let sync_mode = match durability {
        Durability::Durable => SyncMode::Durable,
        Durability::NotSynced => SyncMode::SafeNoSync,
    };
    let mode = ReadWriteOptions { sync_mode, max_size: Some(MAP_BYTES), ..ReadWriteOptions::default() };
    let mode = Mode::ReadWrite(mode);
    let options = DatabaseOptions { mode, max_readers: Some(READERS), ..DatabaseOptions::default() };
    Ok(Box::new(Mdbx(Database::open_with_options(dir, options)?)))
}

impl Mdbx {
    fn write(&self, change: impl FnOnce(&Transaction<'_, RW, NoWriteMap>, &Table<'_>) -> Result<()>) -> Result<()> {
        let tx = self.0.begin_rw_txn()?;
        change(&tx, &tx.open_table(None)?)?;
        tx.commit()?;
        Ok(())
    }

    fn delete_where(&self, from: &[u8], to: Option<&[u8]>, dead: impl Fn(&[u8]) -> bool) -> Result<()> {
        self.write(|tx, table| {
            let mut cursor = tx.cursor(table)?;
            let mut found = cursor.set_range::<Vec<u8>, ()>(from)?;
            while let Some((key, ())) = found.filter(|(key, ())| to.is_none_or(|to| &key[..] < to)) {
                if dead(&key) {
                    cursor.del(WriteFlags::default())?;
                }
                found = cursor.next()?;
            }
            Ok(())
        })
    }
}

impl Engine for Mdbx {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|tx, table| pairs.each(|key, value| Ok(tx.put(table, key, value, WriteFlags::UPSERT)?)))
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|tx, table| pairs.keys().try_for_each(|key| Ok(tx.del(table, key, None).map(|_| ())?)))
    }

    fn delete_range(&self) -> Result<()> {
        self.delete_where(range().start, Some(range().end), |_| true)
    }

    fn retain(&self) -> Result<()> {
        self.delete_where(&[0], None, |key| !kept(key))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        let tx = self.0.begin_ro_txn()?;
        let table = tx.open_table(None)?;
        pairs.get(|key| Ok(tx.get::<Cow<'_, [u8]>>(&table, key)?))
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        let tx = self.0.begin_ro_txn()?;
        let table = tx.open_table(None)?;
        pairs.sum(|key| {
            let mut cursor = tx.cursor(&table)?;
            let items = cursor.iter_from::<Cow<'_, [u8]>, Cow<'_, [u8]>>(key).take(len);
            items.map(|item| Ok(digest(&item?.1))).try_fold(0u64, |sum, one: Result<u64>| Ok(sum.wrapping_add(one?)))
        })
    }
}
