//! The service Cluster: one member, and no others.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::errors::{BAD_MEMBER_URLS, MEMBER_NOT_FOUND, not_here, refuse};
use super::node::Node;
use super::proto::etcdserverpb::cluster_server::Cluster;
use super::proto::etcdserverpb::{
    Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
    MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest, MemberUpdateResponse,
};

/// The service Cluster of a node.
#[derive(Debug)]
pub(crate) struct ClusterService(pub(crate) Arc<Node>);

impl ClusterService {
    /// The refusal to change a member.
    fn refuse_change(&self, member: u64, what: &str) -> Status {
        if member == self.0.identity.member { not_here(what) } else { refuse(MEMBER_NOT_FOUND) }
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn member_list(&self, _: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        let identity = &self.0.identity;
        let member = Member {
            id: identity.member,
            name: identity.name.clone(),
            peer_ur_ls: identity.peer_urls.clone(),
            client_ur_ls: identity.client_urls.clone(),
            is_learner: false,
        };
        // etcd's header has no revision here.
        Ok(Response::new(MemberListResponse { header: self.0.header(0), members: vec![member] }))
    }

    async fn member_add(&self, request: Request<MemberAddRequest>) -> Result<Response<MemberAddResponse>, Status> {
        let known = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        let urls = request.into_inner().peer_ur_ls;
        if urls.is_empty() || !urls.iter().all(known) {
            return Err(refuse(BAD_MEMBER_URLS));
        }
        Err(not_here("a second member"))
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        Err(self.refuse_change(request.into_inner().id, "removing the only member"))
    }

    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        Err(self.refuse_change(request.into_inner().id, "another peer URL"))
    }

    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        Err(self.refuse_change(request.into_inner().id, "promoting a member"))
    }
}
