//! Writes that wait for their turn: many callers, one writer.

use std::collections::VecDeque;
use std::sync::mpsc::sync_channel;
use std::sync::{Condvar, Mutex};

use super::error::{Error, Result};
use super::locked::{lock, wait};
use super::request::{
    AlarmRequest, CompactRequest, DeleteRangeRequest, LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest,
    MemberRequest, PutRequest, TxnRequest,
};
use super::response::{
    CompactResponse, DeleteRangeResponse, Done, LeaseGrantResponse, LeaseRevokeResponse, PutResponse, TxnResponse,
};
use super::revision::Revision;

/// Called with the answer, on the writer's thread.
pub(super) type Answer<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// A write, and whom to tell.
pub enum Job {
    Put(PutRequest, Answer<PutResponse>),
    DeleteRange(DeleteRangeRequest, Answer<DeleteRangeResponse>),
    Txn(TxnRequest, Answer<TxnResponse>),
    Compact(CompactRequest, Answer<CompactResponse>),
    LeaseGrant(LeaseGrantRequest, Answer<LeaseGrantResponse>),
    LeaseRevoke(LeaseRevokeRequest, Answer<LeaseRevokeResponse>),
    LeaseCheckpoint(LeaseCheckpointRequest, Answer<Done>),
    Alarm(AlarmRequest, Answer<Done>),
    Member(MemberRequest, Answer<Done>),
    /// Rows that a compaction removes, with whether each is a delete's.
    Remove(Vec<(Revision, bool)>, Answer<Done>),
    /// The last step of a compaction.
    Finish(i64, Answer<Done>),
}

/// A request that changes the store: [`Store::submit`](super::Store::submit) takes it.
pub trait Write: Send {
    /// What it answers.
    type Response: Send + 'static;

    /// As a job for the writer.
    #[doc(hidden)]
    fn into_job(self, answer: Answer<Self::Response>) -> Job;
}

macro_rules! writes {
    ($($request:ident => $job:ident($response:ident)),* $(,)?) => {
        $(impl Write for $request {
            type Response = $response;

            fn into_job(self, answer: Answer<$response>) -> Job {
                Job::$job(self, answer)
            }
        })*

        impl Job {
            /// Answers without having done anything.
            pub(super) fn refuse(self, error: Error) {
                match self {
                    $(Self::$job(_, answer) => answer(Err(error)),)*
                    Self::Remove(_, answer) | Self::Finish(_, answer) => answer(Err(error)),
                }
            }
        }
    };
}

writes! {
    PutRequest => Put(PutResponse),
    DeleteRangeRequest => DeleteRange(DeleteRangeResponse),
    TxnRequest => Txn(TxnResponse),
    CompactRequest => Compact(CompactResponse),
    LeaseGrantRequest => LeaseGrant(LeaseGrantResponse),
    LeaseRevokeRequest => LeaseRevoke(LeaseRevokeResponse),
    LeaseCheckpointRequest => LeaseCheckpoint(Done),
    AlarmRequest => Alarm(Done),
    MemberRequest => Member(Done),
}

impl Job {
    /// What is wrong with the request by itself.
    ///
    /// # Errors
    /// etcd's.
    pub(super) fn check(&self, max_txn_ops: usize) -> Result<()> {
        match self {
            Self::Put(put, _) => put.check(),
            Self::DeleteRange(delete, _) if delete.key.is_empty() => Err(Error::EmptyKey),
            Self::Txn(txn, _) => txn.check(max_txn_ops),
            _ => Ok(()),
        }
    }
}

/// Most writes of one commit.
const GROUP_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    /// Takes a job; refuses it if `max` wait already.
    pub(super) fn push(&self, job: Job, max: usize) {
        let mut state = lock(&self.state);
        let refused = if state.closed {
            Error::Stopped
        } else if state.jobs.len() >= max {
            Error::TooManyRequests
        } else {
            state.jobs.push_back(job);
            debug_assert!(state.jobs.len() <= max, "no more wait than may");
            drop(state);
            return self.filled.notify_one();
        };
        drop(state);
        job.refuse(refused);
    }

    /// Takes a job of the store's own threads.
    pub(super) fn hand(&self, job: Job) {
        self.push(job, usize::MAX);
    }

    /// As [`hand`](Self::hand), and waits until the job is committed.
    ///
    /// # Errors
    /// What the job answers.
    pub(super) fn call<T: Send + 'static>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T> {
        let (tell, told) = sync_channel(1);
        self.hand(job(Box::new(move |result| drop(tell.send(result)))));
        told.recv().unwrap_or(Err(Error::Stopped))
    }

    /// The next group, in order. Waits for one; none once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Job>> {
        let mut state = lock(&self.state);
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = wait(&self.filled, state);
        }
        let count = state.jobs.len().min(GROUP_MAX);
        let group: Vec<Job> = state.jobs.drain(..count).collect();
        debug_assert!((1..=GROUP_MAX).contains(&group.len()), "a group has a write");
        Some(group)
    }

    /// Refuses more. What waits is still done.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_all();
    }
}
