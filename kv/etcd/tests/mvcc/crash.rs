//! A power cut at any moment leaves what was answered, and of what was not answered all or nothing.

use std::ops::ControlFlow;
use std::sync::Arc;

use kv_etcd::mvcc::{
    CompactRequest, DeleteRangeRequest, Error, LeaseGrantRequest, LeaseRevokeRequest, Options, PutRequest,
    RangeRequest, RequestOp, Store, TxnRequest,
};
use kv_testkit::Random;
use pagefile_std::PageStore;
use pagefile_std::sim::{Call, Fault, Images, Plan, SimDisk, Strategy};

use crate::model::Model;

const PAGE: u32 = 1024;

fn store_on(disk: &Arc<SimDisk>) -> Store {
    let db = kv::Options::new().page_size(PAGE).open_store(Box::new(disk.clone())).expect("the disk opens");
    Store::from_db(db, Options::new().compaction_rows(2)).expect("the store opens")
}

/// What is known of a store from outside.
struct Known {
    model: Model,
    leases: Vec<i64>,
}

/// One write, on the store and the model.
fn step(store: &Store, known: &mut Known, random: &mut Random) -> Result<(), Error> {
    let key = format!("k{}", random.below(5));
    let model = &mut known.model;
    match random.below(8) {
        0..3 => {
            let put = PutRequest::new(key, "value ".repeat(random.below(90)));
            store.put(put.clone())?;
            model.put(&put);
        }
        3 => {
            let delete = DeleteRangeRequest::range(key, "k9");
            store.delete_range(delete.clone())?;
            model.delete_range(&delete);
        }
        4 => {
            let ops = ["x", "y", "k1"].map(|key| RequestOp::Put(PutRequest::new(key, "v")));
            let txn = TxnRequest { success: ops.into(), ..TxnRequest::default() };
            store.txn(txn.clone())?;
            model.txn(&txn).expect("nothing is kept");
        }
        5 => {
            let id = 1 + known.leases.last().copied().unwrap_or(0);
            store.lease_grant(LeaseGrantRequest { id, ttl: 5000 })?;
            known.leases.push(id);
            let put = PutRequest { lease: id, ..PutRequest::new(format!("leased {id}"), "v") };
            store.put(put.clone())?;
            model.put(&put);
        }
        6 if !known.leases.is_empty() => {
            let id = known.leases[0];
            store.lease_revoke(LeaseRevokeRequest { id })?;
            known.leases.remove(0);
            model.delete_range(&DeleteRangeRequest::key(format!("leased {id}")));
        }
        _ => {
            let revision = model.revision() - random.below(5) as i64;
            if revision > model.compacted.max(1) {
                store.compact(CompactRequest { revision, physical: true })?;
                model.compacted = revision;
            }
        }
    }
    Ok(())
}

/// Every revision that the store has is as the model has it.
fn assert_content(store: &Store, model: &Model, why: &str) {
    for revision in store.compact_revision().max(1)..=store.revision() {
        let request = RangeRequest { revision, ..RangeRequest::prefix("") };
        let found = store.range(request.clone()).unwrap_or_else(|error| panic!("{why}, at {revision}: {error}"));
        assert_eq!(found.kvs, model.range(&request).kvs, "{why}, at {revision}");
    }
}

#[test]
fn every_power_cut_leaves_what_was_answered() {
    let strategy = Strategy { exhaustive_max: 5, random: 8, ..Strategy::for_pages(PAGE as usize) }.without_in_place();
    let (mut cuts, mut images) = (0, Images::new());
    for seed in 0..2 {
        let disk = Arc::new(SimDisk::new());
        let store = store_on(&disk);
        disk.take_epochs();
        let mut known = Known { model: Model::new(), leases: Vec::new() };
        let mut random = Random::new(seed);
        for n in 0..30 {
            let before = (known.model.revision(), known.model.compacted);
            step(&store, &mut known, &mut random).expect("the disk is fine");
            for epoch in disk.take_epochs() {
                let outcome = epoch.each_power_cut(&strategy, |cut| {
                    let why = format!("seed {seed}, step {n}, {cut:?}");
                    let image: Box<dyn PageStore> = Box::new(images.store(&epoch, cut));
                    let db = kv::Options::new().read_only(true).open_store(image).expect("the image opens");
                    let found = Store::from_db(db, Options::new()).unwrap_or_else(|error| panic!("{why}: {error}"));
                    let revisions = before.0..=known.model.revision();
                    assert!(revisions.contains(&found.revision()), "{why}: {} of {revisions:?}", found.revision());
                    let compacted = before.1..=known.model.compacted;
                    assert!(compacted.contains(&found.compact_revision()), "{why}");
                    assert_content(&found, &known.model, &why);
                    ControlFlow::<()>::Continue(())
                });
                let ControlFlow::Continue(count) = outcome else { unreachable!("nothing breaks it") };
                cuts += count;
            }
        }
    }
    assert!(cuts > 1000, "{cuts} power cuts");
}

/// A full disk refuses a write, and memory forgets what it had learnt of it. The page store then wants to be opened again.
#[test]
fn a_failed_commit_leaves_no_trace() {
    let mut refused = 0;
    for seed in 0..12 {
        let mut disk = Arc::new(SimDisk::new());
        let mut store = store_on(&disk);
        let mut known = Known { model: Model::new(), leases: Vec::new() };
        let mut random = Random::new(seed);
        let mut fails = false;
        for n in 0..40 {
            // A step may write nothing: then the next one fails.
            fails |= random.one_in(3) && n > 3;
            if fails {
                disk.plan(Plan { call: Some(Call::Write), nth: 1, fault: Fault::Full, for_ever: false });
            }
            let why = format!("seed {seed}, step {n}");
            let result = step(&store, &mut known, &mut random);
            // A compaction may be noted and then fail to delete: the next opening does it. A grant may come before the
            // put that fails.
            known.model.compacted = store.compact_revision();
            known.leases = store.leases();
            known.leases.sort_unstable();
            assert_eq!(store.revision(), known.model.revision(), "{why}");
            assert_content(&store, &known.model, &why);
            match result {
                Ok(()) => continue,
                Err(Error::NoSpace) if fails => refused += 1,
                Err(error) => panic!("{why}: {error}"),
            }
            drop(store);
            fails = false;
            disk = Arc::new(disk.reopen());
            store = store_on(&disk);
            assert_eq!(store.revision(), known.model.revision(), "{why}");
            assert_content(&store, &known.model, &why);
            let mut leases = store.leases();
            leases.sort_unstable();
            assert_eq!(leases, known.leases, "{why}");
        }
    }
    assert!(refused > 50, "{refused} writes were refused");
}

/// After a sync that failed nobody knows: writes are refused, reads go on, and the next opening decides.
#[test]
fn a_failed_sync_refuses_further_writes() {
    let disk = Arc::new(SimDisk::new());
    let store = store_on(&disk);
    let mut known = Known { model: Model::new(), leases: Vec::new() };
    for n in 0..5 {
        let put = PutRequest::new("a", n.to_string());
        store.put(put.clone()).expect("the disk is fine");
        known.model.put(&put);
    }
    disk.plan(Plan { call: Some(Call::Sync), nth: 2, fault: Fault::Io, for_ever: false });
    let lost = PutRequest::new("a", "in doubt");
    store.put(lost.clone()).expect_err("the sync failed");
    let error = store.put(PutRequest::new("a", "refused")).expect_err("nobody knows").to_string();
    assert!(error.contains("close the database and open it again"), "{error}");
    assert_content(&store, &known.model, "reads go on");
    drop(store);
    let store = store_on(&Arc::new(disk.reopen()));
    known.model.put(&lost);
    assert!((6..=7).contains(&store.revision()), "{}", store.revision());
    assert_content(&store, &known.model, "opened again");
}
