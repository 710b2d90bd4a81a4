//! Transactions, and what they hold: buckets and scans, each a number.

use std::ffi::c_char;
use std::sync::Arc;
use std::thread;

use kv::{Bucket, BucketHandle, ReadTx, WriteTx};

use crate::code::{Failure, border, kv_code};
use crate::database::{Transactions, kv_db, path};
use crate::pointers::{lend, place, set, shared, take_back};
use crate::scan::{ReadScan, WriteScan};

/// A transaction, for reading or for writing. One thread at a time may use it.
pub struct kv_tx {
    /// Dropped before the transaction: the next one has a share of its own, which this must not meet.
    share: Share,
    pub(crate) state: State,
}

pub(crate) enum State {
    Read(Read),
    Write(Box<Write>),
}

/// A read transaction. What points into it is dropped before it: fields are dropped in their order.
pub(crate) struct Read {
    pub(crate) scans: Vec<Option<ReadScan>>,
    pub(crate) buckets: Vec<Bucket<'static>>,
    /// In an `Arc`, so that it stays where it is while the rest moves, and shared references to it stay valid.
    tx: Arc<ReadTx<'static>>,
}

pub(crate) struct Write {
    pub(crate) scans: Vec<Option<WriteScan>>,
    pub(crate) buckets: Vec<BucketHandle>,
    pub(crate) tx: WriteTx<'static>,
}

impl Read {
    fn new(tx: ReadTx<'static>) -> Self {
        Self { scans: Vec::new(), buckets: Vec::new(), tx: Arc::new(tx) }
    }

    /// The transaction, for buckets and scans that are kept beside it.
    pub(crate) fn tx(&self) -> &'static ReadTx<'static> {
        // SAFETY: the transaction lies in the heap and is dropped, or changed, by nobody while `self` is there. What comes
        // of this reference is kept in `self` alone, in fields that are dropped before, and goes to C as bytes that the
        // header allows to be used until the transaction ends.
        unsafe { &*Arc::as_ptr(&self.tx) }
    }
}

impl kv_tx {
    pub(crate) fn writing(&mut self) -> Result<&mut Write, Failure> {
        match &mut self.state {
            State::Write(write) => Ok(&mut **write),
            State::Read(_) => Err(Failure::new(
                kv_code::KV_READ_ONLY,
                "the transaction is for reading: begin one with kv_begin_write to change something",
            )),
        }
    }
}

/// That a transaction is open, and whether it is the write transaction of the thread that began it.
struct Share {
    transactions: Arc<Transactions>,
    writing: bool,
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.writing {
            self.transactions.set_writing(None);
        }
    }
}

/// Begins a read transaction: one state of the database, whatever is committed meanwhile. Blocks nobody. `*tx` is to be
/// ended with `kv_end`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_begin_read(db: *const kv_db, tx: *mut *mut kv_tx) -> kv_code {
    border(|| {
        place(tx)?;
        // SAFETY: the rule for databases at the head of the header.
        let db = unsafe { shared(db, "the database") }?;
        let share = Share { transactions: Arc::clone(&db.transactions), writing: false };
        let state = State::Read(Read::new(db.db.begin_read_owned()));
        // SAFETY: the rule for results at the head of the header.
        unsafe { lend(tx, kv_tx { share, state }) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Waits for the current write transaction to end, and begins one. `*tx` is to be ended with `kv_commit` or `kv_end`.
///
/// Errors: `KV_ALREADY_WRITING`, `KV_READ_ONLY`, `KV_POISONED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_begin_write(db: *const kv_db, tx: *mut *mut kv_tx) -> kv_code {
    border(|| {
        place(tx)?;
        // SAFETY: the rule for databases at the head of the header.
        let db = unsafe { shared(db, "the database") }?;
        if db.transactions.is_writing_here() {
            return Err(kv::Error::AlreadyWriting.into());
        }
        let write = Write { scans: Vec::new(), buckets: Vec::new(), tx: db.db.begin_write_owned()? };
        db.transactions.set_writing(Some(thread::current().id()));
        let share = Share { transactions: Arc::clone(&db.transactions), writing: true };
        // SAFETY: the rule for results at the head of the header.
        unsafe { lend(tx, kv_tx { share, state: State::Write(Box::new(write)) }) }?;
        Ok(kv_code::KV_OK)
    })
}

/// Commits a write transaction, or ends one for reading. When it returns `KV_OK`, the changes are durable. The transaction
/// is ended after every code; after an error nothing is changed, but for `KV_UNKNOWN`.
///
/// Errors: `KV_NOT_COMMITTED`, `KV_UNKNOWN`, `KV_POISONED`, `KV_FILE_MOVED`, `KV_CORRUPT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_commit(tx: *mut kv_tx) -> kv_code {
    border(|| {
        // SAFETY: nobody uses it after this call, says the header.
        let kv_tx { share, state } = *unsafe { take_back(tx, "the transaction") }?;
        drop(share);
        if let State::Write(write) = state {
            write.tx.commit()?;
        }
        Ok(kv_code::KV_OK)
    })
}

/// Ends a transaction. Changes that were not committed are gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_end(tx: *mut kv_tx) -> kv_code {
    border(|| {
        // SAFETY: nobody uses it after this call, says the header.
        drop(unsafe { take_back(tx, "the transaction") }?);
        Ok(kv_code::KV_OK)
    })
}

/// Writes the state of a read transaction to a new file, as a database of its own, while others go on writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_copy(tx: *const kv_tx, file: *const c_char) -> kv_code {
    border(|| {
        // SAFETY: the rules for transactions and strings at the head of the header.
        let (tx, file) = unsafe { (shared(tx, "the transaction")?, path(file)?) };
        reading(tx)?.tx().copy_file(file)?;
        Ok(kv_code::KV_OK)
    })
}

/// Checks the whole database, as a read transaction sees it: `*problems` is the number of broken rules, and if it is not 0,
/// `kv_error_message` says what the first one is. Reads every page that is not a value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_check(tx: *const kv_tx, problems: *mut u64) -> kv_code {
    border(|| {
        place(problems)?;
        // SAFETY: the rule for transactions at the head of the header.
        let found = reading(unsafe { shared(tx, "the transaction") }?)?.tx().check()?;
        // SAFETY: the rule for results at the head of the header.
        unsafe { set(problems, found.len() as u64) }?;
        match found.first() {
            Some(first) => Err(Failure::new(kv_code::KV_CORRUPT, &first.to_string())),
            None => Ok(kv_code::KV_OK),
        }
    })
}

fn reading(tx: &kv_tx) -> Result<&Read, Failure> {
    match &tx.state {
        State::Read(read) => Ok(read),
        State::Write(_) => Err(Failure::argument("the transaction is for writing: begin one with kv_begin_read")),
    }
}
