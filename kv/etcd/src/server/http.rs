//! What is served over plain HTTP on the client port: health, versions and figures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http::HeaderValue};

use super::metrics;
use crate::api::proto::etcdserverpb::AlarmType;
use crate::api::{Counts, Node, VERSION};

/// What a page is made from.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) node: Arc<Node>,
    pub(crate) counts: Arc<Counts>,
}

/// All pages.
pub(crate) fn pages(sources: Sources) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .route("/metrics", get(figures))
        .with_state(sources)
}

fn page(kind: &'static str, code: StatusCode, text: String) -> Response {
    debug_assert!(!text.is_empty(), "a page says something");
    (code, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// etcd's words: healthy, or the first alarm.
async fn health(State(Sources { node, .. }): State<Sources>) -> Response {
    let name = |kind| AlarmType::try_from(kind).map_or("UNKNOWN", |kind| kind.as_str_name());
    match node.alarms().first() {
        None => page("application/json", StatusCode::OK, "{\"health\":\"true\",\"reason\":\"\"}".to_owned()),
        Some(alarm) => {
            let text = format!("{{\"health\":\"false\",\"reason\":\"ALARM {}\"}}", name(alarm.kind));
            page("application/json", StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

async fn ready(State(Sources { node, .. }): State<Sources>) -> Response {
    if node.has_alarm(AlarmType::Corrupt) {
        page("text/plain", StatusCode::SERVICE_UNAVAILABLE, "the file is corrupt\n".to_owned())
    } else {
        page("text/plain", StatusCode::OK, "ok\n".to_owned())
    }
}

async fn version() -> Response {
    let cluster = VERSION.rsplit_once('.').map_or(VERSION, |(minor, _)| minor);
    debug_assert_ne!(cluster, VERSION, "a version has three numbers");
    let text = format!("{{\"etcdserver\":\"{VERSION}\",\"etcdcluster\":\"{cluster}.0\"}}");
    page("application/json", StatusCode::OK, text)
}

async fn figures(State(Sources { node, counts }): State<Sources>) -> Response {
    page("text/plain; version=0.0.4", StatusCode::OK, metrics::text(&node, &counts))
}
