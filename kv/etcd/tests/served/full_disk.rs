//! A disk that fills up: etcd's alarm and words, reads and deletes go on, and after a compaction and a defragmentation
//! writes do, too.

use std::process::Command;

use kv_etcd::api::proto::etcdserverpb::kv_client::KvClient;
use kv_etcd::api::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use kv_etcd::api::proto::etcdserverpb::{
    AlarmRequest, CompactionRequest, DefragmentRequest, DeleteRangeRequest, PutRequest, RangeRequest, StatusRequest,
};
use kv_testkit::found::skip;
use tokio::runtime::Runtime;
use tonic::Code;
use tonic::transport::Channel;

use crate::process::{Process, free_url};

const MEGABYTES: u64 = 160;
const WORDS: &str = "etcdserver: mvcc: database space exceeded";

fn put(n: usize) -> PutRequest {
    PutRequest { key: format!("k{n:04}").into(), value: vec![b'v'; 1 << 20].into(), ..PutRequest::default() }
}

#[test]
fn a_full_disk_sets_the_alarm_and_is_recovered_from() {
    let mounts = Command::new("unshare").args(["--mount", "true"]).status();
    if !mounts.is_ok_and(|status| status.success()) {
        return skip("no disk is filled: this user may not mount one");
    }
    let directory = tempfile::tempdir().unwrap();
    let url = free_url();
    let server = Process::start_on_small_disk(MEGABYTES, directory.path(), &url);
    Runtime::new().unwrap().block_on(fill_and_recover(url));
    server.kill();
}

async fn fill_and_recover(url: String) {
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let (mut kv, mut maintenance) = (KvClient::new(channel.clone()), MaintenanceClient::new(channel));
    let mut written = 0;
    let refused = loop {
        match kv.put(put(written)).await {
            Ok(_) => written += 1,
            Err(status) => break status,
        }
    };
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, WORDS));
    let all = RangeRequest { key: "k".into(), range_end: "l".into(), count_only: true, ..RangeRequest::default() };
    assert_eq!(kv.range(all.clone()).await.unwrap().into_inner().count, i64::try_from(written).unwrap());
    assert_eq!(kv.put(put(0)).await.unwrap_err().message(), WORDS, "as long as the alarm is on");
    let status = maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(status.errors[0].contains("alarm:NOSPACE"), "{:?}", status.errors);

    let half = DeleteRangeRequest { key: "k".into(), range_end: put(written / 2).key, prev_kv: false };
    let revision = kv.delete_range(half).await.unwrap().into_inner().header.unwrap().revision;
    kv.compact(CompactionRequest { revision, physical: true }).await.unwrap();
    maintenance.defragment(DefragmentRequest {}).await.unwrap();
    let smaller = maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(smaller.db_size < status.db_size * 3 / 4, "{} of {}", smaller.db_size, status.db_size);
    let alarms = maintenance.alarm(AlarmRequest::default()).await.unwrap().into_inner().alarms;
    for alarm in alarms {
        let off = AlarmRequest { action: 2, member_id: alarm.member_id, alarm: alarm.alarm };
        maintenance.alarm(off).await.unwrap();
    }
    for n in 0..10 {
        kv.put(put(n)).await.unwrap();
    }
    assert_eq!(kv.range(all).await.unwrap().into_inner().count, i64::try_from(written - written / 2 + 10).unwrap());
}
