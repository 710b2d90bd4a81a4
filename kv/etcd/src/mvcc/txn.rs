//! Transactions with conditions: what is checked, which branches are taken, what is done.

use std::collections::BTreeSet;
use std::sync::RwLock;

use bytes::Bytes;
use kv::Bucket;

use super::error::{Error, Result};
use super::index::{Found, Index};
use super::interval::Interval;
use super::locked;
use super::read;
use super::request::{Compare, CompareResult, CompareTarget, RequestOp, TxnRequest};
use super::response::{ResponseOp, TxnResponse};
use super::transaction::Transaction;

impl TxnRequest {
    /// Whether it can change nothing, whatever branches it takes.
    pub(super) fn is_read_only(&self) -> bool {
        self.success.iter().chain(&self.failure).all(|op| match op {
            RequestOp::Range(_) | RequestOp::Empty => true,
            RequestOp::Txn(txn) => txn.is_read_only(),
            RequestOp::Put(_) | RequestOp::DeleteRange(_) => false,
        })
    }

    /// What is wrong with the request by itself.
    ///
    /// # Errors
    /// [`Error::TooManyOps`], [`Error::DuplicateKey`], and those of the operations.
    pub(super) fn check(&self, max_ops: usize) -> Result<()> {
        self.check_ops(max_ops)?;
        Written::of(&self.success)?;
        Written::of(&self.failure).map(drop)
    }

    fn check_ops(&self, max_ops: usize) -> Result<()> {
        let ops = self.compare.len().max(self.success.len()).max(self.failure.len());
        let left = max_ops.checked_sub(ops).ok_or(Error::TooManyOps)?;
        if self.compare.iter().any(|compare| compare.key.is_empty()) {
            return Err(Error::EmptyKey);
        }
        self.success.iter().chain(&self.failure).try_for_each(|op| match op {
            RequestOp::Range(range) if range.key.is_empty() => Err(Error::EmptyKey),
            RequestOp::DeleteRange(delete) if delete.key.is_empty() => Err(Error::EmptyKey),
            RequestOp::Put(put) => put.check(),
            RequestOp::Txn(txn) => txn.check_ops(left),
            RequestOp::Empty => Err(Error::KeyNotFound),
            RequestOp::Range(_) | RequestOp::DeleteRange(_) => Ok(()),
        })
    }
}

/// What the operations of a branch write.
#[derive(Default)]
struct Written {
    puts: BTreeSet<Bytes>,
    deletes: Vec<Interval>,
}

impl Written {
    /// # Errors
    /// [`Error::DuplicateKey`] if a key is put twice, or put and deleted. The order of the steps is etcd's, and so are its
    /// consequences: a delete behind a nested transaction may be of a key that this one puts.
    fn of(ops: &[RequestOp]) -> Result<Self> {
        let mut all = Self::default();
        for op in ops {
            // etcd takes the zero byte of "every key from here on" for an end, which lies before the keys: such deletes
            // clash with no put.
            if let RequestOp::DeleteRange(delete) = op
                && delete.range_end[..] != [0]
            {
                all.deletes.push(Interval::new(&delete.key, &delete.range_end));
            }
        }
        for op in ops {
            let RequestOp::Txn(txn) = op else { continue };
            let (success, failure) = (Self::of(&txn.success)?, Self::of(&txn.failure)?);
            let clash = |key: &Bytes| all.puts.contains(key) || all.deletes(key);
            if success.puts.iter().any(clash) {
                return Err(Error::DuplicateKey);
            }
            let clash = |key: &Bytes| all.deletes(key) || all.puts.contains(key);
            if failure.puts.iter().any(clash) {
                return Err(Error::DuplicateKey);
            }
            debug_assert!(success.puts.iter().all(|key| !all.puts.contains(key)), "no key is put twice");
            all.puts.extend(success.puts);
            all.puts.extend(failure.puts);
            all.deletes.extend(success.deletes);
            all.deletes.extend(failure.deletes);
        }
        for op in ops {
            if let RequestOp::Put(put) = op
                && (all.deletes(&put.key) || !all.puts.insert(put.key.clone()))
            {
                return Err(Error::DuplicateKey);
            }
        }
        Ok(all)
    }

    fn deletes(&self, key: &[u8]) -> bool {
        self.deletes.iter().any(|interval| interval.contains(key))
    }
}

/// A state that conditions are compared with.
pub(super) struct View<'a> {
    pub(super) index: &'a RwLock<Index>,
    pub(super) rows: Bucket<'a>,
    pub(super) at: i64,
}

impl View<'_> {
    /// Which branches a transaction takes: for it and then each transaction on its way, whether the conditions hold.
    ///
    /// # Errors
    /// A damaged row, or what the page store answers.
    pub(super) fn path(&self, txn: &TxnRequest) -> Result<Vec<bool>> {
        let mut path = Vec::new();
        self.extend_path(txn, &mut path)?;
        debug_assert!(!path.is_empty(), "the transaction itself is the first step");
        Ok(path)
    }

    fn extend_path(&self, txn: &TxnRequest, path: &mut Vec<bool>) -> Result<()> {
        let mut holds = true;
        for compare in &txn.compare {
            holds = holds && self.holds(compare)?;
        }
        debug_assert!(!txn.compare.is_empty() || holds, "no condition holds always");
        path.push(holds);
        let branch = if holds { &txn.success } else { &txn.failure };
        branch.iter().try_for_each(|op| match op {
            RequestOp::Txn(txn) => self.extend_path(txn, path),
            _ => Ok(()),
        })
    }

    fn holds(&self, compare: &Compare) -> Result<bool> {
        let keys = if compare.range_end.is_empty() {
            let found = locked::read(self.index).get(&compare.key, self.at);
            found.map(|found| (compare.key.clone(), found)).into_iter().collect()
        } else {
            read::keys(self.index, &Interval::new(&compare.key, &compare.range_end), self.at)
        };
        debug_assert!(keys.iter().all(|(_, found)| found.revision.main <= self.at), "nothing newer is compared");
        if keys.is_empty() {
            return Ok(compare.holds_for_nothing());
        }
        for (_, found) in keys {
            if !self.holds_for(compare, found)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds_for(&self, compare: &Compare, found: Found) -> Result<bool> {
        let row = || read::get(&self.rows, found.revision, false);
        Ok(compare.result.holds(match &compare.target {
            CompareTarget::Version(given) => found.version.cmp(given),
            CompareTarget::Create(given) => found.created.cmp(given),
            CompareTarget::Mod(given) => found.revision.main.cmp(given),
            CompareTarget::Value(given) => row()?.value.cmp(given),
            CompareTarget::Lease(given) => row()?.lease.cmp(given),
        }))
    }
}

impl Compare {
    /// A key that is not there is all zero. Of its value nothing holds.
    fn holds_for_nothing(&self) -> bool {
        match self.target {
            CompareTarget::Version(given)
            | CompareTarget::Create(given)
            | CompareTarget::Mod(given)
            | CompareTarget::Lease(given) => self.result.holds(0.cmp(&given)),
            CompareTarget::Value(_) => false,
        }
    }
}

impl CompareResult {
    fn holds(self, stored_to_given: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => stored_to_given.is_eq(),
            Self::Greater => stored_to_given.is_gt(),
            Self::Less => stored_to_given.is_lt(),
            Self::NotEqual => stored_to_given.is_ne(),
        }
    }
}

/// Calls `visit` with each operation on the way that `path` says, transactions left out.
///
/// # Errors
/// What `visit` answers.
pub(super) fn check_path(
    txn: &TxnRequest,
    path: &mut impl Iterator<Item = bool>,
    visit: &mut dyn FnMut(&RequestOp) -> Result<()>,
) -> Result<()> {
    let branch = if next(path) { &txn.success } else { &txn.failure };
    for op in branch {
        match op {
            RequestOp::Txn(txn) => check_path(txn, path, visit)?,
            op => visit(op)?,
        }
    }
    Ok(())
}

/// Does the operations on the way that `path` says; `run` does one that is no transaction. The revision of the answer is
/// left 0.
///
/// # Errors
/// What `run` answers.
pub(super) fn execute(
    txn: TxnRequest,
    path: &mut impl Iterator<Item = bool>,
    run: &mut dyn FnMut(RequestOp) -> Result<ResponseOp>,
) -> Result<TxnResponse> {
    let succeeded = next(path);
    let branch = if succeeded { txn.success } else { txn.failure };
    let (ops, mut responses) = (branch.len(), Vec::new());
    for op in branch {
        responses.push(match op {
            RequestOp::Txn(txn) => ResponseOp::Txn(execute(txn, path, run)?),
            op => run(op)?,
        });
    }
    debug_assert_eq!(responses.len(), ops, "each operation is answered");
    Ok(TxnResponse { revision: 0, succeeded, responses })
}

fn next(path: &mut impl Iterator<Item = bool>) -> bool {
    path.next().expect("the path has a step for each transaction on it")
}

impl Transaction<'_, '_> {
    /// A transaction whose request was checked.
    ///
    /// # Errors
    /// Those of its operations. A request that is refused has changed nothing.
    pub(super) fn txn(&mut self, request: TxnRequest) -> Result<TxnResponse> {
        debug_assert!(self.is_unchanged(), "conditions see the state before");
        let path = self.view()?.path(&request)?;
        let mut steps = path.iter().copied();
        let mut deleted: Vec<Interval> = Vec::new();
        check_path(&request, &mut steps, &mut |op| {
            match op {
                RequestOp::Put(put) => {
                    self.check_put(put)?;
                    // The search for keys that come twice lets such a request through. etcd 3.5.1 panics at it.
                    if put.keeps_something() && deleted.iter().any(|deleted| deleted.contains(&put.key)) {
                        return Err(Error::KeyNotFound);
                    }
                }
                RequestOp::Range(range) => self.check_range(range)?,
                RequestOp::DeleteRange(delete) => deleted.push(Interval::new(&delete.key, &delete.range_end)),
                RequestOp::Txn(_) | RequestOp::Empty => {}
            }
            Ok(())
        })?;
        debug_assert!(steps.next().is_none(), "every branch that is taken was checked");
        let mut steps = path.into_iter();
        let answer = execute(request, &mut steps, &mut |op| {
            Ok(match op {
                RequestOp::Range(range) => ResponseOp::Range(self.range(&range)?),
                RequestOp::Put(put) => ResponseOp::Put(self.put(put)?),
                RequestOp::DeleteRange(delete) => ResponseOp::DeleteRange(self.delete_range(&delete)?),
                RequestOp::Txn(_) => unreachable!("its operations are done one by one"),
                RequestOp::Empty => unreachable!("it was refused"),
            })
        })?;
        debug_assert!(steps.next().is_none(), "every branch that is taken was done");
        Ok(TxnResponse { revision: self.revision(), ..answer })
    }
}
