//! What is asked of both servers.

use kv_etcd::api::proto::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest, WatchCreateRequest};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Range(RangeRequest),
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Txn(TxnRequest),
    /// To this revision; the answer comes when the rows are gone.
    Compact(i64),
    HashKv(i64),
    Grant {
        id: i64,
        ttl: i64,
    },
    Revoke(i64),
    TimeToLive(i64),
    Leases,
    KeepAlive(i64),
    Watch(WatchCreateRequest),
    Cancel(i64),
    Progress,
}

impl Step {
    /// Whether its answer depends on how far the watches have come: all must have come to the end.
    pub(crate) fn needs_settled_watches(&self) -> bool {
        matches!(self, Self::Compact(_) | Self::Cancel(_) | Self::Progress)
    }
}
