//! Transactions, whose buckets are numbers: 0 is the top level.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kv::{Bucket, BucketHandle, BucketMut, ReadTx, WriteTx};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::database::Open;
use crate::failure::{Error, ReadOnly, ended, raise};

/// A transaction that is open, or was.
#[pyclass(frozen, module = "kv._kv")]
pub(crate) struct Transaction {
    /// None after the end. It is never locked while other threads of Python run.
    state: Mutex<Option<State>>,
}

enum State {
    /// The transaction, and of each opened bucket the names that lead to it.
    Read {
        tx: Arc<ReadTx<'static>>,
        buckets: Vec<Vec<Vec<u8>>>,
        _open: Arc<Open>,
    },
    Write {
        buckets: Vec<BucketHandle>,
        tx: Box<WriteTx<'static>>,
        open: Arc<Open>,
    },
}

type Pairs<'py> = Vec<(Made<'py>, Made<'py>)>;
type Made<'py> = pyo3::Bound<'py, PyBytes>;

const TOP: usize = 0;

/// Of those that were opened, the one of this number. The package makes no others.
fn opened<T>(buckets: &[T], bucket: usize) -> PyResult<&T> {
    let found = bucket.checked_sub(1).and_then(|index| buckets.get(index));
    found.ok_or_else(|| Error::new_err(format!("bucket {bucket} was not opened in this transaction")))
}

impl State {
    fn bucket(&self, bucket: usize) -> PyResult<Bucket<'_>> {
        match (self, bucket) {
            (Self::Read { tx, .. }, TOP) => Ok(tx.root()),
            (Self::Write { tx, .. }, TOP) => Ok(tx.root()),
            (Self::Read { tx, buckets, .. }, _) => {
                opened(buckets, bucket)?.iter().try_fold(tx.root(), |bucket, name| bucket.bucket(name)).map_err(raise)
            }
            (Self::Write { tx, buckets, .. }, _) => tx.at(*opened(buckets, bucket)?).map_err(raise),
        }
    }

    fn bucket_mut(&mut self, bucket: usize) -> PyResult<BucketMut<'_>> {
        match self {
            Self::Write { tx, buckets, .. } => tx.at_mut(*opened(buckets, bucket)?).map_err(raise),
            Self::Read { .. } => Err(read_only()),
        }
    }
}

fn read_only() -> PyErr {
    ReadOnly::new_err("the transaction is for reading: begin one with `update` to change something")
}

impl Transaction {
    pub(crate) fn reading(tx: ReadTx<'static>, open: Arc<Open>) -> Self {
        Self { state: Mutex::new(Some(State::Read { tx: Arc::new(tx), buckets: Vec::new(), _open: open })) }
    }

    pub(crate) fn writing(tx: WriteTx<'static>, open: Arc<Open>) -> Self {
        Self { state: Mutex::new(Some(State::Write { tx: Box::new(tx), buckets: Vec::new(), open })) }
    }

    /// Runs a short piece of work on the open transaction.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> PyResult<T>) -> PyResult<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        work(state.as_mut().ok_or_else(|| ended("transaction"))?)
    }

    fn take(&self) -> PyResult<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| ended("transaction"))
    }

    /// A share of the read transaction, for work that lets other threads run.
    fn snapshot(&self) -> PyResult<Arc<ReadTx<'static>>> {
        self.with(|state| match state {
            State::Read { tx, .. } => Ok(Arc::clone(tx)),
            State::Write { .. } => Err(Error::new_err("the transaction is for writing: begin one with `view`")),
        })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(State::Write { open, .. }) = self.state.get_mut().unwrap_or_else(PoisonError::into_inner) {
            open.set_writing(None);
        }
    }
}

#[pymethods]
impl Transaction {
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        match self.take()? {
            State::Read { .. } => Ok(()),
            State::Write { tx, open, .. } => {
                // Before the transaction ends: the next one may be another thread's.
                open.set_writing(None);
                py.detach(|| tx.commit()).map_err(raise)
            }
        }
    }

    fn rollback(&self) -> PyResult<()> {
        if let State::Write { open, .. } = &self.take()? {
            open.set_writing(None);
        }
        Ok(())
    }

    fn open_bucket(&self, parent: usize, name: &[u8]) -> PyResult<usize> {
        self.with(|state| {
            state.bucket(parent)?.bucket(name).map_err(raise)?;
            match state {
                State::Read { buckets, .. } => {
                    let above = if parent == TOP { Vec::new() } else { opened(buckets, parent)?.clone() };
                    buckets.push([above, vec![name.to_vec()]].concat());
                    Ok(buckets.len())
                }
                State::Write { tx, buckets, .. } => {
                    let handle = match parent {
                        TOP => tx.bucket_mut(name).map_err(raise)?.handle(),
                        _ => tx
                            .at_mut(*opened(buckets, parent)?)
                            .and_then(|parent| parent.into_bucket_mut(name))
                            .map_err(raise)?
                            .handle(),
                    };
                    buckets.push(handle);
                    Ok(buckets.len())
                }
            }
        })
    }

    fn create_bucket(&self, parent: usize, name: &[u8]) -> PyResult<usize> {
        self.with(|state| {
            let State::Write { tx, buckets, .. } = state else { return Err(read_only()) };
            let handle = if parent == TOP {
                tx.create_bucket_if_absent(name).map_err(raise)?.handle()
            } else {
                let mut parent = tx.at_mut(*opened(buckets, parent)?).map_err(raise)?;
                parent.create_bucket_if_absent(name).map_err(raise)?.handle()
            };
            buckets.push(handle);
            Ok(buckets.len())
        })
    }

    fn delete_bucket(&self, parent: usize, name: &[u8]) -> PyResult<()> {
        self.with(|state| match (state, parent) {
            (State::Read { .. }, _) => Err(read_only()),
            (State::Write { tx, .. }, TOP) => tx.delete_bucket(name).map_err(raise),
            (state, _) => state.bucket_mut(parent)?.delete_bucket(name).map_err(raise),
        })
    }

    fn bucket_names<'py>(&self, py: Python<'py>, parent: usize) -> PyResult<Vec<Made<'py>>> {
        self.with(|state| {
            let mut names = Vec::new();
            for item in state.bucket(parent)?.items(..) {
                // A bucket has no value.
                if let (name, None) = item.map_err(raise)? {
                    names.push(PyBytes::new(py, name));
                }
            }
            Ok(names)
        })
    }

    fn get<'py>(&self, py: Python<'py>, bucket: usize, key: &[u8]) -> PyResult<Option<Made<'py>>> {
        self.with(|state| {
            let value = state.bucket(bucket)?.get(key).map_err(raise)?;
            Ok(value.map(|value| PyBytes::new(py, value)))
        })
    }

    fn put(&self, bucket: usize, key: &[u8], value: &[u8]) -> PyResult<()> {
        self.with(|state| state.bucket_mut(bucket)?.put(key, value).map_err(raise))
    }

    fn delete(&self, bucket: usize, key: &[u8]) -> PyResult<bool> {
        self.with(|state| state.bucket_mut(bucket)?.delete(key).map_err(raise))
    }

    fn delete_range(&self, bucket: usize, start: Option<&[u8]>, stop: Option<&[u8]>) -> PyResult<u64> {
        self.with(|state| state.bucket_mut(bucket)?.delete_range(between(start, stop)).map_err(raise))
    }

    fn count(&self, bucket: usize) -> PyResult<u64> {
        self.with(|state| state.bucket(bucket)?.len().map_err(raise))
    }

    fn next_sequence(&self, bucket: usize) -> PyResult<u64> {
        self.with(|state| state.bucket_mut(bucket)?.next_sequence().map_err(raise))
    }

    /// Up to `limit` pairs from `start` on and before `stop`; the last ones, backwards, with `reverse`. Those up to `after`,
    /// in this order, have been returned already.
    #[allow(clippy::too_many_arguments, reason = "each is a part of one range")]
    fn pairs<'py>(
        &self,
        py: Python<'py>,
        bucket: usize,
        start: Option<&[u8]>,
        stop: Option<&[u8]>,
        after: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> PyResult<Pairs<'py>> {
        self.with(|state| {
            let mut range = between(start, stop);
            if let Some(after) = after {
                *(if reverse { &mut range.1 } else { &mut range.0 }) = Bound::Excluded(after);
            }
            let pairs = state.bucket(bucket)?.range(range);
            let made = |pair: kv::Result<kv::Pair<'_>>| {
                let (key, value) = pair.map_err(raise)?;
                Ok((PyBytes::new(py, key), PyBytes::new(py, value)))
            };
            if reverse { pairs.rev().take(limit).map(made).collect() } else { pairs.take(limit).map(made).collect() }
        })
    }

    fn copy_to(&self, py: Python<'_>, path: PathBuf) -> PyResult<u64> {
        let tx = self.snapshot()?;
        py.detach(|| tx.copy_file(path)).map_err(raise)
    }

    fn check(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let tx = self.snapshot()?;
        let problems = py.detach(|| tx.check()).map_err(raise)?;
        Ok(problems.iter().map(ToString::to_string).collect())
    }
}

/// The keys from one on and before another.
fn between<'a>(start: Option<&'a [u8]>, stop: Option<&'a [u8]>) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    (start.map_or(Bound::Unbounded, Bound::Included), stop.map_or(Bound::Unbounded, Bound::Excluded))
}
