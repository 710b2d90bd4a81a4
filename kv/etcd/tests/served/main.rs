//! The server beside real etcds, and real clients against it.

#[macro_use]
extern crate kv_testkit;

mod any_message;
mod beside;
mod ctl;
mod etcdctl;
mod etcdctl_releases;
#[cfg(target_os = "linux")]
mod full_disk;
mod go_clients;
#[cfg(target_os = "linux")]
mod half_open;
mod history;
mod hostile;
mod kubernetes;
mod libraries;
mod process;
mod tls;

use std::time::Duration;

use kv_etcd::mvcc::Tombstones;
use kv_etcd::server::{Options, Server};
use kv_testkit::etcd::Etcd;
use kv_testkit::etcd_release::Release;
use tokio::runtime::Runtime;

/// A server on a port of its own.
fn start(options: &mut Options) -> (Server, String) {
    options.listen_client_urls = vec!["http://127.0.0.1:0".parse().unwrap()];
    let server = Server::start(options).unwrap();
    let url = server.client_urls()[0].to_string();
    (server, url)
}

/// Runs random programs against our server and a real etcd beside it. The rule for deletes at the compacted revision is
/// the release's.
fn beside(release: Release, tombstones: Tombstones) {
    let Some(programs) = release.programs() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path().join("ours"));
    options.tombstones = tombstones;
    let (server, ours) = start(&mut options);
    let etcd = Etcd::start_for(Duration::from_secs(3600), programs, &directory.path().join("etcd"));
    Runtime::new().unwrap().block_on(beside::compare(release, &ours, etcd.endpoint()));
    server.stop();
    etcd.stop();
}

#[test]
fn programs_beside_etcd_3_4() {
    beside(Release::V3_4, Tombstones::DropAtCompactRev);
}

#[test]
fn programs_beside_etcd_3_5() {
    beside(Release::V3_5, Tombstones::DropAtCompactRev);
}

#[test]
fn programs_beside_etcd_3_7() {
    beside(Release::V3_7, Tombstones::KeepAtCompactRev);
}
