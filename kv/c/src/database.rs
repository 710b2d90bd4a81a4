//! Opening and closing.

use std::ffi::{CStr, OsStr, c_char};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use kv::{Db, Options};

use crate::code::{Failure, border, kv_code};
use crate::pointers::{lend, place, shared, take_back};

/// For `kv_open`: open for reading only. Several processes may do so at once, if none has the file open for writing.
pub const KV_OPEN_READ_ONLY: u32 = 1;
/// For `kv_open`: the file has to be there.
pub const KV_OPEN_EXISTING: u32 = 2;
/// For `kv_open`: commits are not durable until `kv_sync`, and a power cut may damage the file before.
pub const KV_OPEN_NO_SYNC: u32 = 4;

/// A database. Threads may share it.
pub struct kv_db {
    pub(crate) db: Db,
    pub(crate) transactions: Arc<Transactions>,
}

/// What open transactions keep: as many as there are of them, `Arc`s beside the database's own. The thread is the one that
/// began the write transaction that is open.
#[derive(Default)]
pub(crate) struct Transactions {
    writing: Mutex<Option<ThreadId>>,
}

impl Transactions {
    /// Whether this thread has begun the write transaction that is open, and would wait for itself.
    pub(crate) fn is_writing_here(&self) -> bool {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }

    pub(crate) fn set_writing(&self, thread: Option<ThreadId>) {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }
}

/// A path as the system's calls take it.
///
/// # Safety
/// `path` is null, or a string that ends with a zero and that nobody changes while `'a` lasts.
pub(crate) unsafe fn path<'a>(path: *const c_char) -> Result<&'a Path, Failure> {
    if path.is_null() {
        return Err(Failure::argument("the path is null"));
    }
    // SAFETY: it is not null, and the caller says that it ends with a zero.
    let text = unsafe { CStr::from_ptr(path) };
    #[cfg(unix)]
    let path = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(text.to_bytes());
    #[cfg(not(unix))]
    let path = OsStr::new(text.to_str().map_err(|_| Failure::argument("the path is not UTF-8"))?);
    Ok(Path::new(path))
}

/// Opens a database; creates the file if it is absent. `flags` are of `KV_OPEN_...`, or 0. Waits up to `lock_timeout_ms`
/// milliseconds for another process that has the file open. `*db` is to be closed with `kv_close`.
///
/// Errors: `KV_LOCKED`, `KV_ALREADY_OPEN`, `KV_NOT_A_DATABASE`, `KV_CORRUPT`, `KV_SYSTEM`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_open(
    file: *const c_char,
    flags: u32,
    lock_timeout_ms: u64,
    db: *mut *mut kv_db,
) -> kv_code {
    border(|| {
        place(db)?;
        if flags & !(KV_OPEN_READ_ONLY | KV_OPEN_EXISTING | KV_OPEN_NO_SYNC) != 0 {
            return Err(Failure::argument(format!("there is no flag {flags}")));
        }
        let options = Options::new()
            .read_only(flags & KV_OPEN_READ_ONLY != 0)
            .create(flags & KV_OPEN_EXISTING == 0)
            .no_sync(flags & KV_OPEN_NO_SYNC != 0)
            .lock_timeout(Duration::from_millis(lock_timeout_ms));
        // SAFETY: the rule for strings at the head of the header.
        let opened = options.open(unsafe { path(file) }?)?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { lend(db, kv_db { db: opened, transactions: Arc::default() }) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Closes a database. With `KV_IN_USE` it stays open, since transactions are: end them first. After any other code it is
/// closed, and what was committed is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_close(db: *mut kv_db) -> kv_code {
    border(|| {
        // SAFETY: the rule for databases at the head of the header.
        let open = Arc::strong_count(&unsafe { shared(db, "the database") }?.transactions) - 1;
        if open > 0 {
            let text = format!("{open} transactions are open: commit or end them before the database is closed");
            return Err(Failure::new(kv_code::KV_IN_USE, &text));
        }
        // SAFETY: nobody uses it after this call, says the header.
        unsafe { take_back(db, "the database") }?.db.close()?;
        Ok(kv_code::KV_OK)
    })
}

/// Makes all commits durable that `KV_OPEN_NO_SYNC` has put off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_sync(db: *const kv_db) -> kv_code {
    border(|| {
        // SAFETY: the rule for databases at the head of the header.
        unsafe { shared(db, "the database") }?.db.sync()?;
        Ok(kv_code::KV_OK)
    })
}
