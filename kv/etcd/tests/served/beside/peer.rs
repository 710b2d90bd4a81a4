//! One of the servers that are compared: what it answers, and what its watches have seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kv_etcd::api::proto::etcdserverpb::kv_client::KvClient;
use kv_etcd::api::proto::etcdserverpb::lease_client::LeaseClient;
use kv_etcd::api::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use kv_etcd::api::proto::etcdserverpb::watch_client::WatchClient;
use kv_etcd::api::proto::etcdserverpb::watch_request::RequestUnion;
use kv_etcd::api::proto::etcdserverpb::{
    CompactionRequest, HashKvRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest, PutRequest, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest,
    WatchResponse,
};
use kv_etcd::api::proto::mvccpb::Event;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::answer::{Answer, leveled};
use super::step::Step;

/// What an answer takes at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key whose event says that all before it were sent.
pub(crate) const LAST: &[u8] = b"~last";
/// The watch of that key, on every stream.
pub(crate) const LAST_ID: i64 = 1_000_000;

/// Whose answers are of the whole stream.
const NO_WATCH: i64 = -1;
/// How long a word of progress may take before it is asked for again.
const ASKED_AGAIN: Duration = Duration::from_millis(500);

/// What one watch has seen since it was last asked.
#[derive(Default, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Answers without events: created, cancelled, progress.
    control: Vec<WatchResponse>,
    events: Vec<Event>,
}

impl Seen {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.control.iter().any(|answer| answer.canceled)
    }

    /// Whether the server has ended it, and the client has not answered.
    pub(crate) fn is_compacted(&self) -> bool {
        self.control.last().is_some_and(|answer| answer.compact_revision != 0)
    }
}

/// A client of one server.
pub(crate) struct Peer {
    kv: KvClient<Channel>,
    lease: LeaseClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
    watches: mpsc::UnboundedSender<WatchRequest>,
    seen: Arc<Mutex<BTreeMap<i64, Seen>>>,
}

impl Peer {
    pub(crate) async fn connect(endpoint: &str) -> Self {
        let channel = Channel::from_shared(endpoint.to_owned()).expect("an address").connect().await.expect("a server");
        let (watches, requests) = mpsc::unbounded_channel();
        let peer = Self {
            kv: KvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            lease: LeaseClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel.clone()),
            watches,
            seen: Arc::default(),
        };
        peer.watch(RequestUnion::CreateRequest(WatchCreateRequest {
            key: LAST.into(),
            watch_id: LAST_ID,
            ..WatchCreateRequest::default()
        }));
        let stream = WatchClient::new(channel).watch(UnboundedReceiverStream::new(requests)).await.expect("a stream");
        let seen = Arc::clone(&peer.seen);
        tokio::spawn(async move {
            let mut stream = stream.into_inner();
            while let Ok(Some(response)) = stream.message().await {
                note(&mut seen.lock().expect("no panic while it is held"), response);
            }
        });
        peer.wait_for(LAST_ID, |seen| !seen.control.is_empty()).await;
        peer.take();
        peer
    }

    /// Cancels a watch that the server has ended: etcd 3.7 tells no progress of a stream that had such a watch, until then.
    pub(crate) async fn forget(&self, watch_id: i64) {
        self.watch(RequestUnion::CancelRequest(WatchCancelRequest { watch_id }));
        self.wait_for(watch_id, Seen::is_cancelled).await;
        self.seen.lock().expect("no panic while it is held").remove(&watch_id);
    }

    fn watch(&self, request: RequestUnion) {
        self.watches.send(WatchRequest { request_union: Some(request) }).expect("the stream is open");
    }

    async fn wait_for(&self, id: i64, ready: impl Fn(&Seen) -> bool) {
        let waited = self.comes_within(PATIENCE, id, ready).await;
        assert!(waited, "watch {id} saw nothing more: {:?}", self.seen);
    }

    async fn comes_within(&self, time: Duration, id: i64, ready: impl Fn(&Seen) -> bool) -> bool {
        let came = || self.seen.lock().expect("no panic while it is held").get(&id).is_some_and(&ready);
        let waiting = async {
            while !came() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(time, waiting).await.is_ok()
    }

    /// Asks how far the watches are until there is an answer: while one of them is behind, etcd 3.7 gives none, and a
    /// slow machine may have one that is.
    async fn progress(&self) {
        let began = Instant::now();
        loop {
            self.watch(RequestUnion::ProgressRequest(WatchProgressRequest {}));
            if self.comes_within(ASKED_AGAIN, NO_WATCH, |seen| !seen.control.is_empty()).await {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no word of progress: {:?}", self.seen);
        }
    }

    /// What the watches saw, until everything written so far has been sent to them.
    pub(crate) async fn settle(&mut self) -> BTreeMap<i64, Seen> {
        let put = self.kv.put(PutRequest { key: LAST.into(), ..PutRequest::default() }).await.expect("a put");
        let revision = put.into_inner().header.expect("a header").revision;
        let is_last = |event: &Event| event.kv.as_ref().is_some_and(|kv| kv.mod_revision == revision);
        self.wait_for(LAST_ID, |seen| seen.events.iter().any(is_last)).await;
        let mut seen = self.take();
        // Programs delete that key, too, and what it saw of that may come a moment later.
        seen.remove(&LAST_ID);
        if let Some(stream) = seen.get_mut(&NO_WATCH) {
            // It may have been asked for more than once.
            stream.control.dedup();
        }
        seen
    }

    fn take(&self) -> BTreeMap<i64, Seen> {
        std::mem::take(&mut self.seen.lock().expect("no panic while it is held"))
    }

    /// Does a step, and returns the answer without what differs between any two servers.
    pub(crate) async fn answer(&mut self, step: &Step) -> Result<Answer, (Code, String)> {
        let answer = timeout(PATIENCE, self.ask(step)).await.unwrap_or_else(|_| panic!("no answer to {step:?}"));
        answer.map(leveled).map_err(|status| (status.code(), status.message().to_owned()))
    }

    async fn ask(&mut self, step: &Step) -> Result<Answer, Status> {
        Ok(match step.clone() {
            Step::Range(request) => Answer::Range(self.kv.range(request).await?.into_inner()),
            Step::Put(request) => Answer::Put(self.kv.put(request).await?.into_inner()),
            Step::Delete(request) => Answer::Delete(self.kv.delete_range(request).await?.into_inner()),
            Step::Txn(request) => Answer::Txn(self.kv.txn(request).await?.into_inner()),
            Step::Compact(revision) => {
                let request = CompactionRequest { revision, physical: true };
                Answer::Compact(self.kv.compact(request).await?.into_inner())
            }
            Step::HashKv(revision) => {
                Answer::HashKv(self.maintenance.hash_kv(HashKvRequest { revision }).await?.into_inner())
            }
            Step::Grant { id, ttl } => {
                Answer::Grant(self.lease.lease_grant(LeaseGrantRequest { id, ttl }).await?.into_inner())
            }
            Step::Revoke(id) => Answer::Revoke(self.lease.lease_revoke(LeaseRevokeRequest { id }).await?.into_inner()),
            Step::TimeToLive(id) => {
                let request = LeaseTimeToLiveRequest { id, keys: true };
                Answer::TimeToLive(self.lease.lease_time_to_live(request).await?.into_inner())
            }
            Step::Leases => Answer::Leases(self.lease.lease_leases(LeaseLeasesRequest {}).await?.into_inner()),
            Step::KeepAlive(id) => {
                let requests = tokio_stream::once(LeaseKeepAliveRequest { id });
                let mut answers = self.lease.lease_keep_alive(requests).await?.into_inner();
                Answer::KeepAlive(answers.message().await?, answers.message().await?)
            }
            Step::Watch(request) => {
                let id = request.watch_id;
                self.watch(RequestUnion::CreateRequest(request));
                self.wait_for(id, |seen| seen.control.iter().any(|answer| answer.created)).await;
                Answer::Done
            }
            Step::Cancel(watch_id) => {
                self.watch(RequestUnion::CancelRequest(WatchCancelRequest { watch_id }));
                self.wait_for(watch_id, Seen::is_cancelled).await;
                Answer::Done
            }
            Step::Progress => {
                self.progress().await;
                Answer::Done
            }
        })
    }
}

/// Events lose how they were batched, which depends on time; answers without events are kept whole.
fn note(seen: &mut BTreeMap<i64, Seen>, mut response: WatchResponse) {
    if !response.events.is_empty() && response.watch_id != LAST_ID {
        // Another watch may see it before or after that one.
        response.events.retain(|event| event.kv.as_ref().is_some_and(|kv| kv.key != LAST));
        if response.events.is_empty() {
            return;
        }
    }
    let watch = seen.entry(response.watch_id).or_default();
    if response.events.is_empty() {
        if let Some(header) = &mut response.header {
            (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
        }
        watch.control.push(response);
    } else {
        assert!(!response.canceled && !response.created, "events come by themselves: {response:?}");
        watch.events.append(&mut response.events);
    }
}
