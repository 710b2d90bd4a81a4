//! What a store can be asked. Names and meaning are those of etcd's API; the types are not protobuf's.

use bytes::Bytes;

/// A put of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutRequest {
    /// The key: at least one byte.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// The lease to attach the key to; 0 for none, which detaches it from the one it has.
    pub lease: i64,
    /// Whether the answer has what the key was before.
    pub prev_kv: bool,
    /// Keeps the value, which must be left empty here. The key must exist.
    pub ignore_value: bool,
    /// Keeps the lease, which must be left 0 here. The key must exist.
    pub ignore_lease: bool,
}

impl PutRequest {
    /// A put without options.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into(), ..Self::default() }
    }
}

/// A read of the keys of a range.
///
/// `range_end` is etcd's, here and in every other request: empty means `key` alone, one zero byte means every key from
/// `key` on, and everything else is the first key beyond the range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeRequest {
    /// The first key: at least one byte. One zero byte is before all keys.
    pub key: Bytes,
    /// Where the range ends.
    pub range_end: Bytes,
    /// The most keys in the answer; 0 or less for all. It applies after bounds and order.
    pub limit: i64,
    /// The revision to read at; 0 or less for the current one.
    pub revision: i64,
    /// The order of the answer. With [`SortOrder::None`] and another target than the key it is ascending.
    pub sort_order: SortOrder,
    /// What the answer is ordered by.
    pub sort_target: SortTarget,
    /// Leaves values out.
    pub keys_only: bool,
    /// Answers the count alone. Limit, order and bounds have no effect.
    pub count_only: bool,
    /// Leaves out keys that were last put before this revision, if it is not 0.
    pub min_mod_revision: i64,
    /// Leaves out keys that were last put after this revision, if it is not 0.
    pub max_mod_revision: i64,
    /// Leaves out keys that were created before this revision, if it is not 0.
    pub min_create_revision: i64,
    /// Leaves out keys that were created after this revision, if it is not 0.
    pub max_create_revision: i64,
}

impl RangeRequest {
    /// One key.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// The keys from `key` to the one before `range_end`.
    pub fn range(key: impl Into<Bytes>, range_end: impl Into<Bytes>) -> Self {
        Self { key: key.into(), range_end: range_end.into(), ..Self::default() }
    }

    /// All keys that begin with `prefix`; all keys if it is empty.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let (key, range_end) = prefix_range(&prefix.into());
        Self { key, range_end, ..Self::default() }
    }
}

/// `key` and `range_end` of all keys that begin with `prefix`.
///
/// ```
/// use kv_etcd::mvcc::prefix_range;
///
/// assert_eq!(prefix_range(b"a/"), ("a/".into(), "a0".into()));
/// assert_eq!(prefix_range(b""), ("\0".into(), "\0".into()));
/// ```
#[must_use]
pub fn prefix_range(prefix: &[u8]) -> (Bytes, Bytes) {
    let all = Bytes::from_static(b"\0");
    if prefix.is_empty() {
        return (all.clone(), all);
    }
    let end = prefix.iter().rposition(|&byte| byte < 0xff).map_or(all, |last| {
        let mut end = prefix[..=last].to_vec();
        end[last] += 1;
        end.into()
    });
    debug_assert!(end[..] == [0] || end[..] > *prefix, "a range ends behind its beginning, or with the last key");
    (Bytes::copy_from_slice(prefix), end)
}

/// The direction of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// As the keys lie.
    #[default]
    None,
    /// Smallest first.
    Ascend,
    /// Largest first.
    Descend,
}

/// What an order compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortTarget {
    /// The key.
    #[default]
    Key,
    /// The version.
    Version,
    /// The revision of the creation.
    Create,
    /// The revision of the last put.
    Mod,
    /// The value.
    Value,
}

/// A delete of the keys of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteRangeRequest {
    /// The first key: at least one byte.
    pub key: Bytes,
    /// Where the range ends, see [`RangeRequest`].
    pub range_end: Bytes,
    /// Whether the answer has what the keys were before.
    pub prev_kv: bool,
}

impl DeleteRangeRequest {
    /// One key.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// The keys from `key` to the one before `range_end`.
    pub fn range(key: impl Into<Bytes>, range_end: impl Into<Bytes>) -> Self {
        Self { key: key.into(), range_end: range_end.into(), ..Self::default() }
    }
}

/// Operations that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnRequest {
    /// What must hold, all of it, before any operation.
    pub compare: Vec<Compare>,
    /// What is done if it holds.
    pub success: Vec<RequestOp>,
    /// What is done if it does not.
    pub failure: Vec<RequestOp>,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOp {
    /// A read. It sees what the operations before it have changed.
    Range(RangeRequest),
    /// A put.
    Put(PutRequest),
    /// A delete.
    DeleteRange(DeleteRangeRequest),
    /// Another transaction. Its compares, too, see the state before the outermost one.
    Txn(TxnRequest),
    /// None: clients can send it, and it is refused.
    Empty,
}

/// A condition: what is stored, `result`, what is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The key: at least one byte.
    pub key: Bytes,
    /// Where the range ends, see [`RangeRequest`]: the condition must hold for each of its keys.
    pub range_end: Bytes,
    /// How the two compare.
    pub result: CompareResult,
    /// What is compared, and with what. A key that is not there has zero everywhere, and no value.
    pub target: CompareTarget,
}

impl Compare {
    /// A condition for one key.
    pub fn new(key: impl Into<Bytes>, result: CompareResult, target: CompareTarget) -> Self {
        Self { key: key.into(), range_end: Bytes::new(), result, target }
    }
}

/// How what is stored compares with what is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareResult {
    /// They are equal.
    Equal,
    /// What is stored is greater.
    Greater,
    /// What is stored is less.
    Less,
    /// They differ.
    NotEqual,
}

/// What a condition compares, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareTarget {
    /// The version.
    Version(i64),
    /// The revision of the creation.
    Create(i64),
    /// The revision of the last put.
    Mod(i64),
    /// The value, byte by byte.
    Value(Bytes),
    /// The lease.
    Lease(i64),
}

/// Forgets everything that no read at `revision` or later needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactRequest {
    /// The oldest revision that stays readable.
    pub revision: i64,
    /// Answers when the rows are deleted; otherwise as soon as the revision is set.
    pub physical: bool,
}

/// A new lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseGrantRequest {
    /// Its id; 0 lets the store choose.
    pub id: i64,
    /// How many seconds it lives without a renewal; raised to [`Options::min_lease_ttl`](super::Options::min_lease_ttl).
    pub ttl: i64,
}

/// Ends a lease, and deletes the keys that are attached to it in one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseRevokeRequest {
    /// The lease.
    pub id: i64,
}

/// Notes in the file how long leases have to live, so that they do not start anew with the next opening of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseCheckpointRequest {
    /// Leases, and the seconds that each has left; 0 for its full time. Leases that are gone are passed over.
    pub leases: Vec<(i64, i64)>,
}

/// Sets or clears an alarm, a note in the file that outlives the process. The store does not act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmRequest {
    /// The alarm.
    pub alarm: Alarm,
    /// Whether it is set.
    pub active: bool,
}

/// A condition of a member of a cluster that its owner has to deal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alarm {
    /// The member.
    pub member: u64,
    /// etcd's number of the condition: 1 for no space, 2 for a corrupt file.
    pub kind: i32,
}

/// Writes the newest version of the cluster, and the row of the only member, where etcd keeps them. What is the same as
/// before costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberRequest {
    /// The member's id.
    pub id: u64,
    /// The member as JSON, in etcd's notation.
    pub json: String,
    /// The version of the cluster, for example `3.5.0`.
    pub cluster_version: String,
}
