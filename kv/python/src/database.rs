//! The database.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use kv::{Db, Options};
use pyo3::prelude::*;

use crate::failure::{Error, ended, raise};
use crate::transaction::Transaction;

/// An open file.
#[pyclass(frozen, module = "kv._kv")]
pub(crate) struct Database {
    /// None after `close`.
    db: Mutex<Option<Db>>,
    open: Arc<Open>,
}

/// What open transactions keep: as many `Arc`s, beside the database's own. The thread is the one that began the write
/// transaction that is open.
#[derive(Default)]
pub(crate) struct Open {
    writing: Mutex<Option<ThreadId>>,
}

impl Open {
    pub(crate) fn set_writing(&self, thread: Option<ThreadId>) {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }

    fn is_writing_here(&self) -> bool {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }
}

impl Database {
    /// A share of the database, for as long as one call takes.
    fn db(&self) -> PyResult<Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| ended("database"))
    }
}

#[pymethods]
impl Database {
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        read_only: bool,
        create: bool,
        sync: bool,
        lock_timeout: f64,
    ) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(lock_timeout)
            .map_err(|_| Error::new_err(format!("lock_timeout cannot be {lock_timeout} seconds")))?;
        let options = Options::new().read_only(read_only).create(create).no_sync(!sync).lock_timeout(timeout);
        let db = py.detach(|| options.open(path)).map_err(raise)?;
        Ok(Self { db: Mutex::new(Some(db)), open: Arc::default() })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let open = Arc::strong_count(&self.open) - 1;
        if open > 0 {
            return Err(Error::new_err(format!(
                "{open} transactions are open: end them before the database is closed"
            )));
        }
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner).take();
        db.map_or(Ok(()), |db| py.detach(|| db.close())).map_err(raise)
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        let db = self.db()?;
        py.detach(|| db.sync()).map_err(raise)
    }

    fn begin_read(&self) -> PyResult<Transaction> {
        Ok(Transaction::reading(self.db()?.begin_read_owned(), Arc::clone(&self.open)))
    }

    fn begin_write(&self, py: Python<'_>) -> PyResult<Transaction> {
        if self.open.is_writing_here() {
            return Err(raise(kv::Error::AlreadyWriting));
        }
        // First, so that the database is not closed while this thread waits.
        let (db, open) = (self.db()?, Arc::clone(&self.open));
        let tx = py.detach(|| db.begin_write_owned()).map_err(raise)?;
        open.set_writing(Some(thread::current().id()));
        Ok(Transaction::writing(tx, open))
    }
}
