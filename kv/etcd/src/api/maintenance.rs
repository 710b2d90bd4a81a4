//! The service Maintenance.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::VERSION;
use super::errors::{BAD_LEADER_TRANSFEREE, NO_INFLIGHT_DOWNGRADE, not_here, of_store, refuse};
use super::file_hash::file_hash;
use super::node::Node;
use super::proto::etcdserverpb::alarm_request::AlarmAction;
use super::proto::etcdserverpb::downgrade_request::DowngradeAction;
use super::proto::etcdserverpb::maintenance_server::Maintenance;
use super::proto::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, DefragmentRequest, DefragmentResponse, DowngradeInfo,
    DowngradeRequest, DowngradeResponse, HashKvRequest, HashKvResponse, HashRequest, HashResponse, MoveLeaderRequest,
    MoveLeaderResponse, SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse,
};
use super::snapshot_stream::send_file;
use crate::mvcc::Alarm;

/// The service Maintenance of a node.
#[derive(Debug)]
pub(crate) struct MaintenanceService(pub(crate) Arc<Node>);

/// Parts that were read and not yet sent.
const PARTS_MAX: usize = 8;

#[tonic::async_trait]
impl Maintenance for MaintenanceService {
    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        let request = request.into_inner();
        let (member, kind) = (request.member_id, request.alarm);
        let alarms = match request.action() {
            AlarmAction::Get => {
                let asked = |alarm: &Alarm| {
                    (member == 0 || alarm.member == member) && (kind == AlarmType::None as i32 || alarm.kind == kind)
                };
                self.0.alarms().into_iter().filter(asked).collect()
            }
            AlarmAction::Activate => {
                self.0.set_alarm(Alarm { member, kind }, true).await?;
                vec![Alarm { member, kind }]
            }
            AlarmAction::Deactivate => {
                let cleared = self.0.set_alarm(Alarm { member, kind }, false).await?;
                if cleared { vec![Alarm { member, kind }] } else { Vec::new() }
            }
        };
        let alarms = alarms.into_iter().map(|alarm| AlarmMember { member_id: alarm.member, alarm: alarm.kind });
        let header = self.0.header(self.0.store.revision());
        Ok(Response::new(AlarmResponse { header, alarms: alarms.collect() }))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let status = self.0.store.status();
        let index = self.0.log_index();
        debug_assert!(status.db_size_in_use <= status.db_size, "a file has what is in use");
        Ok(Response::new(StatusResponse {
            header: self.0.header(status.revision),
            version: VERSION.to_owned(),
            db_size: status.db_size,
            leader: self.0.identity.member,
            raft_index: index,
            raft_term: self.0.term,
            raft_applied_index: index,
            errors: self.0.alarms().iter().map(alarm_text).collect(),
            db_size_in_use: status.db_size_in_use,
            is_learner: false,
            storage_version: STORAGE_VERSION.to_owned(),
            db_size_quota: self.0.limits.quota.map_or(0, |quota| quota.try_into().unwrap_or(i64::MAX)),
            downgrade_info: Some(DowngradeInfo::default()),
        }))
    }

    /// The file becomes shorter beside the traffic; etcd itself answers nobody meanwhile.
    async fn defragment(&self, _: Request<DefragmentRequest>) -> Result<Response<DefragmentResponse>, Status> {
        self.0.read(|store| Ok(store.db().shrink(|_| ControlFlow::Continue(()))?)).await?;
        Ok(Response::new(DefragmentResponse { header: None }))
    }

    async fn hash(&self, _: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        let (revision, hash) = self.0.read(|store| Ok((store.revision(), file_hash(store)?))).await?;
        Ok(Response::new(HashResponse { header: self.0.header(revision), hash }))
    }

    async fn hash_kv(&self, request: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        let revision = request.into_inner().revision;
        let done = self.0.read(move |store| store.hash_kv(revision)).await?;
        debug_assert!(done.hash_revision <= done.revision, "what is hashed has been");
        Ok(Response::new(HashKvResponse {
            header: self.0.header(done.revision),
            hash: done.hash,
            compact_revision: done.compact_revision,
            hash_revision: done.hash_revision,
        }))
    }

    type SnapshotStream = ReceiverStream<Result<SnapshotResponse, Status>>;

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let (sender, parts) = mpsc::channel(PARTS_MAX);
        let store = Arc::clone(&self.0.store);
        drop(spawn_blocking(move || {
            if let Err(error) = send_file(&store, &sender) {
                // The client may be the one that is gone.
                let _ = sender.blocking_send(Err(of_store(&error)));
            }
        }));
        Ok(Response::new(ReceiverStream::new(parts)))
    }

    async fn move_leader(&self, request: Request<MoveLeaderRequest>) -> Result<Response<MoveLeaderResponse>, Status> {
        // To itself: then there is nothing to do, as in etcd.
        if request.into_inner().target_id == self.0.identity.member {
            return Ok(Response::new(MoveLeaderResponse { header: None }));
        }
        Err(refuse(BAD_LEADER_TRANSFEREE))
    }

    async fn downgrade(&self, request: Request<DowngradeRequest>) -> Result<Response<DowngradeResponse>, Status> {
        Err(match request.into_inner().action() {
            DowngradeAction::Cancel => refuse(NO_INFLIGHT_DOWNGRADE),
            DowngradeAction::Validate | DowngradeAction::Enable => not_here("an older version's layout"),
        })
    }
}

/// The layout that the file has: 3.5's, which each later etcd reads.
const STORAGE_VERSION: &str = "3.5.0";

/// As etcd's status has it, with the space at the end.
fn alarm_text(alarm: &Alarm) -> String {
    let name = AlarmType::try_from(alarm.kind).map_or("UNKNOWN", |kind| kind.as_str_name());
    format!("memberID:{} alarm:{name} ", alarm.member)
}
