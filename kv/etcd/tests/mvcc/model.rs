//! What a store should answer: every revision as a sorted map of its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use kv_etcd::mvcc::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RequestOp, ResponseOp, SortOrder, SortTarget, TxnRequest, TxnResponse,
};

type State = BTreeMap<Bytes, KeyValue>;

/// The store.
pub(crate) struct Model {
    /// By revision; the first two are empty.
    states: Vec<State>,
    pub(crate) compacted: i64,
}

/// A transaction on its way.
struct Work {
    begin: State,
    now: State,
    changed: bool,
    /// A put is to keep something of a key that is gone.
    nothing_to_keep: bool,
}

fn inside(key: &Bytes, start: &Bytes, end: &Bytes) -> bool {
    match &end[..] {
        [] => key == start,
        [0] => key >= start,
        _ => start <= key && key < end,
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { states: vec![State::new(); 2], compacted: -1 }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.states.len() as i64 - 1
    }

    fn begin(&self) -> Work {
        let now = self.states.last().expect("there is a state").clone();
        Work { begin: now.clone(), now, changed: false, nothing_to_keep: false }
    }

    fn end<T>(&mut self, work: Work, answer: T) -> T {
        if work.changed {
            self.states.push(work.now);
        }
        answer
    }

    pub(crate) fn put(&mut self, request: &PutRequest) -> PutResponse {
        let mut work = self.begin();
        let answer = self.put_in(&mut work, request);
        self.end(work, answer)
    }

    pub(crate) fn delete_range(&mut self, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let mut work = self.begin();
        let answer = self.delete_in(&mut work, request);
        self.end(work, answer)
    }

    /// None, and nothing has changed, if it deletes what it is to keep.
    pub(crate) fn txn(&mut self, request: &TxnRequest) -> Option<TxnResponse> {
        let mut work = self.begin();
        let mut answer = self.txn_in(&mut work, request);
        answer.revision = self.now(&work);
        (!work.nothing_to_keep).then(|| self.end(work, answer))
    }

    pub(crate) fn range(&self, request: &RangeRequest) -> RangeResponse {
        self.range_in(&self.begin(), request)
    }

    fn now(&self, work: &Work) -> i64 {
        self.revision() + i64::from(work.changed)
    }

    fn put_in(&self, work: &mut Work, request: &PutRequest) -> PutResponse {
        let old = work.now.get(&request.key).cloned();
        let main = self.revision() + 1;
        work.nothing_to_keep |= old.is_none() && (request.ignore_value || request.ignore_lease);
        let kept = |keep: bool| old.as_ref().filter(|_| keep);
        let kv = KeyValue {
            key: request.key.clone(),
            create_revision: old.as_ref().map_or(main, |old| old.create_revision),
            mod_revision: main,
            version: old.as_ref().map_or(0, |old| old.version) + 1,
            value: kept(request.ignore_value).map_or(request.value.clone(), |old| old.value.clone()),
            lease: kept(request.ignore_lease).map_or(request.lease, |old| old.lease),
        };
        work.now.insert(request.key.clone(), kv);
        work.changed = true;
        PutResponse { revision: main, prev_kv: old.filter(|_| request.prev_kv) }
    }

    fn delete_in(&self, work: &mut Work, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let gone: Vec<KeyValue> =
            work.now.values().filter(|kv| inside(&kv.key, &request.key, &request.range_end)).cloned().collect();
        for kv in &gone {
            work.now.remove(&kv.key);
            work.changed = true;
        }
        let deleted = gone.len() as i64;
        DeleteRangeResponse { revision: self.now(work), deleted, prev_kvs: if request.prev_kv { gone } else { vec![] } }
    }

    fn range_in(&self, work: &Work, request: &RangeRequest) -> RangeResponse {
        let state = if request.revision > 0 { &self.states[request.revision as usize] } else { &work.now };
        let mut kvs: Vec<KeyValue> =
            state.values().filter(|kv| inside(&kv.key, &request.key, &request.range_end)).cloned().collect();
        let count = kvs.len() as i64;
        let revision = self.now(work);
        if request.count_only {
            return RangeResponse { revision, count, ..RangeResponse::default() };
        }
        let least = |bound: i64, number: i64| bound == 0 || number >= bound;
        let most = |bound: i64, number: i64| bound == 0 || number <= bound;
        kvs.retain(|kv| {
            least(request.min_mod_revision, kv.mod_revision)
                && most(request.max_mod_revision, kv.mod_revision)
                && least(request.min_create_revision, kv.create_revision)
                && most(request.max_create_revision, kv.create_revision)
        });
        let bounds = [
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        ];
        let limit = if request.limit > 0 { request.limit as usize } else { usize::MAX };
        if request.sort_order == SortOrder::None && bounds == [0; 4] {
            kvs.truncate(limit.saturating_add(1));
        }
        match request.sort_target {
            SortTarget::Key => {}
            SortTarget::Version => kvs.sort_by_key(|kv| kv.version),
            SortTarget::Create => kvs.sort_by_key(|kv| kv.create_revision),
            SortTarget::Mod => kvs.sort_by_key(|kv| kv.mod_revision),
            SortTarget::Value => kvs.sort_by_key(|kv| kv.value.clone()),
        }
        if request.sort_order == SortOrder::Descend {
            kvs.reverse();
        }
        let more = kvs.len() > limit;
        kvs.truncate(limit);
        if request.keys_only {
            for kv in &mut kvs {
                kv.value = Bytes::new();
            }
        }
        RangeResponse { revision, kvs, more, count }
    }

    fn txn_in(&self, work: &mut Work, request: &TxnRequest) -> TxnResponse {
        let succeeded = request.compare.iter().all(|compare| holds(&work.begin, compare));
        let ops = if succeeded { &request.success } else { &request.failure };
        let responses = ops
            .iter()
            .map(|op| match op {
                RequestOp::Range(range) => ResponseOp::Range(self.range_in(work, range)),
                RequestOp::Put(put) => ResponseOp::Put(self.put_in(work, put)),
                RequestOp::DeleteRange(delete) => ResponseOp::DeleteRange(self.delete_in(work, delete)),
                RequestOp::Txn(txn) => ResponseOp::Txn(self.txn_in(work, txn)),
                RequestOp::Empty => unreachable!("programs have none, and it would be refused"),
            })
            .collect();
        TxnResponse { revision: 0, succeeded, responses }
    }
}

fn holds(state: &State, compare: &Compare) -> bool {
    let found: Vec<&KeyValue> = state.values().filter(|kv| inside(&kv.key, &compare.key, &compare.range_end)).collect();
    let absent = KeyValue::default();
    if found.is_empty() {
        return !matches!(compare.target, CompareTarget::Value(_)) && holds_for(compare, &absent);
    }
    found.into_iter().all(|kv| holds_for(compare, kv))
}

fn holds_for(compare: &Compare, kv: &KeyValue) -> bool {
    let order = match &compare.target {
        CompareTarget::Version(given) => kv.version.cmp(given),
        CompareTarget::Create(given) => kv.create_revision.cmp(given),
        CompareTarget::Mod(given) => kv.mod_revision.cmp(given),
        CompareTarget::Value(given) => kv.value.cmp(given),
        CompareTarget::Lease(given) => kv.lease.cmp(given),
    };
    match compare.result {
        CompareResult::Equal => order.is_eq(),
        CompareResult::Greater => order.is_gt(),
        CompareResult::Less => order.is_lt(),
        CompareResult::NotEqual => order.is_ne(),
    }
}
