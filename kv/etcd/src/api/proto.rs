//! The messages and services of etcd's API as Rust types, made from the crate's own `proto/*.proto` when it is built.
//! Their names and the numbers of their fields are etcd's.
#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, reason = "generated")]

/// Keys with their values, and what happens to them.
pub mod mvccpb {
    tonic::include_proto!("mvccpb");
}

/// What the messages of the service Auth carry.
pub mod authpb {
    tonic::include_proto!("authpb");
}

/// The services, each with its messages.
pub mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

/// gRPC's own service Health.
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
