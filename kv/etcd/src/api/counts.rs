//! How often each method was answered, and how.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use tonic::Code;

/// Answers by method and code.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<(Box<str>, i32), u64>>);

/// Other names are counted together: clients could make up any number of them.
const UNKNOWN: &str = "/unknown/unknown";

impl Counts {
    /// One more answer of the method at `path`.
    pub(crate) fn add(&self, path: &str, code: Code) {
        let known = path.trim_start_matches('/').split_once('/');
        let known = known.is_some_and(|(service, _)| super::SERVICES.contains(&service)) && code != Code::Unimplemented;
        let key = (Box::from(if known { path } else { UNKNOWN }), code as i32);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    }

    /// As lines of Prometheus's text.
    pub(crate) fn write_to(&self, text: &mut String) {
        text.push_str("# TYPE grpc_server_handled_total counter\n");
        for ((path, code), count) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
            let code = code_name(Code::from(*code));
            let _ = writeln!(
                text,
                "grpc_server_handled_total{{grpc_code=\"{code}\",grpc_method=\"{method}\",grpc_service=\"{service}\"}} {count}"
            );
        }
    }
}

/// A code as etcd's metrics write it: one word, `OK` in capitals.
fn code_name(code: Code) -> String {
    if code == Code::Ok { "OK".to_owned() } else { format!("{code:?}") }
}
