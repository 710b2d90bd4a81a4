//! Steps at random, most of which have a meaning at the revision that the servers are at.

use std::collections::BTreeSet;

use bytes::Bytes;
use kv_etcd::api::proto::etcdserverpb::compare::TargetUnion;
use kv_etcd::api::proto::etcdserverpb::request_op::Request;
use kv_etcd::api::proto::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest,
};
use kv_testkit::Random;
use kv_testkit::etcd_release::Release;

use super::step::Step;

/// Few enough that a sort of them by etcd is stable, as ours always is: Go's sorts up to 12 by insertion.
const KEYS: [&[u8]; 10] = [b"a", b"a\0", b"aa", b"ab", b"b", b"b/1", b"b/2", b"c", b"\xff", b"\xff\xff"];
const ENDS: [&[u8]; 8] = [b"\0", b"a", b"ab", b"b", b"b0", b"c", b"\xff\xff\xff", b""];
const LEASES: [i64; 4] = [1, 7, -3, i64::MAX];
/// Nothing runs out while a program runs.
const SECONDS_MIN: usize = 1000;
const SECONDS_MAX: usize = 100_000;

/// A program in the making.
#[derive(Default)]
pub(crate) struct Generator {
    random: Random,
    /// What the last watch is called.
    last_watch: i64,
    /// Those that may be cancelled.
    watches: Vec<i64>,
    /// The newest revision that was seen.
    pub(crate) revision: i64,
    compacted: i64,
    /// Those that were compacted to.
    compactions: BTreeSet<i64>,
    /// The old Go that made etcd 3.5.1 sorts more than six keys that are equal in any order.
    by_key_only: bool,
}

impl Generator {
    pub(crate) fn of(release: Release) -> Self {
        Self { by_key_only: release == Release::V3_5, ..Self::default() }
    }

    /// Another program on the same store.
    pub(crate) fn begin(&mut self, random: Random) {
        self.random = random;
    }

    pub(crate) fn any_watch(&self) -> Option<i64> {
        self.watches.first().copied()
    }

    pub(crate) fn is_open(&self, watch: i64) -> bool {
        self.watches.contains(&watch)
    }

    pub(crate) fn ended(&mut self, id: i64) {
        self.watches.retain(|watch| *watch != id);
    }

    /// A step was done.
    pub(crate) fn seen(&mut self, step: &Step, revision: Option<i64>) {
        self.revision = revision.unwrap_or(self.revision);
        if let Step::Compact(to) = step {
            self.compacted = *to;
            self.compactions.insert(*to);
        }
    }

    pub(crate) fn step(&mut self) -> Step {
        match self.random.below(100) {
            0..30 => Step::Put(self.put()),
            30..48 => Step::Range(self.range()),
            48..56 => Step::Delete(self.delete()),
            56..74 => Step::Txn(self.harmless_txn()),
            74..77 => Step::Compact(self.near_revision()),
            77..80 => Step::HashKv(self.hashed_revision()),
            80..84 => Step::Grant { id: self.lease(), ttl: self.seconds() },
            84..86 => Step::Revoke(self.lease()),
            86..88 => Step::TimeToLive(self.lease()),
            88 => Step::Leases,
            89..91 => Step::KeepAlive(self.lease()),
            91..97 => self.watch(),
            97 if !self.watches.is_empty() => Step::Cancel(*self.random.pick(&self.watches)),
            _ => Step::Progress,
        }
    }

    fn key(&mut self) -> Bytes {
        if self.random.one_in(60) { Bytes::new() } else { Bytes::from_static(self.random.pick::<&[u8]>(&KEYS)) }
    }

    fn end(&mut self) -> Bytes {
        if self.random.one_in(2) { Bytes::new() } else { Bytes::from_static(self.random.pick::<&[u8]>(&ENDS)) }
    }

    fn value(&mut self) -> Bytes {
        let len = self.random.below(4);
        (0..len).map(|_| *self.random.pick(b"xyz")).collect()
    }

    fn lease(&mut self) -> i64 {
        *self.random.pick(&LEASES)
    }

    fn seconds(&mut self) -> i64 {
        if self.random.one_in(8) {
            9_000_000_001
        } else {
            self.random.within(SECONDS_MIN, SECONDS_MAX).try_into().unwrap()
        }
    }

    fn one_in_three(&mut self) -> bool {
        self.random.one_in(3)
    }

    /// From below the compacted one to above the newest.
    fn near_revision(&mut self) -> i64 {
        let low = self.compacted.max(self.revision - 30) - 2;
        low + i64::try_from(self.random.below_u64((self.revision + 3 - low).unsigned_abs())).unwrap()
    }

    /// etcd 3.4.23 refuses the hash at the compacted revision to those who name it. Later ones answer it, and with the last
    /// ten at which they compacted.
    fn hashed_revision(&mut self) -> i64 {
        let revision = self.near_revision();
        if self.compactions.contains(&revision) || self.random.one_in(4) { 0 } else { revision }
    }

    fn put(&mut self) -> PutRequest {
        let lease = if self.random.one_in(4) { self.lease() } else { 0 };
        let (ignore_value, ignore_lease) = (self.random.one_in(12), self.random.one_in(12));
        let bare = |ignored, random: &mut Random| ignored && !random.one_in(6);
        PutRequest {
            key: self.key(),
            value: if bare(ignore_value, &mut self.random) { Bytes::new() } else { self.value() },
            lease: if bare(ignore_lease, &mut self.random) { 0 } else { lease },
            prev_kv: self.one_in_three(),
            ignore_value,
            ignore_lease,
        }
    }

    fn delete(&mut self) -> DeleteRangeRequest {
        DeleteRangeRequest { key: self.key(), range_end: self.end(), prev_kv: self.one_in_three() }
    }

    fn range(&mut self) -> RangeRequest {
        let bound = |this: &mut Self| if this.random.one_in(8) { this.near_revision() } else { 0 };
        RangeRequest {
            key: self.key(),
            range_end: self.end(),
            limit: if self.one_in_three() { i64::try_from(self.random.below(5)).unwrap() - 1 } else { 0 },
            revision: if self.one_in_three() { self.near_revision() } else { 0 },
            sort_order: self.random.below(3).try_into().unwrap(),
            sort_target: if self.by_key_only { 0 } else { self.random.below(5).try_into().unwrap() },
            serializable: self.one_in_three(),
            keys_only: self.random.one_in(6),
            count_only: self.random.one_in(8),
            min_mod_revision: bound(self),
            max_mod_revision: bound(self),
            min_create_revision: bound(self),
            max_create_revision: bound(self),
        }
    }

    fn compare(&mut self) -> Compare {
        let small = i64::try_from(self.random.below(4)).unwrap();
        let revision = if self.random.one_in(2) { 0 } else { self.near_revision() };
        let target = self.random.below(5);
        let union = match target {
            _ if self.random.one_in(15) => None,
            0 => Some(TargetUnion::Version(small)),
            1 => Some(TargetUnion::CreateRevision(revision)),
            2 => Some(TargetUnion::ModRevision(revision)),
            3 => Some(TargetUnion::Value(self.value())),
            _ => Some(TargetUnion::Lease(self.lease())),
        };
        Compare {
            result: self.random.below(4).try_into().unwrap(),
            target: target.try_into().unwrap(),
            key: self.key(),
            range_end: if self.random.one_in(4) { self.end() } else { Bytes::new() },
            target_union: union,
        }
    }

    /// One that does not end an etcd.
    fn harmless_txn(&mut self) -> TxnRequest {
        loop {
            let txn = self.txn(0);
            let mut kept = Kept::default();
            kept.add(&txn);
            if !kept.any_is_deleted() {
                return txn;
            }
        }
    }

    fn txn(&mut self, depth: usize) -> TxnRequest {
        let compares = self.random.below(3);
        let (success, failure) = (self.random.below(4), self.random.below(3));
        TxnRequest {
            compare: (0..compares).map(|_| self.compare()).collect(),
            success: (0..success).map(|_| self.operation(depth)).collect(),
            failure: (0..failure).map(|_| self.operation(depth)).collect(),
        }
    }

    fn operation(&mut self, depth: usize) -> RequestOp {
        let request = match self.random.below(60) {
            0..25 => Some(Request::RequestPut(self.put())),
            25..35 => Some(Request::RequestDeleteRange(self.delete())),
            35..44 if depth < 2 => Some(Request::RequestTxn(self.txn(depth + 1))),
            59 => None,
            _ => Some(Request::RequestRange(self.range())),
        };
        RequestOp { request }
    }

    /// From a revision above the compacted one, or from now on: at the compacted one 3.4.23 lacks the deletes.
    fn watch(&mut self) -> Step {
        self.last_watch += 1;
        self.watches.push(self.last_watch);
        let start = self.near_revision();
        Step::Watch(WatchCreateRequest {
            key: self.key(),
            range_end: self.end_above(),
            start_revision: if start <= 0 || start == self.compacted || self.random.one_in(2) { 0 } else { start },
            progress_notify: self.one_in_three(),
            filters: (0..2).filter(|_| self.random.one_in(6)).collect(),
            prev_kv: self.one_in_three(),
            watch_id: self.last_watch,
            fragment: self.one_in_three(),
        })
    }

    /// No end that lies before a key: the answer to such a watch has no name to wait for.
    fn end_above(&mut self) -> Bytes {
        if self.random.one_in(2) { Bytes::new() } else { Bytes::from_static(b"\0") }
    }
}

/// What a transaction and those inside it delete, and the keys of which they keep the value or the lease. An etcd that has
/// deleted such a key in the same transaction panics.
#[derive(Default)]
struct Kept {
    deletes: Vec<DeleteRangeRequest>,
    keys: Vec<Bytes>,
}

impl Kept {
    fn add(&mut self, txn: &TxnRequest) {
        for op in txn.success.iter().chain(&txn.failure) {
            match &op.request {
                Some(Request::RequestPut(put)) if put.ignore_value || put.ignore_lease => {
                    self.keys.push(put.key.clone());
                }
                Some(Request::RequestDeleteRange(delete)) => self.deletes.push(delete.clone()),
                Some(Request::RequestTxn(txn)) => self.add(txn),
                _ => {}
            }
        }
    }

    fn any_is_deleted(&self) -> bool {
        self.deletes.iter().any(|delete| {
            let end = &delete.range_end[..];
            self.keys.iter().any(|key| match end {
                [] => *key == delete.key,
                [0] => *key >= delete.key,
                _ => *key >= delete.key && &key[..] < end,
            })
        })
    }
}
