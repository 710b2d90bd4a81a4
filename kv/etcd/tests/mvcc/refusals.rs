//! Each wrong request has one clear error, in etcd's words, and changes nothing.

use bytes::Bytes;
use kv_etcd::mvcc::{
    CompactRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, LeaseGrantRequest,
    LeaseRevokeRequest, Options, PutRequest, RangeRequest, RequestOp, Store, TxnRequest, WatchRequest,
};

use crate::{Bench, get, put};

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, text: &str) {
    let error = answer.expect_err("it is refused");
    assert_eq!(error.to_string(), text);
}

fn op(key: &str) -> RequestOp {
    RequestOp::Put(PutRequest::new(key.to_owned(), "v"))
}

fn delete_op(key: &str, end: &str) -> RequestOp {
    RequestOp::DeleteRange(DeleteRangeRequest::range(key.to_owned(), end.to_owned()))
}

fn nested(success: Vec<RequestOp>) -> RequestOp {
    RequestOp::Txn(TxnRequest { success, ..TxnRequest::default() })
}

fn txn(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..TxnRequest::default() }
}

#[test]
fn wrong_requests() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, "a", "1");
    let before = store.revision();
    let no_key = "etcdserver: key is not provided";
    refused(store.put(PutRequest::default()), no_key);
    refused(store.range(RangeRequest::default()), no_key);
    refused(store.range(RangeRequest::range("", "z")), no_key);
    refused(store.delete_range(DeleteRangeRequest::default()), no_key);
    refused(store.txn(txn(vec![RequestOp::Range(RangeRequest::default())])), no_key);
    let compare = Compare::new("", CompareResult::Equal, CompareTarget::Version(0));
    refused(store.txn(TxnRequest { compare: vec![compare], ..TxnRequest::default() }), no_key);

    let keep_value = PutRequest { ignore_value: true, ..PutRequest::new("a", "new") };
    refused(store.put(keep_value), "etcdserver: value is provided");
    let keep_lease = PutRequest { ignore_lease: true, lease: 5, ..PutRequest::new("a", "new") };
    refused(store.put(keep_lease), "etcdserver: lease is provided");
    for absent in [
        PutRequest { ignore_value: true, ..PutRequest::new("absent", "") },
        PutRequest { ignore_lease: true, ..PutRequest::new("absent", "v") },
    ] {
        refused(store.put(absent), "etcdserver: key not found");
    }
    let no_lease = "etcdserver: requested lease not found";
    refused(store.put(PutRequest { lease: 77, ..PutRequest::new("a", "v") }), no_lease);
    refused(store.lease_revoke(LeaseRevokeRequest { id: 77 }), no_lease);
    refused(store.lease_grant(LeaseGrantRequest { id: 1, ttl: 9_000_000_001 }), "etcdserver: too large lease TTL");
    let lease = store.lease_grant(LeaseGrantRequest { id: 1, ttl: -5 }).expect("a lease");
    assert_eq!((lease.id, lease.ttl), (1, 2), "raised to the shortest");
    refused(store.lease_grant(LeaseGrantRequest { id: 1, ttl: 5 }), "etcdserver: lease already exists");

    let future = "etcdserver: mvcc: required revision is a future revision";
    refused(store.range(RangeRequest { revision: 3, ..RangeRequest::key("a") }), future);
    refused(store.compact(CompactRequest { revision: 3, physical: false }), future);
    refused(store.hash_kv(3), future);
    let watch = WatchRequest { range_end: "a".into(), ..WatchRequest::key("b") };
    refused(store.watch(watch, || ()), "mvcc: watcher range is empty");
    assert_eq!(store.revision(), before);
    assert_eq!(store.status().watchers, 0);
}

/// A delete of all keys from one on, before a put that keeps the value of one of them. It ends an etcd, which finds that there
/// is none when it has changed half.
#[test]
fn a_value_that_the_transaction_deletes_cannot_be_kept() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, "a", "1");
    put(&store, "b", "1");
    let before = store.revision();
    let from_b = || delete_op("b", "\0");
    for kept in [
        PutRequest { ignore_value: true, ..PutRequest::new("b", "") },
        PutRequest { ignore_lease: true, ..PutRequest::new("b", "2") },
    ] {
        let kept = RequestOp::Put(kept);
        refused(store.txn(txn(vec![from_b(), kept.clone()])), "etcdserver: key not found");
        refused(store.txn(txn(vec![nested(vec![op("a"), from_b()]), kept.clone()])), "etcdserver: key not found");
        assert_eq!((store.revision(), get(&store, "b", 0).as_deref()), (before, Some("1")));
    }
    let kept = PutRequest { ignore_value: true, ..PutRequest::new("a", "") };
    store.txn(txn(vec![from_b(), RequestOp::Put(kept)])).expect("another key is deleted");
    assert_eq!((get(&store, "a", 0).as_deref(), get(&store, "b", 0)), (Some("1"), None));
}

#[test]
fn wrong_transactions_change_nothing() {
    let bench = Bench::with(Options::new().max_txn_ops(4));
    let store = bench.open();
    put(&store, "a", "1");
    let twice = "etcdserver: duplicate key given in txn request";
    for ops in [
        vec![op("k"), op("k")],
        vec![op("k"), delete_op("j", "l")],
        vec![nested(vec![op("k")]), op("k")],
        vec![nested(vec![op("k")]), nested(vec![op("k")])],
        vec![nested(vec![delete_op("a", "z")]), nested(vec![op("k")])],
    ] {
        refused(store.txn(txn(ops.clone())), twice);
        refused(store.txn(TxnRequest { failure: ops, ..TxnRequest::default() }), twice);
    }
    let many = "etcdserver: too many operations in txn request";
    refused(store.txn(txn(["a", "b", "c", "d", "e"].map(op).into())), many);
    refused(store.txn(txn(vec![nested(vec![op("a"), op("b"), op("c"), op("d")])])), many);
    let late = RequestOp::Put(PutRequest { lease: 9, ..PutRequest::new("b", "2") });
    refused(store.txn(txn(vec![op("a"), late])), "etcdserver: requested lease not found");
    let negative = RequestOp::Range(RangeRequest { revision: -1, ..RangeRequest::key("a") });
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    refused(store.txn(txn(vec![op("a"), negative.clone()])), compacted);
    refused(store.txn(txn(vec![negative])), compacted);
    let future = RequestOp::Range(RangeRequest { revision: 3, ..RangeRequest::key("a") });
    let text = "etcdserver: mvcc: required revision is a future revision";
    refused(store.txn(txn(vec![op("a"), future.clone()])), text);
    refused(store.txn(txn(vec![future])), text);
    assert_eq!((store.revision(), get(&store, "a", 0).as_deref()), (2, Some("1")));

    // What looks alike and is allowed.
    let fine = store.txn(txn(vec![delete_op("a", "b"), delete_op("a", "c")])).expect("two deletes");
    assert_eq!(fine.revision, 3);
    store.txn(txn(vec![nested(vec![op("k")]), nested(vec![delete_op("k", "l")])])).expect("the later one deletes");
    assert_eq!(get(&store, "k", 0), None);
    assert_eq!(get(&store, "k", 4), None, "both have one revision");
}

#[test]
fn compacted_and_future_revisions() {
    let bench = Bench::new();
    let store = bench.open();
    for n in 0..10 {
        put(&store, "a", &n.to_string());
    }
    store.compact(CompactRequest { revision: 5, physical: true }).expect("a compaction");
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    refused(store.range(RangeRequest { revision: 4, ..RangeRequest::key("a") }), compacted);
    refused(store.compact(CompactRequest { revision: 5, physical: false }), compacted);
    assert_eq!(get(&store, "a", 5).as_deref(), Some("3"), "the compacted revision itself stays");
}

#[test]
fn a_never_compacted_store_is_compacted_to_0_and_not_to_less() {
    let bench = Bench::new();
    let store = bench.open();
    refused(
        store.compact(CompactRequest { revision: -1, physical: true }),
        "etcdserver: mvcc: required revision has been compacted",
    );
    store.compact(CompactRequest { revision: 0, physical: true }).expect("etcd does it");
    assert_eq!(store.compact_revision(), 0);
}

fn open_damaged(change: impl FnOnce(&mut kv::WriteTx<'_>)) -> Result<Store, Error> {
    let db = kv::Options::new().open_store(Box::new(kv::MemStore::new())).expect("a database");
    db.update(|tx| {
        change(tx);
        Ok::<_, kv::Error>(())
    })
    .expect("a commit");
    Store::from_db(db, Options::new())
}

fn row(tx: &mut kv::WriteTx<'_>, key: &[u8], value: &[u8]) {
    tx.create_bucket_if_absent("key").expect("a bucket").put(key, value).expect("a row");
}

#[test]
fn files_that_are_not_etcds() {
    let error = open_damaged(|tx| drop(tx.create_bucket("mine"))).expect_err("no bucket of keys").to_string();
    assert!(error.contains("there is no bucket `key`") && error.contains("check the path"), "{error}");

    let good = b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0";
    let value = b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x03bar";
    for (key, value, what) in [
        (&good[..16], &value[..], "17 or 18 bytes"),
        (b"\x80\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0", value, "negative"),
        (b"\0\0\0\0\0\0\0\x02-\0\0\0\0\0\0\0\0", value, "`_`"),
        (b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0x", value, "`t`"),
        (good, &value[..value.len() - 1], "ends in the middle"),
        (good, b"\x0f", "kind"),
    ] {
        let error = open_damaged(|tx| row(tx, key, value)).expect_err(what).to_string();
        assert!(error.contains(what) && error.contains("bucket `key`") && error.contains("restore"), "{error}");
    }
    let error = open_damaged(|tx| {
        row(tx, good, value);
        row(tx, b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0t", b"\x0a\x03foo");
    });
    assert!(error.expect_err("twice").to_string().contains("twice"));
    let error = open_damaged(|tx| {
        row(tx, good, value);
        tx.create_bucket("meta").expect("a bucket").put("finishedCompactRev", b"short").expect("a row");
    });
    assert!(error.expect_err("a revision").to_string().contains("finishedCompactRev"));
    let error = open_damaged(|tx| {
        row(tx, good, value);
        tx.create_bucket("lease").expect("a bucket").put(b"\0\0\0\0\0\0\0\x01", b"\x08\x02").expect("a row");
    });
    assert!(error.expect_err("a lease").to_string().contains("not the id of its lease"));
}

/// `snapshot restore --bump-revision` adds a row without a value.
#[test]
fn an_empty_row_is_etcds() {
    let bumped = b"\0\0\0\0\0\0\x01\0_\0\0\0\0\0\0\0\0";
    let store = open_damaged(|tx| {
        row(tx, b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0", b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x03bar");
        row(tx, bumped, b"");
        tx.create_bucket("meta").expect("a bucket").put("scheduledCompactRev", bumped).expect("a row");
    })
    .expect("it opens");
    assert_eq!((store.revision(), store.compact_revision()), (256, 256));
    assert_eq!(get(&store, "foo", 0).as_deref(), Some("bar"));
    let all = store.range(RangeRequest::prefix("")).expect("a read");
    assert_eq!((all.kvs.len(), all.count), (1, 1), "no range has the empty key");
    assert_eq!(put(&store, "foo", "new"), 257);
}

#[test]
fn a_read_only_store_refuses_writes() {
    let bench = Bench::new();
    put(&bench.open(), "a", "1");
    let options = Options::new().engine(kv::Options::new().read_only(true));
    let store = Store::open(bench.path(), options).expect("it opens");
    assert_eq!(get(&store, "a", 0).as_deref(), Some("1"));
    let error = store.put(PutRequest::new("a", "2")).expect_err("read-only");
    assert!(error.to_string().contains("open read-only"), "{error}");
    let reads = txn(vec![RequestOp::Range(RangeRequest::key("a"))]);
    assert!(store.txn(reads).expect("it only reads").succeeded);
    assert_eq!(store.hash_kv(0).expect("a hash").hash_revision, 2);
}

#[test]
fn a_full_file_refuses_writes_and_reads_go_on() {
    let db = kv::Options::new().max_size(400_000).open_store(Box::new(kv::MemStore::new())).expect("a database");
    let store = Store::from_db(db, Options::new()).expect("it opens");
    let value = Bytes::from(vec![7; 50_000]);
    let mut last = 1;
    let error = loop {
        match store.put(PutRequest::new("a", value.clone())) {
            Ok(answer) => last = answer.revision,
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "etcdserver: mvcc: database space exceeded");
    assert!(last > 3, "some fit");
    let now = store.range(RangeRequest::key("a")).expect("a read");
    assert_eq!((now.revision, now.kvs[0].version), (last, last - 1));
    store.compact(CompactRequest { revision: last, physical: true }).expect("a compaction needs little");
    assert_eq!(put(&store, "a", "fits again"), last + 1);
    assert_eq!(store.range(RangeRequest::key("a")).expect("a read").kvs[0].version, last);
}
