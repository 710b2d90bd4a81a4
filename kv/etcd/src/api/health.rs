//! gRPC's own service Health: this node serves until it stops.

use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::node::Node;
use super::proto::health::health_check_response::ServingStatus;
use super::proto::health::health_server::Health;
use super::proto::health::{HealthCheckRequest, HealthCheckResponse};

/// The service Health of a node.
#[derive(Debug)]
pub(crate) struct HealthService(pub(crate) Arc<Node>);

/// The services that may be asked about; no name is the whole server.
fn serving(request: &HealthCheckRequest) -> Result<HealthCheckResponse, Status> {
    let known = request.service.is_empty() || request.service.starts_with("etcdserverpb.");
    if known { Ok(said(ServingStatus::Serving)) } else { Err(Status::not_found("unknown service")) }
}

fn said(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        serving(request.get_ref()).map(Response::new)
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let now = serving(request.get_ref()).unwrap_or_else(|_| said(ServingStatus::ServiceUnknown));
        let (sender, answers) = tokio::sync::mpsc::channel(2);
        let node = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _ = sender.send(Ok(now)).await;
            tokio::select! {
                () = sender.closed() => {}
                () = node.stopped() => drop(sender.send(Ok(said(ServingStatus::NotServing))).await),
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}
