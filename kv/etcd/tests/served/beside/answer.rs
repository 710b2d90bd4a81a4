//! What a server answers.

use kv_etcd::api::proto::etcdserverpb::response_op::Response;
use kv_etcd::api::proto::etcdserverpb::{
    CompactionResponse, DeleteRangeResponse, HashKvResponse, LeaseGrantResponse, LeaseKeepAliveResponse,
    LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveResponse, PutResponse, RangeResponse, ResponseHeader,
    TxnResponse,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Range(RangeResponse),
    Put(PutResponse),
    Delete(DeleteRangeResponse),
    Txn(TxnResponse),
    Compact(CompactionResponse),
    HashKv(HashKvResponse),
    Grant(LeaseGrantResponse),
    Revoke(LeaseRevokeResponse),
    TimeToLive(LeaseTimeToLiveResponse),
    Leases(LeaseLeasesResponse),
    /// And how the stream ended after it.
    KeepAlive(Option<LeaseKeepAliveResponse>, Option<LeaseKeepAliveResponse>),
    /// What follows is seen by a watch.
    Done,
}

impl Answer {
    /// The store's revision.
    pub(crate) fn revision(&self) -> Option<i64> {
        let header = match self {
            Self::Range(answer) => answer.header,
            Self::Put(answer) => answer.header,
            Self::Delete(answer) => answer.header,
            Self::Txn(answer) => answer.header,
            Self::Compact(answer) => answer.header,
            _ => None,
        };
        header.map(|header| header.revision)
    }
}

/// The answer without what differs between two runs of one server: names of the member, and seconds that are left.
pub(crate) fn leveled(mut answer: Answer) -> Answer {
    let header = match &mut answer {
        Answer::Range(answer) => &mut answer.header,
        Answer::Put(answer) => &mut answer.header,
        Answer::Delete(answer) => &mut answer.header,
        Answer::Txn(answer) => {
            answer.responses.iter_mut().for_each(|response| assert_bare(response.response.as_ref()));
            &mut answer.header
        }
        Answer::Compact(answer) => &mut answer.header,
        Answer::HashKv(answer) => {
            // Of 3.6.
            answer.hash_revision = 0;
            &mut answer.header
        }
        Answer::Grant(answer) => &mut answer.header,
        Answer::Revoke(answer) => &mut answer.header,
        Answer::TimeToLive(answer) => {
            answer.keys.sort();
            // It is at least 1000 or there is none, see the generator.
            answer.ttl = answer.ttl.signum();
            &mut answer.header
        }
        Answer::Leases(answer) => {
            answer.leases.sort_by_key(|lease| lease.id);
            &mut answer.header
        }
        Answer::KeepAlive(Some(answer), _) => &mut answer.header,
        Answer::KeepAlive(None, _) | Answer::Done => return answer,
    };
    if let Some(header) = header {
        assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term != 0, "a whole header: {header:?}");
        *header = ResponseHeader { revision: header.revision, ..ResponseHeader::default() };
    }
    answer
}

/// etcd 3.7 answers without leases where only keys are asked for, earlier ones with them: such pairs have no value.
pub(crate) fn forget_leases_of_bare_keys(answer: &mut Answer) {
    match answer {
        Answer::Range(range) => in_range(range),
        Answer::Txn(txn) => in_txn(txn),
        _ => {}
    }
}

fn in_range(range: &mut RangeResponse) {
    range.kvs.iter_mut().filter(|kv| kv.value.is_empty()).for_each(|kv| kv.lease = 0);
}

fn in_txn(txn: &mut TxnResponse) {
    for response in &mut txn.responses {
        match &mut response.response {
            Some(Response::ResponseRange(range)) => in_range(range),
            Some(Response::ResponseTxn(txn)) => in_txn(txn),
            _ => {}
        }
    }
}

/// The answers in a transaction name no member.
fn assert_bare(response: Option<&Response>) {
    let header = match response {
        Some(Response::ResponseRange(answer)) => answer.header,
        Some(Response::ResponsePut(answer)) => answer.header,
        Some(Response::ResponseDeleteRange(answer)) => answer.header,
        Some(Response::ResponseTxn(answer)) => answer.header,
        None => None,
    };
    let header = header.unwrap_or_default();
    assert_eq!((header.cluster_id, header.member_id, header.raft_term), (0, 0, 0), "{response:?}");
}
