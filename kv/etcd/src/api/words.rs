//! Refusals that the gRPC library makes before a service is asked, in the words that etcd's clients know; and a count of
//! all answers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tonic::{Code, Status};

use super::counts::Counts;

/// Sees every answer of a service.
pub(crate) async fn reword(State(counts): State<Arc<Counts>>, request: Request, next: Next) -> Response {
    let path = request.uri().clone();
    let response = next.run(request).await;
    let Some(status) = response.headers().get(Status::GRPC_STATUS) else {
        // The answer follows, and its status comes last.
        counts.add(path.path(), Code::Ok);
        return response;
    };
    let code = Code::from_bytes(status.as_bytes());
    counts.add(path.path(), code);
    let message = response.headers().get(Status::GRPC_MESSAGE);
    match reworded(code, message.and_then(|message| message.to_str().ok()).unwrap_or_default(), path.path()) {
        Some(status) => status.into_http(),
        None => response,
    }
}

/// What etcd says instead, if it says something else. `said` is as it travels, percent-encoded.
fn reworded(code: Code, said: &str, path: &str) -> Option<Status> {
    match code {
        Code::OutOfRange => {
            let (found, limit) = too_long(&said.replace("%20", " "))?;
            let text = format!("grpc: received message larger than max ({found} vs. {limit})");
            Some(Status::resource_exhausted(text))
        }
        Code::Unimplemented if said.is_empty() => {
            let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
            let known = super::SERVICES.contains(&service);
            Some(Status::unimplemented(if known {
                format!("unknown method {method} for service {service}")
            } else {
                format!("unknown service {service}")
            }))
        }
        _ => None,
    }
}

/// The two numbers of tonic's refusal of a message that is too long.
fn too_long(said: &str) -> Option<(u64, u64)> {
    let rest = said.split_once("decoded message length too large: found ")?.1;
    let (found, rest) = rest.split_once(" bytes, the limit is: ")?;
    Some((found.parse().ok()?, rest.strip_suffix(" bytes")?.parse().ok()?))
}
