//! What transactions changed, for as long as rollback or the next release needs it.

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::page::TxId;
use crate::pending::Pending;

/// What one transaction changed, apart from its allocations.
#[derive(Debug)]
pub(crate) struct Changes {
    tx: TxId,
    pub(crate) committed: bool,
    pub(crate) freed: Vec<Pending>,
}

/// The changes of each transaction since pending pages were last released. These are few transactions.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    entries: Vec<Changes>,
}

impl ChangeLog {
    /// The changes of `tx`, which begin empty.
    pub(crate) fn of(&mut self, tx: TxId) -> Result<&mut Changes, FreelistError> {
        let at = if let Some(at) = self.find(tx) {
            at
        } else {
            self.entries.try_reserve(1)?;
            self.entries.push(Changes { tx, committed: false, freed: Vec::new() });
            self.entries.len() - 1
        };
        debug_assert_eq!(self.find(tx), Some(at), "each transaction has one entry");
        Ok(&mut self.entries[at])
    }

    /// The changes of `tx`, if it made any and has not committed.
    pub(crate) fn uncommitted(&mut self, tx: TxId) -> Option<&mut Changes> {
        let at = self.find(tx)?;
        Some(&mut self.entries[at]).filter(|changes| !changes.committed)
    }

    pub(crate) fn forget(&mut self, tx: TxId) {
        if let Some(at) = self.find(tx) {
            self.entries.remove(at);
        }
    }

    pub(crate) fn latest(&mut self) -> Option<&mut Changes> {
        self.entries.last_mut()
    }

    pub(crate) fn forget_latest(&mut self) {
        self.entries.pop();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let freed = self.entries.iter().map(|changes| changes.freed.capacity() * size_of::<Pending>());
        self.entries.capacity() * size_of::<Changes>() + freed.sum::<usize>()
    }

    fn find(&self, tx: TxId) -> Option<usize> {
        self.entries.iter().rposition(|changes| changes.tx == tx)
    }
}
