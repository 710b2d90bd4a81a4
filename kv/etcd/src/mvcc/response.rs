//! What a store answers. `revision` is what etcd puts into the header of its answer.

use bytes::Bytes;

use super::row::KeyValue;

/// The answer to a put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutResponse {
    /// The revision of the put.
    pub revision: i64,
    /// What the key was before, if it was asked for and there.
    pub prev_kv: Option<KeyValue>,
}

/// The answer to a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeResponse {
    /// The current revision, not the one that was read at.
    pub revision: i64,
    /// The keys.
    pub kvs: Vec<KeyValue>,
    /// Whether the limit has left keys out.
    pub more: bool,
    /// How many keys the range has at that revision, before limit and bounds.
    pub count: i64,
}

/// The answer to a delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteRangeResponse {
    /// The revision of the delete; the current one if there was nothing to delete.
    pub revision: i64,
    /// How many keys were deleted.
    pub deleted: i64,
    /// What they were, in their order, if it was asked for.
    pub prev_kvs: Vec<KeyValue>,
}

/// The answer to a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnResponse {
    /// The revision of its changes; the current one if it changed nothing. 0 in a transaction within another.
    pub revision: i64,
    /// Whether the conditions held.
    pub succeeded: bool,
    /// The answers to the operations that were done, in their order.
    pub responses: Vec<ResponseOp>,
}

/// The answer to one operation of a transaction. Its revision is the one after the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseOp {
    /// To a read.
    Range(RangeResponse),
    /// To a put.
    Put(PutResponse),
    /// To a delete.
    DeleteRange(DeleteRangeResponse),
    /// To a transaction.
    Txn(TxnResponse),
}

/// The answer to a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactResponse {
    /// The current revision.
    pub revision: i64,
}

/// The answer to the grant of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseGrantResponse {
    /// The current revision.
    pub revision: i64,
    /// The lease.
    pub id: i64,
    /// The seconds that it really got.
    pub ttl: i64,
}

/// The answer to the end of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseRevokeResponse {
    /// The revision of the deletes; the current one if the lease had no keys.
    pub revision: i64,
}

/// What is known of a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseStatus {
    /// The current revision.
    pub revision: i64,
    /// The seconds that are left, rounded down.
    pub ttl: i64,
    /// The seconds that it was granted.
    pub granted_ttl: i64,
    /// The keys that are attached to it, in their order, if they were asked for.
    pub keys: Vec<Bytes>,
}

/// The answer to a write that has nothing else to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The current revision.
    pub revision: i64,
}

/// A hash over all rows up to a revision, which every member of a cluster has to agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashKv {
    /// The current revision.
    pub revision: i64,
    /// The hash.
    pub hash: u32,
    /// The compacted revision that it was taken with; -1 if there is none.
    pub compact_revision: i64,
    /// The revision up to which it was taken.
    pub hash_revision: i64,
}

/// Figures of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The current revision.
    pub revision: i64,
    /// The revision of the last compaction; -1 if there was none.
    pub compact_revision: i64,
    /// Bytes of the file.
    pub db_size: i64,
    /// Bytes of the file that are not free pages.
    pub db_size_in_use: i64,
    /// Keys that the index knows, deleted ones with a history among them.
    pub keys: u64,
    /// Leases.
    pub leases: u64,
    /// Watchers.
    pub watchers: u64,
    /// Writes that were answered since the store was opened.
    pub writes: u64,
    /// Commits that they took.
    pub commits: u64,
    /// etcd's consistent index, if its file has one.
    pub consistent_index: u64,
    /// etcd's term, if its file has one.
    pub term: u64,
}
