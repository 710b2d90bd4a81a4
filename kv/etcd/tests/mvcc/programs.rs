//! Random programs on a store and on a model of it: every answer is the same.

use bytes::Bytes;
use kv_etcd::mvcc::{
    CompactRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, LeaseGrantRequest, Options,
    PutRequest, RangeRequest, RequestOp, ResponseOp, SortOrder, SortTarget, Store, TxnRequest, TxnResponse,
};
use kv_testkit::Random;

use crate::Bench;
use crate::model::Model;

fn key(random: &mut Random) -> Bytes {
    Bytes::from(format!("{}{}", random.pick(&["a", "b", "c/"]), random.below(6)))
}

fn span(random: &mut Random) -> (Bytes, Bytes) {
    match random.below(6) {
        0 => ("\0".into(), "\0".into()),
        1 => (key(random), "\0".into()),
        2 | 3 => (key(random), key(random)),
        _ => (key(random), Bytes::new()),
    }
}

fn put(random: &mut Random, model: &Model) -> PutRequest {
    let key = key(random);
    let there = model.range(&RangeRequest::key(key.clone())).count == 1;
    let ignore_value = there && random.one_in(8);
    let ignore_lease = there && random.one_in(8);
    PutRequest {
        value: if ignore_value { Bytes::new() } else { random.below(50).to_string().into() },
        lease: if ignore_lease || random.one_in(2) { 0 } else { 1 + random.below(3) as i64 },
        prev_kv: random.one_in(2),
        ignore_value,
        ignore_lease,
        key,
    }
}

fn delete(random: &mut Random) -> DeleteRangeRequest {
    let (key, range_end) = if random.one_in(2) { (key(random), Bytes::new()) } else { span(random) };
    DeleteRangeRequest { key, range_end, prev_kv: random.one_in(2) }
}

/// A revision that can be read, or none in particular.
fn revision(random: &mut Random, model: &Model) -> i64 {
    let oldest = model.compacted.max(1);
    if random.one_in(2) { 0 } else { oldest + random.below((model.revision() - oldest) as usize + 1) as i64 }
}

fn range(random: &mut Random, model: &Model) -> RangeRequest {
    let (key, range_end) = span(random);
    let bound = |random: &mut Random| {
        if random.one_in(6) { random.below(model.revision() as usize + 1) as i64 } else { 0 }
    };
    let sort_target =
        *random.pick(&[SortTarget::Key, SortTarget::Key, SortTarget::Create, SortTarget::Mod, SortTarget::Version]);
    RangeRequest {
        key,
        range_end,
        limit: random.below(6) as i64 - 1,
        revision: revision(random, model),
        sort_order: *random.pick(&[SortOrder::None, SortOrder::Ascend, SortOrder::Descend]),
        sort_target,
        keys_only: random.one_in(4),
        count_only: random.one_in(8),
        min_mod_revision: bound(random),
        max_mod_revision: bound(random),
        min_create_revision: bound(random),
        max_create_revision: bound(random),
    }
}

fn compare(random: &mut Random, model: &Model) -> Compare {
    let number = random.below(model.revision() as usize + 1) as i64;
    let target = match random.below(5) {
        0 => CompareTarget::Version(random.below(4) as i64),
        1 => CompareTarget::Create(number),
        2 => CompareTarget::Mod(number),
        3 => CompareTarget::Value(random.below(50).to_string().into()),
        _ => CompareTarget::Lease(random.below(3) as i64),
    };
    let result =
        *random.pick(&[CompareResult::Equal, CompareResult::Greater, CompareResult::Less, CompareResult::NotEqual]);
    let (key, range_end) = span(random);
    Compare { key, range_end, result, target }
}

fn txn(random: &mut Random, model: &Model, depth: usize) -> TxnRequest {
    let ops = |random: &mut Random| -> Vec<RequestOp> {
        (0..random.below(4))
            .map(|_| match random.below(if depth > 0 { 7 } else { 6 }) {
                0 | 1 => RequestOp::Put(put(random, model)),
                2 | 3 => RequestOp::DeleteRange(delete(random)),
                4 | 5 => RequestOp::Range(range(random, model)),
                _ => RequestOp::Txn(txn(random, model, depth - 1)),
            })
            .collect()
    };
    let compare = (0..random.below(3)).map(|_| compare(random, model)).collect();
    TxnRequest { compare, success: ops(random), failure: ops(random) }
}

/// An order by something other than the key leaves open which of two equals is first.
fn with_stable_order(request: RangeRequest) -> RangeRequest {
    if request.sort_target == SortTarget::Key { request } else { RangeRequest { limit: 0, ..request } }
}

fn sorted(mut answer: kv_etcd::mvcc::RangeResponse, request: &RangeRequest) -> kv_etcd::mvcc::RangeResponse {
    if request.sort_target != SortTarget::Key {
        answer.kvs.sort_by(|a, b| a.key.cmp(&b.key));
    }
    answer
}

/// A transaction within another has no revision, and ranges in it an order that is not told apart.
fn assert_same(ours: TxnResponse, model: TxnResponse, seed: u64, step: usize) {
    let flat = |mut answer: TxnResponse| {
        for response in &mut answer.responses {
            if let ResponseOp::Range(range) = response {
                range.kvs.sort_by(|a, b| a.key.cmp(&b.key));
            }
        }
        answer
    };
    assert_eq!(flat(ours), flat(model), "seed {seed}, step {step}");
}

fn stable(txn: &mut TxnRequest) {
    for op in txn.success.iter_mut().chain(&mut txn.failure) {
        match op {
            RequestOp::Range(range) => (range.limit, range.sort_target) = (0, SortTarget::Key),
            RequestOp::Txn(txn) => stable(txn),
            _ => {}
        }
    }
}

struct Run {
    store: Store,
    model: Model,
    random: Random,
    seed: u64,
}

impl Run {
    fn step(&mut self, step: usize) {
        let (store, model, random, seed) = (&self.store, &mut self.model, &mut self.random, self.seed);
        match random.below(20) {
            0..6 => {
                let request = put(random, model);
                assert_eq!(store.put(request.clone()).expect("a put"), model.put(&request), "seed {seed}, step {step}");
            }
            6..9 => {
                let request = delete(random);
                let answer = store.delete_range(request.clone()).expect("a delete");
                assert_eq!(answer, model.delete_range(&request), "seed {seed}, step {step}");
            }
            9..13 => {
                let mut request = txn(random, model, 2);
                stable(&mut request);
                match store.txn(request.clone()) {
                    Ok(answer) => {
                        let expected = model.txn(&request).expect("nothing that is kept is deleted");
                        assert_same(answer, expected, seed, step);
                    }
                    Err(Error::DuplicateKey) => {}
                    Err(Error::KeyNotFound) => assert_eq!(model.txn(&request), None, "seed {seed}, step {step}"),
                    Err(other) => panic!("{other}"),
                }
            }
            13..19 => {
                let request = with_stable_order(range(random, model));
                let answer = store.range(request.clone()).expect("a read");
                let expected = model.range(&request);
                assert_eq!(
                    sorted(answer, &request),
                    sorted(expected, &request),
                    "{request:?}, seed {seed}, step {step}"
                );
            }
            _ => {
                let revision = model.revision() - random.below(8) as i64;
                if revision > model.compacted.max(0) {
                    let physical = random.one_in(2);
                    store.compact(CompactRequest { revision, physical }).expect("a compaction");
                    model.compacted = revision;
                }
            }
        }
        assert_eq!((store.revision(), store.compact_revision()), (model.revision(), model.compacted));
    }
}

#[test]
fn random_programs() {
    let mut steps = 0;
    for seed in 0..40 {
        let bench = Bench::with(Options::new().compaction_rows(3));
        let mut run = Run { store: bench.open(), model: Model::new(), random: Random::new(seed), seed };
        for id in 1..4 {
            run.store.lease_grant(LeaseGrantRequest { id, ttl: 1000 }).expect("a lease");
        }
        for step in 0..150 {
            run.step(step);
            steps += 1;
            if run.random.one_in(60) {
                drop(run.store);
                run.store = bench.open();
            }
        }
        assert!(run.store.begin_read().check().expect("it is read").is_empty(), "seed {seed}: the file is sound");
    }
    assert_eq!(steps, 40 * 150);
}

/// The hash of a store does not depend on how its writes were grouped, nor on whether a compaction is under way.
#[test]
fn two_stores_with_one_history_agree() {
    let benches = [Bench::new(), Bench::with(Options::new().compaction_rows(1))];
    let [one, other] = benches.each_ref().map(Bench::open);
    let mut random = Random::new(9);
    let mut model = Model::new();
    for step in 0..300 {
        let request = put(&mut random, &model);
        let request = PutRequest { lease: 0, ..request };
        model.put(&request);
        for store in [&one, &other] {
            store.put(request.clone()).expect("a put");
        }
        if step % 60 == 59 {
            let revision = model.revision() - 10;
            for (store, physical) in [(&one, true), (&other, false)] {
                store.compact(CompactRequest { revision, physical }).expect("a compaction");
            }
            for revision in revision + 1..=model.revision() {
                assert_eq!(one.hash_kv(revision).expect("a hash"), other.hash_kv(revision).expect("a hash"));
            }
        }
    }
}
