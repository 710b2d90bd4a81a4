//! What all services share: the store, the names of the only member, limits and alarms.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use prost::Message;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tonic::Status;

use super::disk::Disk;
use super::errors::{CORRUPT, REQUEST_TOO_LARGE, of_store, refuse};
use super::proto::etcdserverpb::{AlarmType, ResponseHeader};
use crate::mvcc::{self, Alarm, AlarmRequest, Store, Write};

/// The only member's names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// The cluster's id.
    pub(crate) cluster: u64,
    /// The member's id.
    pub(crate) member: u64,
    /// The member's name.
    pub(crate) name: String,
    /// Where other members would find it.
    pub(crate) peer_urls: Vec<String>,
    /// Where clients find it.
    pub(crate) client_urls: Vec<String>,
}

/// What a request may be and take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Bytes of a request that changes something.
    pub(crate) request_bytes: usize,
    /// Bytes that the file may have, or any number. At that size only deletes are taken.
    pub(crate) quota: Option<u64>,
}

impl Limits {
    /// Bytes of a message: more are not read off the connection.
    #[must_use]
    pub(crate) const fn message_bytes(&self) -> usize {
        let message = self.request_bytes.saturating_add(512 << 10);
        assert!(message >= self.request_bytes, "a request comes in a message");
        message
    }
}

/// A node's only member, as its services see it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) store: Arc<Store>,
    pub(crate) identity: Identity,
    pub(crate) limits: Limits,
    /// Never 0: clients take that for a node without a leader.
    pub(crate) term: u64,
    disk: Disk,
    /// A copy of the store's, for every write asks.
    alarms: RwLock<BTreeSet<Alarm>>,
    /// True once the node stops: streams end then.
    stopping: watch::Receiver<bool>,
}

/// The term of a node that never voted: etcd's first one.
const FIRST_TERM: u64 = 2;

/// What etcd wraps around a request before it measures it.
const ENVELOPE_BYTES: usize = 18;

impl Node {
    pub(crate) fn new(
        store: Arc<Store>,
        identity: Identity,
        limits: Limits,
        stopping: watch::Receiver<bool>,
    ) -> mvcc::Result<Self> {
        // 0 means all members in the requests of alarms.
        assert_ne!(identity.member, 0, "a member has an id");
        let term = store.status().term.max(FIRST_TERM);
        assert_ne!(term, 0, "a node has a leader, itself");
        let alarms = RwLock::new(store.alarms()?.into_iter().collect());
        let disk = Disk::of(&store);
        Ok(Self { store, identity, limits, term, disk, alarms, stopping })
    }

    #[expect(clippy::unnecessary_wraps, reason = "messages have it so")]
    pub(crate) fn header(&self, revision: i64) -> Option<ResponseHeader> {
        debug_assert!(revision >= 0, "an answer has a revision of the store");
        Some(ResponseHeader {
            cluster_id: self.identity.cluster,
            member_id: self.identity.member,
            revision,
            raft_term: self.term,
        })
    }

    /// Changes the store. The answer comes when the change is durable.
    pub(crate) async fn write<W: Write>(&self, request: W) -> Result<W::Response, Status> {
        let (sender, answer) = oneshot::channel();
        self.store.submit(request, move |done| drop(sender.send(done)));
        match answer.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(mvcc::Error::NoSpace)) => {
                self.raise(AlarmType::Nospace).await;
                Err(of_store(&mvcc::Error::NoSpace))
            }
            Ok(Err(error)) => Err(of_store(&error)),
            Err(_) => Err(of_store(&mvcc::Error::Stopped)),
        }
    }

    /// Asks the store something that may read many pages, away from the threads that serve connections.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> mvcc::Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let store = Arc::clone(&self.store);
        match spawn_blocking(move || question(&store)).await {
            Ok(answer) => answer.map_err(|error| of_store(&error)),
            Err(_) => Err(of_store(&mvcc::Error::Stopped)),
        }
    }

    /// Refuses a change that is too large, or that nothing may change any more.
    pub(crate) fn admit(&self, request: &impl Message) -> Result<(), Status> {
        if request.encoded_len() + ENVELOPE_BYTES > self.limits.request_bytes {
            return Err(refuse(REQUEST_TOO_LARGE));
        }
        if self.has_alarm(AlarmType::Corrupt) { Err(refuse(CORRUPT)) } else { Ok(()) }
    }

    /// Refuses a change that would need `cost` bytes where none are left, and raises the alarm.
    pub(crate) async fn admit_bytes(&self, cost: u64) -> Result<(), Status> {
        if cost == 0 {
            return Ok(());
        }
        let alarmed = self.has_alarm(AlarmType::Nospace);
        let over = self.limits.quota.is_some_and(|quota| self.store.db().file_len() + cost >= quota);
        let full = over || self.disk.is_low(&self.store);
        if full && !alarmed {
            self.raise(AlarmType::Nospace).await;
        }
        if full || alarmed { Err(of_store(&mvcc::Error::NoSpace)) } else { Ok(()) }
    }

    /// What stands for the index of etcd's log: it grows with each write, and does not fall behind the file's.
    pub(crate) fn log_index(&self) -> u64 {
        let status = self.store.status();
        debug_assert!(status.revision > 0, "a store begins at its first revision");
        status.consistent_index + status.writes + status.revision.unsigned_abs()
    }

    pub(crate) fn alarms(&self) -> Vec<Alarm> {
        self.alarms.read().unwrap_or_else(std::sync::PoisonError::into_inner).iter().copied().collect()
    }

    pub(crate) fn has_alarm(&self, kind: AlarmType) -> bool {
        let alarms = self.alarms.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        alarms.iter().any(|alarm| alarm.kind == kind as i32)
    }

    /// Sets or clears an alarm; returns whether that changed anything.
    pub(crate) async fn set_alarm(&self, alarm: Alarm, active: bool) -> Result<bool, Status> {
        // In memory first: where the disk is full, the alarm cannot be written, and counts all the same.
        let changed = {
            let mut alarms = self.alarms.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            let changed = if active { alarms.insert(alarm) } else { alarms.remove(&alarm) };
            debug_assert_eq!(alarms.contains(&alarm), active, "an alarm is on or off");
            changed
        };
        if changed {
            let (sender, answer) = oneshot::channel();
            self.store.submit(AlarmRequest { alarm, active }, move |done| drop(sender.send(done)));
            match answer.await {
                Ok(Ok(_) | Err(mvcc::Error::NoSpace)) => {}
                Ok(Err(error)) => return Err(of_store(&error)),
                Err(_) => return Err(of_store(&mvcc::Error::Stopped)),
            }
        }
        Ok(changed)
    }

    async fn raise(&self, kind: AlarmType) {
        // The caller refuses a request because of it; what it is told does not depend on whether it could be written.
        let _ = self.set_alarm(Alarm { member: self.identity.member, kind: kind as i32 }, true).await;
    }

    /// Waits until the node stops.
    pub(crate) async fn stopped(&self) {
        // An error means that the server is gone.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}
