//! Leases: keys go with them.

use std::time::{Duration, Instant};

use kv_etcd::mvcc::{
    DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, Options, PutRequest, Store, WatchRequest, WatchUpdate,
};

use crate::{Bench, get, put};

fn grant(store: &Store, id: i64, ttl: i64) {
    store.lease_grant(LeaseGrantRequest { id, ttl }).expect("a lease");
}

fn attach(store: &Store, key: &str, lease: i64) {
    store.put(PutRequest { lease, ..PutRequest::new(key.to_owned(), "v") }).expect("a put");
}

fn keys(store: &Store, id: i64) -> Vec<String> {
    let keys = store.lease_time_to_live(id, true).expect("the lease is there").keys;
    keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

#[test]
fn a_key_goes_with_its_last_lease() {
    let bench = Bench::new();
    let store = bench.open();
    grant(&store, 1, 100);
    grant(&store, 2, 50);
    for key in ["c", "a", "b", "d", "e"] {
        attach(&store, key, 1);
    }
    attach(&store, "b", 2);
    put(&store, "d", "no lease");
    store.delete_range(DeleteRangeRequest::key("e")).expect("a delete");
    let kept = PutRequest { ignore_lease: true, ..PutRequest::new("c", "new") };
    store.put(kept).expect("a put");
    assert_eq!((keys(&store, 1), keys(&store, 2)), (vec!["a".into(), "c".into()], vec!["b".into()]));
    assert_eq!(store.leases(), [2, 1], "the first to expire in front");
    let mut watcher = store.watch(WatchRequest::prefix(""), || ()).expect("a watch");
    let before = store.revision();
    let revoked = store.lease_revoke(LeaseRevokeRequest { id: 1 }).expect("it is there");
    assert_eq!(revoked.revision, before + 1);
    let update = watcher.next_timeout(Duration::from_secs(20)).expect("no error");
    let Some(WatchUpdate::Events(events)) = update else { panic!("{update:?}") };
    let deleted: Vec<_> = events.events.iter().map(|event| (event.is_delete, &event.kv.key[..])).collect();
    assert_eq!(deleted, [(true, &b"a"[..]), (true, b"c")], "in one revision, in their order");
    assert_eq!(store.lease_time_to_live(1, false), None);
    assert_eq!(store.lease_keep_alive(1), None);
    grant(&store, 3, 10);
    assert_eq!(store.lease_revoke(LeaseRevokeRequest { id: 3 }).expect("it is there").revision, before + 1);

    drop(store);
    let store = bench.open();
    assert_eq!((store.leases(), keys(&store, 2)), (vec![2], vec!["b".to_owned()]));
    assert_eq!(store.lease_revoke(LeaseRevokeRequest { id: 2 }).expect("it is there").revision, before + 2);
    assert_eq!((get(&store, "b", 0), get(&store, "d", 0).as_deref()), (None, Some("no lease")));
}

#[test]
fn a_lease_ends_when_its_time_is_over_unless_it_is_renewed() {
    let bench = Bench::with(Options::new().min_lease_ttl(1));
    let store = bench.open();
    grant(&store, 1, 1);
    grant(&store, 2, 1);
    attach(&store, "goes", 1);
    attach(&store, "stays", 2);
    let began = Instant::now();
    while store.lease_time_to_live(1, false).is_some() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not end");
        assert_eq!(store.lease_keep_alive(2), Some(1));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() > Duration::from_millis(900), "it has its time");
    assert_eq!((get(&store, "goes", 0), get(&store, "stays", 0).as_deref()), (None, Some("v")));
}

#[test]
fn closing_notes_how_long_leases_have() {
    let bench = Bench::new();
    let store = bench.open();
    grant(&store, 7, 1000);
    std::thread::sleep(Duration::from_millis(1200));
    store.close().expect("it closes");
    let store = bench.open();
    let status = store.lease_time_to_live(7, false).expect("it is there");
    assert_eq!(status.granted_ttl, 1000);
    assert!((990..=998).contains(&status.ttl), "{}", status.ttl);
    assert_eq!(store.lease_keep_alive(7), Some(1000), "the file says so, too");
    drop(store);
    let store = bench.open();
    assert!(store.lease_time_to_live(7, false).expect("it is there").ttl >= 999);
}

#[test]
fn leases_that_the_store_names() {
    let bench = Bench::new();
    let store = bench.open();
    let ids: std::collections::BTreeSet<i64> =
        (0..100).map(|_| store.lease_grant(LeaseGrantRequest { id: 0, ttl: 60 }).expect("a lease").id).collect();
    assert_eq!(ids.len(), 100);
    assert!(ids.iter().all(|id| *id > 0));
    grant(&store, -5, 60);
    drop(store);
    assert_eq!(bench.open().leases().len(), 101, "negative ones, too");
}
