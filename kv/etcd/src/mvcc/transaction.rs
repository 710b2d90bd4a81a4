//! One transaction of the store: changes with one revision, within a commit that it may share with others.

use bytes::Bytes;
use kv::WriteTx;
use prost::Message as _;

use super::error::{Error, Result};
use super::index::Found;
use super::interval::Interval;
use super::layout::{KEY, LEASE};
use super::locked::{lock, read, write};
use super::read;
use super::request::{DeleteRangeRequest, PutRequest, RangeRequest};
use super::response::{DeleteRangeResponse, PutResponse, RangeResponse};
use super::revision::{Revision, big_endian};
use super::row::{KeyValue, Row};
use super::shared::Shared;
use super::txn::View;
use super::undo::Undo;
use super::watch::Change;

/// Changes that become visible together.
pub(super) struct Transaction<'a, 'db> {
    pub(super) shared: &'a Shared,
    tx: &'a mut WriteTx<'db>,
    /// The revision before the changes.
    begin: i64,
    changes: Vec<Change>,
    undo: &'a mut Vec<Undo>,
}

impl<'a, 'db> Transaction<'a, 'db> {
    pub(super) fn new(shared: &'a Shared, tx: &'a mut WriteTx<'db>, begin: i64, undo: &'a mut Vec<Undo>) -> Self {
        debug_assert!(begin >= shared.current(), "what was committed is not changed");
        Self { shared, tx, begin, changes: Vec::new(), undo }
    }

    /// The revision that an answer tells: the next one if anything was changed.
    pub(super) fn revision(&self) -> i64 {
        self.begin + i64::from(!self.changes.is_empty())
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        debug_assert!(
            self.changes.iter().all(|change| change.kv.mod_revision == self.begin + 1),
            "one revision for all"
        );
        self.changes
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.changes.is_empty()
    }

    /// The revision of the next change.
    fn next(&self) -> Revision {
        let sub = u32::try_from(self.changes.len()).expect("a transaction has fewer changes");
        Revision::new(self.begin + 1, sub)
    }

    /// The state now.
    pub(super) fn view(&self) -> Result<View<'_>> {
        Ok(View { index: &self.shared.index, rows: self.tx.bucket(KEY)?, at: i64::MAX })
    }

    /// What the key is now, changes of this transaction included.
    pub(super) fn found(&self, key: &[u8]) -> Option<Found> {
        read(&self.shared.index).get(key, i64::MAX)
    }

    pub(super) fn row(&self, found: Found) -> Result<KeyValue> {
        read::get(&self.tx.bucket(KEY)?, found.revision, false)
    }

    /// What of a put can be wrong before anything is changed.
    ///
    /// # Errors
    /// Those of a put in etcd.
    pub(super) fn check_put(&self, request: &PutRequest) -> Result<()> {
        request.check()?;
        if request.lease != 0 && !lock(&self.shared.lessor).contains(request.lease) {
            return Err(Error::LeaseNotFound);
        }
        if request.keeps_something() && self.found(&request.key).is_none() {
            return Err(Error::KeyNotFound);
        }
        Ok(())
    }

    /// A put that was checked.
    ///
    /// # Errors
    /// A damaged row, or what the page store answers.
    pub(super) fn put(&mut self, request: PutRequest) -> Result<PutResponse> {
        let found = self.found(&request.key);
        let wants_old = request.prev_kv || request.keeps_something();
        let old = found.filter(|_| wants_old).map(|found| self.row(found)).transpose()?;
        debug_assert!(old.is_some() || !request.keeps_something(), "what is kept is there");
        let (mut value, mut lease) = (request.value, request.lease);
        if let Some(old) = &old {
            if request.ignore_value {
                value = old.value.clone();
            }
            if request.ignore_lease {
                lease = old.lease;
            }
        }
        let revision = self.next();
        let kv = KeyValue {
            key: request.key,
            create_revision: found.map_or(revision.main, |found| found.created),
            mod_revision: revision.main,
            version: found.map_or(0, |found| found.version).wrapping_add(1),
            value,
            lease,
        };
        debug_assert!(found.is_none_or(|found| found.revision < revision), "revisions of a key ascend");
        let row = kv.encode_to_vec();
        debug_assert_eq!(
            Row::parse(&row).map(|row| row.to_key_value(false)).as_ref(),
            Ok(&kv),
            "it is read as written"
        );
        self.tx.bucket_mut(KEY)?.put(revision.row_key(false), row)?;
        self.undo.push(Undo::Change(kv.key.clone()));
        write(&self.shared.index).put(&kv.key, revision);
        self.attach(&kv.key, lease);
        debug_assert_eq!(self.found(&kv.key).map(|found| found.revision), Some(revision), "what is put is there");
        let prev = self.before(&kv.key, found);
        debug_assert!(prev.is_none_or(|prev| prev.main <= self.begin), "what was before is older");
        self.changes.push(Change { kv, tombstone: false, prev });
        Ok(PutResponse { revision: revision.main, prev_kv: old.filter(|_| request.prev_kv) })
    }

    /// The key's put before this transaction, for watchers that want to see it.
    fn before(&self, key: &[u8], found: Option<Found>) -> Option<Revision> {
        match found {
            Some(found) if found.revision.main > self.begin => {
                read(&self.shared.index).get(key, self.begin).map(|found| found.revision)
            }
            found => found.map(|found| found.revision),
        }
    }

    fn attach(&mut self, key: &Bytes, lease: i64) {
        let old = lock(&self.shared.lessor).attach(key, lease);
        if old != lease {
            self.undo.push(Undo::Attach(key.clone(), old));
        }
    }

    /// Deletes the keys of a range.
    ///
    /// # Errors
    /// A damaged row, or what the page store answers.
    pub(super) fn delete_range(&mut self, request: &DeleteRangeRequest) -> Result<DeleteRangeResponse> {
        let interval = Interval::new(&request.key, &request.range_end);
        let keys = if request.range_end.is_empty() {
            self.found(&request.key).map(|found| (request.key.clone(), found)).into_iter().collect()
        } else {
            read::keys(&self.shared.index, &interval, i64::MAX)
        };
        let wanted = if request.prev_kv { &keys[..] } else { &[] };
        let prev_kvs = wanted.iter().map(|(_, found)| self.row(*found)).collect::<Result<_>>()?;
        debug_assert!(keys.iter().all(|(key, _)| interval.contains(key)), "only keys of the range");
        let deleted = (keys.len() as u64).cast_signed();
        for (key, found) in keys {
            self.delete(key, found)?;
        }
        Ok(DeleteRangeResponse { revision: self.revision(), deleted, prev_kvs })
    }

    /// Deletes a key that is there.
    ///
    /// # Errors
    /// What the page store answers.
    pub(super) fn delete(&mut self, key: Bytes, found: Found) -> Result<()> {
        let revision = self.next();
        let kv = KeyValue { key, ..KeyValue::default() };
        self.tx.bucket_mut(KEY)?.put(revision.row_key(true), kv.encode_to_vec())?;
        self.undo.push(Undo::Change(kv.key.clone()));
        write(&self.shared.index).delete(&kv.key, revision);
        self.attach(&kv.key, 0);
        debug_assert!(self.found(&kv.key).is_none(), "what is deleted is not there");
        let prev = self.before(&kv.key, Some(found));
        self.changes.push(Change { kv: KeyValue { mod_revision: revision.main, ..kv }, tombstone: true, prev });
        Ok(())
    }

    /// Removes a lease that has no keys any more.
    ///
    /// # Errors
    /// What the page store answers.
    pub(super) fn remove_lease(&mut self, id: i64) -> Result<()> {
        self.tx.bucket_mut(LEASE)?.delete(big_endian(id.cast_unsigned()))?;
        let lease = lock(&self.shared.lessor).remove(id).expect("only the writer removes leases");
        debug_assert!(!lock(&self.shared.lessor).contains(id), "it is gone");
        self.undo.push(Undo::Revoke(id, lease));
        Ok(())
    }

    /// Reads, and sees the changes so far.
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::FutureRevision`], a damaged row, or what the page store answers.
    pub(super) fn range(&self, request: &RangeRequest) -> Result<RangeResponse> {
        let at = if request.revision <= 0 { i64::MAX } else { request.revision };
        let _pin = if request.revision > 0 { Some(self.shared.pins.pin(request.revision)?) } else { None };
        let rows = self.tx.bucket(KEY)?;
        let answer = read::range(&self.shared.index, &rows, request, at)?;
        Ok(RangeResponse { revision: self.revision(), ..answer })
    }

    /// What of a read can be wrong before anything is changed.
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::FutureRevision`]. In a transaction a negative revision is compacted.
    pub(super) fn check_range(&self, request: &RangeRequest) -> Result<()> {
        match request.revision {
            revision if revision > self.begin => Err(Error::FutureRevision),
            revision if revision < 0 || revision != 0 && revision < self.shared.pins.compacted() => {
                Err(Error::Compacted)
            }
            _ => Ok(()),
        }
    }
}

impl PutRequest {
    /// Whether the key must be there, for its value or its lease stays.
    pub(super) const fn keeps_something(&self) -> bool {
        self.ignore_value || self.ignore_lease
    }

    /// What is wrong with the request by itself.
    ///
    /// # Errors
    /// [`Error::EmptyKey`], [`Error::ValueProvided`], [`Error::LeaseProvided`].
    pub(super) fn check(&self) -> Result<()> {
        if self.key.is_empty() {
            return Err(Error::EmptyKey);
        }
        if self.ignore_value && !self.value.is_empty() {
            return Err(Error::ValueProvided);
        }
        if self.ignore_lease && self.lease != 0 {
            return Err(Error::LeaseProvided);
        }
        Ok(())
    }
}
