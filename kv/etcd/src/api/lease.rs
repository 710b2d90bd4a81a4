//! The service Lease.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::errors::of_store;
use super::node::Node;
use super::proto::etcdserverpb::lease_server::Lease;
use super::proto::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
    LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus, LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse,
};
use crate::mvcc;

/// The service Lease of a node.
#[derive(Debug)]
pub(crate) struct LeaseService(pub(crate) Arc<Node>);

/// What etcd takes a lease to need.
const LEASE_COST: u64 = 64;

/// Renewals that were answered and not yet sent.
const ANSWERS_MAX: usize = 16;

#[tonic::async_trait]
impl Lease for LeaseService {
    async fn lease_grant(&self, request: Request<LeaseGrantRequest>) -> Result<Response<LeaseGrantResponse>, Status> {
        let request = request.into_inner();
        self.0.admit(&request)?;
        self.0.admit_bytes(LEASE_COST).await?;
        let done = self.0.write(mvcc::LeaseGrantRequest { id: request.id, ttl: request.ttl }).await?;
        assert!(done.id != 0 && done.ttl > 0, "a lease has an id and a time to live");
        let header = self.0.header(done.revision);
        Ok(Response::new(LeaseGrantResponse { header, id: done.id, ttl: done.ttl, error: String::new() }))
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        let request = request.into_inner();
        self.0.admit(&request)?;
        let done = self.0.write(mvcc::LeaseRevokeRequest { id: request.id }).await?;
        Ok(Response::new(LeaseRevokeResponse { header: self.0.header(done.revision) }))
    }

    type LeaseKeepAliveStream = ReceiverStream<Result<LeaseKeepAliveResponse, Status>>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let node = Arc::clone(&self.0);
        tokio::spawn(async move {
            let serving = answer_renewals(&node, request.into_inner(), &sender);
            let ended = tokio::select! {
                ended = serving => ended,
                () = node.stopped() => Err(of_store(&mvcc::Error::Stopped)),
            };
            if let Err(status) = ended {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let LeaseTimeToLiveRequest { id, keys } = request.into_inner();
        let revision = self.0.store.revision();
        // etcd's way to say that there is none.
        let none = || mvcc::LeaseStatus { revision, ttl: -1, ..mvcc::LeaseStatus::default() };
        let status = self.0.store.lease_time_to_live(id, keys).unwrap_or_else(none);
        let mvcc::LeaseStatus { revision, ttl, granted_ttl, keys } = status;
        debug_assert!(ttl <= granted_ttl, "a lease does not gain time");
        Ok(Response::new(LeaseTimeToLiveResponse { header: self.0.header(revision), id, ttl, granted_ttl, keys }))
    }

    async fn lease_leases(&self, _: Request<LeaseLeasesRequest>) -> Result<Response<LeaseLeasesResponse>, Status> {
        let leases = self.0.store.leases().into_iter().map(|id| LeaseStatus { id }).collect();
        Ok(Response::new(LeaseLeasesResponse { header: self.0.header(self.0.store.revision()), leases }))
    }
}

/// One answer for each request, in their order, until the client has no more.
async fn answer_renewals(
    node: &Node,
    mut requests: Streaming<LeaseKeepAliveRequest>,
    sender: &mpsc::Sender<Result<LeaseKeepAliveResponse, Status>>,
) -> Result<(), Status> {
    while let Some(LeaseKeepAliveRequest { id }) = requests.message().await? {
        let header = node.header(node.store.revision());
        let ttl = node.store.lease_keep_alive(id).unwrap_or(0);
        debug_assert!(ttl >= 0, "0 says that there is no lease");
        if sender.send(Ok(LeaseKeepAliveResponse { header, id, ttl })).await.is_err() {
            break;
        }
    }
    Ok(())
}
