//! Requests as the store takes them, and its answers as messages.

use tonic::Status;

use super::errors::{INVALID_SORT, refuse};
use super::node::Node;
use super::proto::etcdserverpb as pb;
use super::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use super::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use super::proto::etcdserverpb::{request_op, response_op};
use crate::mvcc;

/// A read.
///
/// # Errors
/// The order is none of etcd's.
pub(super) fn range(request: pb::RangeRequest) -> Result<mvcc::RangeRequest, Status> {
    let unknown = |_| refuse(INVALID_SORT);
    let sort_order = match SortOrder::try_from(request.sort_order).map_err(unknown)? {
        SortOrder::None => mvcc::SortOrder::None,
        SortOrder::Ascend => mvcc::SortOrder::Ascend,
        SortOrder::Descend => mvcc::SortOrder::Descend,
    };
    let sort_target = match SortTarget::try_from(request.sort_target).map_err(unknown)? {
        SortTarget::Key => mvcc::SortTarget::Key,
        SortTarget::Version => mvcc::SortTarget::Version,
        SortTarget::Create => mvcc::SortTarget::Create,
        SortTarget::Mod => mvcc::SortTarget::Mod,
        SortTarget::Value => mvcc::SortTarget::Value,
    };
    Ok(mvcc::RangeRequest {
        key: request.key,
        range_end: request.range_end,
        limit: request.limit,
        revision: request.revision,
        sort_order,
        sort_target,
        keys_only: request.keys_only,
        count_only: request.count_only,
        min_mod_revision: request.min_mod_revision,
        max_mod_revision: request.max_mod_revision,
        min_create_revision: request.min_create_revision,
        max_create_revision: request.max_create_revision,
    })
}

pub(super) fn put(request: pb::PutRequest) -> mvcc::PutRequest {
    mvcc::PutRequest {
        key: request.key,
        value: request.value,
        lease: request.lease,
        prev_kv: request.prev_kv,
        ignore_value: request.ignore_value,
        ignore_lease: request.ignore_lease,
    }
}

pub(super) fn delete_range(request: pb::DeleteRangeRequest) -> mvcc::DeleteRangeRequest {
    mvcc::DeleteRangeRequest { key: request.key, range_end: request.range_end, prev_kv: request.prev_kv }
}

/// A transaction.
///
/// # Errors
/// The order of a read is none of etcd's.
pub(super) fn txn(request: pb::TxnRequest) -> Result<mvcc::TxnRequest, Status> {
    let operations = |these: Vec<pb::RequestOp>| these.into_iter().map(operation).collect::<Result<_, _>>();
    let asked = (request.compare.len(), request.success.len(), request.failure.len());
    let txn = mvcc::TxnRequest {
        compare: request.compare.into_iter().map(compare).collect(),
        success: operations(request.success)?,
        failure: operations(request.failure)?,
    };
    assert_eq!(
        (txn.compare.len(), txn.success.len(), txn.failure.len()),
        asked,
        "nothing of a transaction is left out"
    );
    Ok(txn)
}

fn operation(operation: pb::RequestOp) -> Result<mvcc::RequestOp, Status> {
    Ok(match operation.request {
        Some(request_op::Request::RequestRange(request)) => mvcc::RequestOp::Range(range(request)?),
        Some(request_op::Request::RequestPut(request)) => mvcc::RequestOp::Put(put(request)),
        Some(request_op::Request::RequestDeleteRange(request)) => mvcc::RequestOp::DeleteRange(delete_range(request)),
        Some(request_op::Request::RequestTxn(request)) => mvcc::RequestOp::Txn(txn(request)?),
        None => mvcc::RequestOp::Empty,
    })
}

/// What is not given counts as zero; a number that protobuf does not know as the first of its kind.
fn compare(compare: pb::Compare) -> mvcc::Compare {
    let (result, target) = (compare.result(), compare.target());
    let given = compare.target_union;
    let number = |of: fn(&TargetUnion) -> Option<i64>| given.as_ref().and_then(of).unwrap_or_default();
    let target = match target {
        CompareTarget::Version => mvcc::CompareTarget::Version(number(|given| match given {
            TargetUnion::Version(version) => Some(*version),
            _ => None,
        })),
        CompareTarget::Create => mvcc::CompareTarget::Create(number(|given| match given {
            TargetUnion::CreateRevision(revision) => Some(*revision),
            _ => None,
        })),
        CompareTarget::Mod => mvcc::CompareTarget::Mod(number(|given| match given {
            TargetUnion::ModRevision(revision) => Some(*revision),
            _ => None,
        })),
        CompareTarget::Lease => mvcc::CompareTarget::Lease(number(|given| match given {
            TargetUnion::Lease(lease) => Some(*lease),
            _ => None,
        })),
        CompareTarget::Value => mvcc::CompareTarget::Value(match given {
            Some(TargetUnion::Value(value)) => value,
            _ => bytes::Bytes::new(),
        }),
    };
    let result = match result {
        CompareResult::Equal => mvcc::CompareResult::Equal,
        CompareResult::Greater => mvcc::CompareResult::Greater,
        CompareResult::Less => mvcc::CompareResult::Less,
        CompareResult::NotEqual => mvcc::CompareResult::NotEqual,
    };
    mvcc::Compare { key: compare.key, range_end: compare.range_end, result, target }
}

impl Node {
    pub(super) fn ranged(&self, done: mvcc::RangeResponse) -> pb::RangeResponse {
        debug_assert!(done.kvs.len() as u64 <= done.count.unsigned_abs(), "what is returned was counted");
        pb::RangeResponse { header: self.header(done.revision), ..bare_range(done) }
    }

    pub(super) fn was_put(&self, done: mvcc::PutResponse) -> pb::PutResponse {
        debug_assert!(
            done.prev_kv.as_ref().is_none_or(|before| before.mod_revision < done.revision),
            "what was there before is older"
        );
        pb::PutResponse { header: self.header(done.revision), prev_kv: done.prev_kv }
    }

    pub(super) fn deleted(&self, done: mvcc::DeleteRangeResponse) -> pb::DeleteRangeResponse {
        debug_assert!(
            done.prev_kvs.is_empty() || done.prev_kvs.len() as u64 == done.deleted.unsigned_abs(),
            "all deleted keys are returned, or none"
        );
        pb::DeleteRangeResponse { header: self.header(done.revision), ..bare_delete(done) }
    }

    pub(super) fn decided(&self, done: mvcc::TxnResponse) -> pb::TxnResponse {
        pb::TxnResponse { header: self.header(done.revision), ..bare_txn(done) }
    }
}

/// Headers within a transaction name no member.
#[expect(clippy::unnecessary_wraps, reason = "messages have it so")]
fn bare(revision: i64) -> Option<pb::ResponseHeader> {
    debug_assert!(revision >= 0, "an answer has a revision of the store");
    Some(pb::ResponseHeader { revision, ..pb::ResponseHeader::default() })
}

fn bare_range(done: mvcc::RangeResponse) -> pb::RangeResponse {
    pb::RangeResponse { header: bare(done.revision), kvs: done.kvs, more: done.more, count: done.count }
}

fn bare_delete(done: mvcc::DeleteRangeResponse) -> pb::DeleteRangeResponse {
    pb::DeleteRangeResponse { header: bare(done.revision), deleted: done.deleted, prev_kvs: done.prev_kvs }
}

fn bare_txn(done: mvcc::TxnResponse) -> pb::TxnResponse {
    let responses = done.responses.into_iter().map(|response| pb::ResponseOp { response: Some(answer(response)) });
    pb::TxnResponse { header: bare(done.revision), succeeded: done.succeeded, responses: responses.collect() }
}

fn answer(response: mvcc::ResponseOp) -> response_op::Response {
    match response {
        mvcc::ResponseOp::Range(done) => response_op::Response::ResponseRange(bare_range(done)),
        mvcc::ResponseOp::Put(done) => {
            response_op::Response::ResponsePut(pb::PutResponse { header: bare(done.revision), prev_kv: done.prev_kv })
        }
        mvcc::ResponseOp::DeleteRange(done) => response_op::Response::ResponseDeleteRange(bare_delete(done)),
        mvcc::ResponseOp::Txn(done) => response_op::Response::ResponseTxn(bare_txn(done)),
    }
}
