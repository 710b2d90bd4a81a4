//! The server beside real etcds, and real clients against it.

#[macro_use]
extern crate kv_testkit;

mod beside;
mod etcdctl;
mod go_clients;
mod hostile;
mod tls;

use std::time::Duration;

use kv_etcd::mvcc::Tombstones;
use kv_etcd::server::{Options, Server};
use kv_testkit::bbolt::left_out;
use kv_testkit::etcd::Etcd;
use kv_testkit::found::found;
use tokio::runtime::Runtime;

/// A server on a port of its own.
fn start(options: &mut Options) -> (Server, String) {
    options.listen_client_urls = vec!["http://127.0.0.1:0".parse().unwrap()];
    let server = Server::start(options).unwrap();
    let url = server.client_urls()[0].to_string();
    (server, url)
}

/// Whether Debian's etcd may be asked.
fn etcd_found() -> bool {
    !left_out() && ["etcd", "etcdctl"].into_iter().all(|program| found(program, "etcd-server etcd-client"))
}

#[test]
fn programs_beside_a_real_etcd() {
    if !etcd_found() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path().join("ours"));
    options.tombstones = Tombstones::DropAtCompactRev;
    let (server, ours) = start(&mut options);
    let etcd = Etcd::start_for(Duration::from_secs(3600), &directory.path().join("etcd"));
    Runtime::new().unwrap().block_on(beside::compare(&ours, etcd.endpoint()));
    server.stop();
    etcd.stop();
}
