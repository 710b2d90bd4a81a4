//! The bodies of the fuzz targets, which `kv/tests/faults` runs on what they have kept and on more.
#![forbid(unsafe_code)]

#[path = "../../tests/faults/bodies/mod.rs"]
pub mod bodies;

#[path = "../../etcd/tests/mvcc/any_rows.rs"]
pub mod any_rows;

#[path = "../../etcd/tests/served/any_message.rs"]
pub mod any_message;
