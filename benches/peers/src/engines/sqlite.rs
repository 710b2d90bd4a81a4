//! A table of blobs `WITHOUT ROWID`, a write-ahead log, `synchronous=FULL`, or `OFF` where the work is not
//! durable. Statements are prepared once, and each thread has a connection.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use benches::workload::digest;
use rusqlite::{Connection, TransactionBehavior};

use crate::{Durability, Engine, Pairs, Result, range};

struct Sqlite {
    path: PathBuf,
    synchronous: &'static str,
    /// Connections that no thread uses.
    idle: Mutex<Vec<Connection>>,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let synchronous = if durability == Durability::Durable { "FULL" } else { "OFF" };
    let sqlite = Sqlite { path: dir.join("sqlite.db"), synchronous, idle: Mutex::default() };
    let table = "CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";
    sqlite.with(|connection| Ok(connection.execute(table, []).map(|_| ())?))?;
    Ok(Box::new(sqlite))
}

impl Sqlite {
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle().pop();
        let mut connection = connection.map_or_else(|| self.connect(), Ok)?;
        let done = work(&mut connection);
        idle().push(connection);
        done
    }

    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Duration::from_mins(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", self.synchronous)?;
        Ok(connection)
    }

    fn write(&self, change: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change(&tx)?;
            Ok(tx.commit()?)
        })
    }
}

impl Engine for Sqlite {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|tx| {
            let mut put = tx.prepare_cached("INSERT OR REPLACE INTO pairs VALUES (?1, ?2)")?;
            pairs.each(|key, value| Ok(put.execute([key, value]).map(|_| ())?))
        })
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|tx| {
            let mut delete = tx.prepare_cached("DELETE FROM pairs WHERE key = ?1")?;
            pairs.keys().try_for_each(|key| Ok(delete.execute([key]).map(|_| ())?))
        })
    }

    fn delete_range(&self) -> Result<()> {
        let delete = "DELETE FROM pairs WHERE key >= ?1 AND key < ?2";
        self.write(|tx| Ok(tx.execute(delete, [range().start, range().end]).map(|_| ())?))
    }

    fn retain(&self) -> Result<()> {
        let delete = "DELETE FROM pairs WHERE substr(key, -1) >= x'80'";
        self.write(|tx| Ok(tx.execute(delete, []).map(|_| ())?))
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        self.with(|connection| {
            let tx = connection.transaction()?;
            let mut get = tx.prepare_cached("SELECT value FROM pairs WHERE key = ?1")?;
            pairs.sum(|key| Ok(get.query_row([key], |row| Ok(digest(row.get_ref(0)?.as_blob()?)))?))
        })
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        self.with(|connection| {
            let tx = connection.transaction()?;
            let mut scan = tx.prepare_cached("SELECT key, value FROM pairs WHERE key >= ?1 ORDER BY key LIMIT ?2")?;
            pairs.sum(|key| {
                let mut rows = scan.query((key, len))?;
                let mut sum = 0u64;
                while let Some(row) = rows.next()? {
                    sum = sum.wrapping_add(digest(row.get_ref(1)?.as_blob()?));
                }
                Ok(sum)
            })
        })
    }
}
