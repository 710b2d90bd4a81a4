//! Snapshots are etcd's, and damaged ones are told.

use std::fs;

use kv_etcd::mvcc::{LeaseGrantRequest, Options, RangeRequest, WatchRequest, WatchUpdate};
use kv_etcd::snapshot;

use crate::{Bench, delete, get, put};

#[test]
fn a_snapshot_is_read_at_any_revision_it_has() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, "a", "1");
    put(&store, "b", "2");
    delete(&store, "a");
    put(&store, "a", "3");
    store.lease_grant(LeaseGrantRequest { id: 5, ttl: 100 }).expect("a lease");
    let saved = bench.directory.path().join("saved");
    let tx = store.begin_read();
    let hash = snapshot::save(&tx, &saved).expect("it is saved");
    let mut bytes = Vec::new();
    assert_eq!(snapshot::write_to(&tx, &mut bytes).expect("it is written"), hash);
    assert_eq!(bytes, fs::read(&saved).expect("it is there"));
    assert_eq!(bytes.len() as u64, snapshot::size(&tx));
    assert_eq!((bytes.len() % 512, &bytes[bytes.len() - 32..]), (32, &hash[..]));
    drop(tx);
    put(&store, "a", "later");
    assert_eq!(snapshot::verify(&saved).expect("it is whole"), Some(hash));

    let old = snapshot::open(&saved, Options::new()).expect("it opens");
    assert_eq!((old.revision(), old.leases()), (5, vec![5]));
    assert_eq!(get(&old, "a", 3).as_deref(), Some("1"));
    assert_eq!(get(&old, "a", 4), None);
    assert_eq!(get(&old, "a", 0).as_deref(), Some("3"));
    assert_eq!(old.hash_kv(4).expect("a hash").hash, store.hash_kv(4).expect("a hash").hash);
    let history = old.history(b"a").expect("a history");
    let history: Vec<_> = history
        .iter()
        .map(|(revision, kv)| (revision.main, kv.as_ref().map(|kv| (kv.version, kv.create_revision))))
        .collect();
    assert_eq!(history, [(2, Some((1, 2))), (4, None), (5, Some((1, 5)))]);
    let request = WatchRequest { start_revision: 1, ..WatchRequest::prefix("") };
    let mut log = old.watch(request, || ()).expect("a watch");
    let Some(WatchUpdate::Events(events)) = log.try_next().expect("no error") else { panic!("it has a history") };
    assert_eq!(events.events.len(), 4);
    assert_eq!(log.try_next().expect("no error"), None, "and no more");
    let status = snapshot::status(&old.begin_read()).expect("figures");
    assert_eq!((status.revision, status.total_size), (5, bytes.len() as u64 - 32));
}

#[test]
fn damaged_snapshots() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, "a", "1");
    let saved = bench.directory.path().join("saved");
    snapshot::save(&store.begin_read(), &saved).expect("it is saved");
    let good = fs::read(&saved).expect("it is there");
    let open = || snapshot::open(&saved, Options::new()).map(|store| store.revision());
    for at in [100, good.len() / 2, good.len() - 33, good.len() - 1] {
        let mut wrong = good.clone();
        wrong[at] ^= 1;
        fs::write(&saved, wrong).expect("it is written");
        let error = open().expect_err("it is damaged").to_string();
        assert!(error.contains("its SHA-256 is") && error.contains("it says"), "{error}");
    }
    fs::write(&saved, &good[..good.len() - 20]).expect("it is written");
    let error = open().expect_err("it is cut").to_string();
    assert!(error.contains("neither whole pages"), "{error}");
    fs::write(&saved, &good[..good.len() - 32]).expect("it is written");
    assert_eq!(snapshot::verify(&saved).expect("a database"), None);
    assert_eq!(open().expect("it opens without"), 2);
    let error = snapshot::open(bench.directory.path().join("absent"), Options::new()).expect_err("it is not there");
    assert!(error.to_string().starts_with("cannot read a snapshot"), "{error}");
    fs::write(&saved, b"").expect("it is written");
    assert!(open().is_err(), "an empty file is no database to read");
    assert!(store.range(RangeRequest::key("a")).is_ok());
}
