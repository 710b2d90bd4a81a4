//! What the Python package `kv` is made of: databases and transactions, with buckets as numbers. Mappings, ranges and
//! documentation are in `python/kv`.
//!
//! Whatever waits, for the disk or for another transaction, lets other threads of Python run meanwhile. No lock is held
//! there that a thread with the interpreter would wait for.

mod database;
mod failure;
mod transaction;

#[pyo3::pymodule]
mod _kv {
    #[pymodule_export]
    use crate::database::Database;
    #[pymodule_export]
    use crate::failure::{
        AlreadyOpen, AlreadyWriting, BucketNotFound, Corrupt, Ended, Error, Locked, NotCommitted, Poisoned, ReadOnly,
        Unknown,
    };
    #[pymodule_export]
    use crate::transaction::Transaction;
}
