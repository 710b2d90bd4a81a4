//! Refusals as etcd codes and words them. Clients compare the text, so it is etcd's to the letter.

use tonic::{Code, Status};

use crate::mvcc;

/// A refusal that the services themselves make: what follows etcd's `etcdserver: `.
pub(crate) type Refusal = (Code, &'static str);

pub(crate) const REQUEST_TOO_LARGE: Refusal = (Code::InvalidArgument, "request is too large");
pub(crate) const INVALID_SORT: Refusal = (Code::InvalidArgument, "invalid sort option");
pub(crate) const CORRUPT: Refusal = (Code::DataLoss, "corrupt cluster");
pub(crate) const MEMBER_NOT_FOUND: Refusal = (Code::NotFound, "member not found");
pub(crate) const BAD_MEMBER_URLS: Refusal = (Code::InvalidArgument, "given member URLs are invalid");
pub(crate) const BAD_LEADER_TRANSFEREE: Refusal = (Code::FailedPrecondition, "bad leader transferee");
pub(crate) const NO_INFLIGHT_DOWNGRADE: Refusal = (Code::FailedPrecondition, "no inflight downgrade job");
pub(crate) const AUTH_NOT_ENABLED: Refusal = (Code::FailedPrecondition, "authentication is not enabled");
pub(crate) const NO_ROOT_USER: Refusal = (Code::FailedPrecondition, "root user does not exist");
pub(crate) const USER_NOT_FOUND: Refusal = (Code::FailedPrecondition, "user name not found");
pub(crate) const ROLE_NOT_FOUND: Refusal = (Code::FailedPrecondition, "role name not found");
pub(crate) const WATCH_CANCELED: Refusal = (Code::Cancelled, "watch canceled");

/// The answer that says so.
pub(crate) fn refuse((code, text): Refusal) -> Status {
    Status::new(code, format!("etcdserver: {text}"))
}

/// The answer to what one node without roles does not do.
pub(crate) fn not_here(what: &str) -> Status {
    Status::unimplemented(format!("etcdserver: {what} is not served by this single node"))
}

/// What the store refuses has etcd's words already.
pub(crate) fn of_store(error: &mvcc::Error) -> Status {
    use mvcc::Error;
    let code = match error {
        Error::EmptyKey
        | Error::KeyNotFound
        | Error::ValueProvided
        | Error::LeaseProvided
        | Error::TooManyOps
        | Error::DuplicateKey => Code::InvalidArgument,
        Error::Compacted | Error::FutureRevision | Error::LeaseTtlTooLarge => Code::OutOfRange,
        Error::LeaseNotFound => Code::NotFound,
        Error::LeaseExists => Code::FailedPrecondition,
        Error::NoSpace | Error::TooManyRequests => Code::ResourceExhausted,
        Error::Stopped => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, error.to_string())
}
