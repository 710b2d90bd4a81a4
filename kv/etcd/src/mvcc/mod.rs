//! The layer: keys with revisions over a file.
//!
//! | | |
//! | --- | --- |
//! | [`Store`] | open, read, write, compact, hash |
//! | [`PutRequest`], [`RangeRequest`], [`DeleteRangeRequest`], [`TxnRequest`], [`LeaseGrantRequest`] ... | what it is asked, under etcd's names |
//! | [`PutResponse`] ... | what it answers; `revision` is that of etcd's header |
//! | [`Store::submit`] | a write with a function to call, for callers that cannot wait |
//! | [`Store::watch`], [`Watcher`] | history, and then what happens |
//! | [`Error`] | refusals in etcd's words |
//!
//! # How it works
//! The rows of the file are etcd's: under each revision the key, its value, and its own revisions. Memory has an index from
//! each key to its revisions. A write takes the next revision, adds a row and an entry; a read asks the index for the row
//! of a revision. So a read sees one revision throughout, whatever is written meanwhile.

mod compaction;
mod error;
mod expiry;
mod hash;
mod index;
mod interval;
mod layout;
mod lease;
mod locked;
mod options;
mod pins;
mod queue;
mod read;
mod request;
mod response;
mod restore;
mod revision;
mod row;
mod shared;
mod store;
mod transaction;
mod txn;
mod undo;
mod watch;
mod writer;

pub use error::{Error, Result};
pub(crate) use layout::newest_row;
pub use options::{Options, Tombstones};
pub use queue::Write;
pub use request::{
    Alarm, AlarmRequest, CompactRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest,
    LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest, MemberRequest, PutRequest, RangeRequest, RequestOp,
    SortOrder, SortTarget, TxnRequest, prefix_range,
};
pub use response::{
    CompactResponse, DeleteRangeResponse, Done, HashKv, LeaseGrantResponse, LeaseRevokeResponse, LeaseStatus,
    PutResponse, RangeResponse, ResponseOp, Status, TxnResponse,
};
pub use revision::Revision;
pub use row::{KeyValue, LeaseRow};
pub use store::Store;
pub use watch::{Event, Events, WatchRequest, WatchUpdate, Watcher};
