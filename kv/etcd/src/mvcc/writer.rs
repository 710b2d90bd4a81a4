//! The writer: one thread, which takes the writes that wait and commits them together.
//!
//! ```text
//!   queue ---> apply, one after the other ---> commit ---> publish ---> answer
//!                 rows in the transaction       sync        revision     each caller
//!                 index, leases (with undo)                 events
//! ```
//!
//! While one group waits for the disk the next one gathers, so groups are as large as the disk is slow, and a single caller
//! waits for nobody. Reads go on: they ask the index for revisions that were published, which those of a commit under way
//! are not.

use std::sync::atomic::Ordering;

use kv::WriteTx;
use prost::Message as _;

use super::error::{Error, Result};
use super::layout::{ALARM, CLUSTER, CLUSTER_VERSION, FINISHED_COMPACT, KEY, LEASE, MEMBERS, META, SCHEDULED_COMPACT};
use super::lease::{Lease, TTL_MAX};
use super::locked::lock;
use super::queue::{Answer, Job};
use super::request::{
    AlarmRequest, CompactRequest, LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest, MemberRequest,
};
use super::response::{CompactResponse, Done, LeaseGrantResponse, LeaseRevokeResponse};
use super::revision::{Revision, big_endian};
use super::row::{AlarmRow, LeaseRow};
use super::shared::Shared;
use super::transaction::Transaction;
use super::undo::{Undo, undo};
use super::watch::Batch;

/// Runs until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    // Should this thread panic, callers hear it instead of waiting for ever.
    let _closing = Closing(shared);
    while let Some(jobs) = shared.queue.take() {
        commit(shared, jobs);
    }
}

/// Closes the queue and refuses what is in it.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
        while let Some(jobs) = self.0.queue.take() {
            for job in jobs {
                job.refuse(Error::Stopped);
            }
        }
    }
}

/// Called when it is known whether the commit happened.
type Told<'a> = Box<dyn FnOnce(Result<()>) + 'a>;

/// Writes that share a commit.
struct Group<'a, 'db> {
    shared: &'a Shared,
    tx: WriteTx<'db>,
    /// The newest revision, those of this group included.
    revision: i64,
    compacted: i64,
    batches: Vec<Batch>,
    undo: Vec<Undo>,
    told: Vec<Told<'a>>,
    /// Whether there is anything to commit.
    changed: bool,
    /// A step that failed in the middle: nothing of the group is committed.
    failed: Option<Error>,
}

fn commit(shared: &Shared, jobs: Vec<Job>) {
    debug_assert!(!jobs.is_empty(), "a group has a write");
    let tx = match shared.db.begin_write() {
        Ok(tx) => tx,
        Err(error) => {
            let error = Error::from(error);
            return jobs.into_iter().for_each(|job| job.refuse(error.clone()));
        }
    };
    let mut group = Group {
        shared,
        tx,
        revision: shared.current(),
        compacted: shared.pins.compacted(),
        batches: Vec::new(),
        undo: Vec::new(),
        told: Vec::new(),
        changed: false,
        failed: None,
    };
    shared.writes.fetch_add(jobs.len() as u64, Ordering::Relaxed);
    for job in jobs {
        match &group.failed {
            Some(error) => job.refuse(error.clone()),
            None => group.apply(job),
        }
    }
    group.finish();
}

impl<'a> Group<'a, '_> {
    fn apply(&mut self, job: Job) {
        match job {
            Job::Put(request, answer) => self.write(answer, |tx| {
                tx.check_put(&request)?;
                tx.put(request)
            }),
            Job::DeleteRange(request, answer) => self.write(answer, |tx| tx.delete_range(&request)),
            Job::Txn(request, answer) => self.write(answer, |tx| tx.txn(request)),
            Job::LeaseRevoke(request, answer) => self.write(answer, |tx| tx.revoke(request)),
            Job::Compact(request, answer) => self.compact(request, answer),
            Job::LeaseGrant(request, answer) => self.other(answer, |group| group.grant(request)),
            Job::LeaseCheckpoint(request, answer) => self.other(answer, |group| group.checkpoint(&request)),
            Job::Alarm(request, answer) => self.other(answer, |group| group.alarm(request)),
            Job::Member(request, answer) => self.other(answer, |group| group.member(&request)),
            Job::Remove(rows, answer) => self.other(answer, |group| group.remove(&rows)),
            Job::Finish(revision, answer) => self.other(answer, |group| group.finish_compaction(revision)),
        }
    }

    /// Applies changes of keys.
    fn write<T: 'a>(&mut self, answer: Answer<T>, apply: impl FnOnce(&mut Transaction<'_, '_>) -> Result<T>) {
        let steps = self.undo.len();
        let mut transaction = Transaction::new(self.shared, &mut self.tx, self.revision, &mut self.undo);
        let result = apply(&mut transaction);
        let revision = transaction.revision();
        let changes = transaction.into_changes();
        self.changed |= self.undo.len() > steps;
        if !changes.is_empty() {
            debug_assert_eq!(revision, self.revision + 1, "a transaction has one revision");
            self.revision = revision;
            self.batches.push(Batch { revision, changes });
        }
        self.answer(answer, result);
    }

    /// Applies anything else.
    fn other<T: 'a>(&mut self, answer: Answer<T>, apply: impl FnOnce(&mut Self) -> Result<T>) {
        let result = apply(self);
        self.answer(answer, result);
    }

    fn answer<T: 'a>(&mut self, answer: Answer<T>, result: Result<T>) {
        self.note(&result);
        self.told.push(Box::new(move |committed| answer(committed.and(result))));
    }

    fn note<T>(&mut self, result: &Result<T>) {
        if let Err(error @ (Error::Engine(_) | Error::DamagedRow { .. } | Error::NoSpace)) = result {
            // A part of the changes may have been made.
            self.failed = Some(error.clone());
        }
    }

    /// Commits, or takes everything back.
    fn finish(self) {
        let Self { shared, tx, revision, compacted, batches, undo: steps, told, changed, failed } = self;
        let before = shared.current();
        assert!(revision >= before, "revisions ascend");
        assert_eq!((revision - before).cast_unsigned(), batches.len() as u64, "each has its transaction");
        debug_assert!(batches.iter().zip(before + 1..).all(|(batch, next)| batch.revision == next), "without a gap");
        debug_assert!(compacted <= revision, "what is compacted was written");
        debug_assert!(changed || failed.is_some() || steps.is_empty(), "what is not committed has changed nothing");
        let committed = match failed {
            Some(error) => Err(error),
            None if !changed => Ok(()),
            None => {
                shared.commits.fetch_add(1, Ordering::Relaxed);
                tx.commit().map_err(Error::from)
            }
        };
        if committed.is_ok() {
            debug_assert_eq!(shared.current(), before, "only the writer publishes");
            shared.current.store(revision, Ordering::Release);
            if compacted > shared.pins.compacted() {
                shared.pins.set_compacted(compacted);
            }
            shared.hub.push(batches);
        } else {
            undo(shared, steps);
        }
        for tell in told {
            tell(committed.clone());
        }
    }

    fn done(&self) -> Done {
        Done { revision: self.revision }
    }

    fn compact(&mut self, request: CompactRequest, answer: Answer<CompactResponse>) {
        let result = self.schedule(request);
        self.note(&result);
        let shared = self.shared;
        self.told.push(Box::new(move |committed| match committed.and(result) {
            Ok(response) => shared.compactor.schedule(request, response, answer),
            Err(error) => answer(Err(error)),
        }));
    }

    fn schedule(&mut self, request: CompactRequest) -> Result<CompactResponse> {
        debug_assert!(self.compacted <= self.revision, "what is compacted was written");
        if request.revision <= self.compacted {
            return Err(Error::Compacted);
        }
        if request.revision > self.revision {
            return Err(Error::FutureRevision);
        }
        let row = Revision::new(request.revision, 0).row_key(false);
        self.tx.bucket_mut(META)?.put(SCHEDULED_COMPACT, row)?;
        self.changed = true;
        self.compacted = request.revision;
        debug_assert!(self.compacted > self.shared.pins.compacted(), "what is compacted only rises");
        Ok(CompactResponse { revision: self.revision })
    }

    fn remove(&mut self, rows: &[(Revision, bool)]) -> Result<Done> {
        debug_assert!(rows.iter().all(|(row, _)| row.main <= self.compacted), "only what is compacted goes");
        let mut bucket = self.tx.bucket_mut(KEY)?;
        for (revision, tombstone) in rows {
            bucket.delete(revision.row_key(*tombstone))?;
        }
        self.changed = true;
        Ok(self.done())
    }

    fn finish_compaction(&mut self, revision: i64) -> Result<Done> {
        debug_assert!(revision <= self.compacted, "a compaction is scheduled before it is finished");
        self.tx.bucket_mut(META)?.put(FINISHED_COMPACT, Revision::new(revision, 0).row_key(false))?;
        self.changed = true;
        Ok(self.done())
    }

    fn grant(&mut self, request: LeaseGrantRequest) -> Result<LeaseGrantResponse> {
        if request.ttl > TTL_MAX {
            return Err(Error::LeaseTtlTooLarge);
        }
        let mut lessor = lock(&self.shared.lessor);
        let id = if request.id == 0 { lessor.new_id() } else { request.id };
        if lessor.contains(id) {
            return Err(Error::LeaseExists);
        }
        debug_assert!(id != 0, "0 stands for none");
        let ttl = request.ttl.max(self.shared.options.min_lease_ttl);
        lessor.insert(id, Lease::new(ttl, 0));
        drop(lessor);
        self.undo.push(Undo::Grant(id));
        self.put_lease(id, ttl, 0)?;
        Ok(LeaseGrantResponse { revision: self.revision, id, ttl })
    }

    fn put_lease(&mut self, id: i64, ttl: i64, remaining_ttl: i64) -> Result<()> {
        let row = LeaseRow { id, ttl, remaining_ttl };
        self.tx.bucket_mut(LEASE)?.put(big_endian(id.cast_unsigned()), row.encode_to_vec())?;
        self.changed = true;
        Ok(())
    }

    fn checkpoint(&mut self, request: &LeaseCheckpointRequest) -> Result<Done> {
        for &(id, remaining) in &request.leases {
            let known = lock(&self.shared.lessor).set_remaining(id, remaining);
            let Some((ttl, old)) = known.filter(|(_, old)| *old != remaining) else { continue };
            self.undo.push(Undo::Remaining(id, old));
            self.put_lease(id, ttl, remaining)?;
        }
        Ok(self.done())
    }

    fn alarm(&mut self, request: AlarmRequest) -> Result<Done> {
        let row = AlarmRow { member: request.alarm.member, alarm: request.alarm.kind }.encode_to_vec();
        let mut alarms = self.tx.bucket_mut(ALARM)?;
        if alarms.get(&row)?.is_some() != request.active {
            if request.active {
                alarms.put(&row, b"")?;
            } else {
                alarms.delete(&row)?;
            }
            self.changed = true;
        }
        Ok(self.done())
    }

    fn member(&mut self, request: &MemberRequest) -> Result<Done> {
        let rows = [
            (MEMBERS, format!("{:x}", request.id), &request.json),
            (CLUSTER, CLUSTER_VERSION.to_owned(), &request.cluster_version),
        ];
        for (bucket, key, value) in rows {
            let mut bucket = self.tx.bucket_mut(bucket)?;
            if bucket.get(&key)? != Some(value.as_bytes()) {
                bucket.put(key, value)?;
                self.changed = true;
            }
        }
        Ok(self.done())
    }
}

impl Transaction<'_, '_> {
    /// Ends a lease and deletes its keys.
    fn revoke(&mut self, request: LeaseRevokeRequest) -> Result<LeaseRevokeResponse> {
        let keys = lock(&self.shared.lessor).keys(request.id).ok_or(Error::LeaseNotFound)?;
        for key in keys {
            if let Some(found) = self.found(&key) {
                self.delete(key, found)?;
            }
        }
        self.remove_lease(request.id)?;
        Ok(LeaseRevokeResponse { revision: self.revision() })
    }
}
