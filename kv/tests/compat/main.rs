//! The file format shown by its other engines: Go's bbolt and etcd work with the
//! files that kv wrote, and kv with theirs.
//!
//! The peers are built and run by these tests (`apt-get install golang-go
//! golang-github-coreos-bbolt-dev etcd-server etcd-client`); without them the
//! tests fail and say so. `KV_PEERS=skip` leaves them out, and says so too.
//! `KV_CROSS_PROGRAMS=10000` runs more random programs than the usual 200.

mod backup;
mod cross;
mod density;
mod dump;
mod engine;
mod etcd;
mod fixtures;
mod freelist;
mod generate;
mod lock;
mod long_freelist;
mod meta;
mod model;
mod model_text;
mod parse;
mod peer;
mod power_cut;
mod program;
mod rng;
mod self_test;
mod sha256;
mod shrink;
mod text;
