//! A thousand connections that begin a request and never end it: others are served, and when they leave nothing is left.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kv_etcd::api::proto::etcdserverpb::PutRequest;
use kv_etcd::api::proto::etcdserverpb::kv_client::KvClient;
use kv_testkit::found::skip;
use tokio::runtime::Runtime;

use crate::process::{Process, free_url};

const CONNECTIONS: usize = 1000;
/// What HTTP/2 begins with, and the first half of a frame of headers.
const BEGUN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x40\x01\x04\0\0\0\x01half of it";

/// Files and connections that a process may have open, as the shell says it.
fn descriptors_limit() -> usize {
    let said = Command::new("sh").args(["-c", "ulimit -n"]).output().unwrap().stdout;
    String::from_utf8_lossy(&said).trim().parse().unwrap_or(usize::MAX)
}

fn descriptors(process: &Process) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.id())).map_or(0, Iterator::count)
}

#[test]
fn a_thousand_half_open_connections_hold_up_nobody() {
    if descriptors_limit() < 2 * CONNECTIONS {
        return skip("a process may open too few files, see `ulimit -n`");
    }
    let directory = tempfile::tempdir().unwrap();
    let url = free_url();
    let server = Process::start(&directory.path().join("data"), &url);
    let before = descriptors(&server);
    let half_open: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|number| {
            let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
            // Some say nothing at all, some a part of it.
            stream.write_all(&BEGUN[..number % (BEGUN.len() + 1)]).unwrap();
            stream
        })
        .collect();
    Runtime::new().unwrap().block_on(async {
        let channel = tonic::transport::Channel::from_shared(url.clone()).unwrap().connect().await.unwrap();
        for n in 0..100 {
            let put = PutRequest { key: format!("k{n}").into(), ..PutRequest::default() };
            KvClient::new(channel.clone()).put(put).await.unwrap();
        }
    });
    drop(half_open);
    let began = Instant::now();
    while descriptors(&server) > before {
        assert!(began.elapsed() < Duration::from_secs(30), "{} descriptors, {before} before", descriptors(&server));
        sleep(Duration::from_millis(50));
    }
    server.kill();
}
