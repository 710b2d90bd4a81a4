//! Clients that break off, do not read, or send what no server should take: one clear refusal each, and nothing is left.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kv_etcd::api::proto::etcdserverpb::kv_client::KvClient;
use kv_etcd::api::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use kv_etcd::api::proto::etcdserverpb::watch_client::WatchClient;
use kv_etcd::api::proto::etcdserverpb::watch_request::RequestUnion;
use kv_etcd::api::proto::etcdserverpb::{
    AlarmRequest, CompactionRequest, DeleteRangeRequest, PutRequest, RangeRequest, StatusRequest, WatchCreateRequest,
    WatchRequest,
};
use kv_etcd::server::Options;
use tokio::runtime::Runtime;
use tonic::Code;
use tonic::transport::Channel;

use crate::start;

async fn connect(url: &str) -> Channel {
    Channel::from_shared(url.to_owned()).unwrap().connect().await.unwrap()
}

fn put(key: &'static str, len: usize) -> PutRequest {
    PutRequest { key: Bytes::from_static(key.as_bytes()), value: vec![b'v'; len].into(), ..PutRequest::default() }
}

/// A page over HTTP/1.1.
fn page(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn figure(url: &str, name: &str) -> u64 {
    let text = page(url, "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[test]
fn pages_are_served_beside_the_services() {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path()));
    assert!(page(&url, "/health").ends_with("{\"health\":\"true\",\"reason\":\"\"}"));
    assert!(page(&url, "/version").contains("\"etcdserver\":\"3."));
    assert!(page(&url, "/readyz").ends_with("ok\n"));
    assert_eq!(figure(&url, "etcd_debugging_mvcc_current_revision"), 1);
    assert!(page(&url, "/nothing").starts_with("HTTP/1.1 "));
    server.stop();
}

#[test]
fn requests_that_are_too_large_are_refused_in_etcds_words() {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path()));
    Runtime::new().unwrap().block_on(async {
        let mut kv = KvClient::new(connect(&url).await);
        kv.put(put("big", 1_572_764)).await.unwrap();
        let refused = kv.put(put("big", 1_572_864)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "etcdserver: request is too large"));
        let refused = kv.put(put("big", 2_097_250)).await.unwrap_err();
        let words = "grpc: received message larger than max (2097260 vs. 2097152)";
        assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, words));
        assert_eq!(
            kv.range(RangeRequest { key: "big".into(), ..Default::default() }).await.unwrap().into_inner().count,
            1
        );
    });
    server.stop();
}

#[test]
fn without_space_writes_are_refused_until_the_alarm_is_cleared() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.quota_backend_bytes = Some(1 << 20);
    let (server, url) = start(&mut options);
    Runtime::new().unwrap().block_on(async {
        let channel = connect(&url).await;
        let (mut kv, mut maintenance) = (KvClient::new(channel.clone()), MaintenanceClient::new(channel));
        let refused = loop {
            match kv.put(put("filling", 100_000)).await {
                Ok(_) => {}
                Err(status) => break status,
            }
        };
        let words = "etcdserver: mvcc: database space exceeded";
        assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, words));
        assert_eq!(kv.put(put("small", 1)).await.unwrap_err().message(), words, "as long as the alarm is on");
        kv.range(RangeRequest { key: "filling".into(), ..Default::default() }).await.unwrap();
        kv.delete_range(DeleteRangeRequest { key: "filling".into(), ..Default::default() }).await.unwrap();
        let status = maintenance.status(StatusRequest {}).await.unwrap().into_inner();
        assert!(status.errors[0].ends_with(" alarm:NOSPACE "), "{:?}", status.errors);
        assert!(page(&url, "/health").contains("ALARM NOSPACE"));
        let revision = status.header.unwrap().revision;
        kv.compact(CompactionRequest { revision, physical: true }).await.unwrap();
        let alarms = maintenance.alarm(AlarmRequest::default()).await.unwrap().into_inner().alarms;
        let [alarm] = alarms[..] else { panic!("{alarms:?}") };
        let off = AlarmRequest { action: 2, member_id: alarm.member_id, alarm: alarm.alarm };
        maintenance.alarm(off).await.unwrap();
        assert!(page(&url, "/health").contains("true"));
    });
    server.stop();
}

/// It holds up nobody, and when it reads again it gets everything.
#[test]
fn a_client_that_does_not_read_its_watch_holds_up_nobody() {
    const PUTS: i64 = 2_000;
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path()));
    Runtime::new().unwrap().block_on(async {
        let create = WatchCreateRequest { key: "k".into(), ..WatchCreateRequest::default() };
        let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        let (mut lazy, mut eager) = (WatchClient::new(connect(&url).await), WatchClient::new(connect(&url).await));
        let mut lazy = lazy.watch(tokio_stream::once(request.clone())).await.unwrap().into_inner();
        let mut eager = eager.watch(tokio_stream::once(request)).await.unwrap().into_inner();
        assert!(lazy.message().await.unwrap().unwrap().created && eager.message().await.unwrap().unwrap().created);
        let mut kv = KvClient::new(connect(&url).await);
        for _ in 0..PUTS {
            kv.put(put("k", 4_000)).await.unwrap();
        }
        for stream in [&mut eager, &mut lazy] {
            let mut revision = 1;
            while revision < PUTS + 1 {
                let events = stream.message().await.unwrap().unwrap().events;
                for event in events {
                    revision += 1;
                    assert_eq!(event.kv.unwrap().mod_revision, revision, "none is lost, none comes twice");
                }
            }
        }
        assert_eq!(figure(&url, "etcd_debugging_mvcc_watcher_total"), 2);
        drop((lazy, eager));
        let began = Instant::now();
        while figure(&url, "etcd_debugging_mvcc_watcher_total") > 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "watches of clients that left are dropped");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    server.stop();
}

#[test]
fn connections_that_say_nothing_or_nonsense_are_sent_away() {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = start(&mut Options::new(directory.path()));
    let address = url.strip_prefix("http://").unwrap();
    let silent: Vec<_> = (0..400).map(|_| TcpStream::connect(address).unwrap()).collect();
    for junk in [&b"\x16\x03\x01\x02"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\njunk junk junk", b"GET", &[0; 5000]] {
        let _ = TcpStream::connect(address).unwrap().write_all(junk);
    }
    Runtime::new().unwrap().block_on(async {
        KvClient::new(connect(&url).await).put(put("k", 1)).await.unwrap();
    });
    for mut stream in silent {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server closes it");
    }
    server.stop();
}
