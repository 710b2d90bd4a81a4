//! etcd's gRPC services, served from a [`Store`](crate::mvcc::Store).
//!
//! A service turns messages into the store's requests and its answers into messages. What the store refuses, and what the
//! services refuse themselves, has etcd's code and text: clients know errors by them.

mod auth;
mod cluster;
mod convert;
mod counts;
mod disk;
mod errors;
mod file_hash;
mod health;
mod kv;
mod lease;
mod maintenance;
mod node;
pub mod proto;
mod snapshot_stream;
mod watch;
mod words;

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use tonic::service::Routes;

pub(crate) use self::counts::Counts;
pub(crate) use self::node::{Identity, Limits, Node};
use self::proto::etcdserverpb::auth_server::AuthServer;
use self::proto::etcdserverpb::cluster_server::ClusterServer;
use self::proto::etcdserverpb::kv_server::KvServer;
use self::proto::etcdserverpb::lease_server::LeaseServer;
use self::proto::etcdserverpb::maintenance_server::MaintenanceServer;
use self::proto::etcdserverpb::watch_server::WatchServer;
use self::proto::health::health_server::HealthServer;

/// The version of etcd's API that is served. Clients look here for what they may ask.
pub const VERSION: &str = "3.7.0";

/// All services, by their names on the wire.
const SERVICES: [&str; 7] = [
    "etcdserverpb.KV",
    "etcdserverpb.Watch",
    "etcdserverpb.Lease",
    "etcdserverpb.Cluster",
    "etcdserverpb.Maintenance",
    "etcdserverpb.Auth",
    "grpc.health.v1.Health",
];

/// All services of a node, each at its path.
pub(crate) fn routes(node: &Arc<Node>, counts: &Arc<Counts>) -> axum::Router {
    const { assert!(SERVICES.len() == 7, "each service here has its name there") };
    let max = node.limits.message_bytes();
    let node = || Arc::clone(node);
    Routes::default()
        .add_service(KvServer::new(kv::KvService(node())).max_decoding_message_size(max))
        .add_service(WatchServer::new(watch::WatchService(node())).max_decoding_message_size(max))
        .add_service(LeaseServer::new(lease::LeaseService(node())).max_decoding_message_size(max))
        .add_service(ClusterServer::new(cluster::ClusterService(node())).max_decoding_message_size(max))
        .add_service(MaintenanceServer::new(maintenance::MaintenanceService(node())).max_decoding_message_size(max))
        .add_service(AuthServer::new(auth::AuthService(node())).max_decoding_message_size(max))
        .add_service(HealthServer::new(health::HealthService(node())).max_decoding_message_size(max))
        .into_axum_router()
        .layer(from_fn_with_state(Arc::clone(counts), words::reword))
}
