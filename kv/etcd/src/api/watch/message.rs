//! The answers of a watch as messages.

use prost::Message;

use crate::api::node::Node;
use crate::api::proto::etcdserverpb::WatchResponse;
use crate::api::proto::mvccpb::Event;
use crate::api::proto::mvccpb::event::EventType;
use crate::mvcc::{self, Events};

/// What a watch that never was is called.
pub(super) const NO_WATCH: i64 = -1;

pub(super) fn created(node: &Node, watch_id: i64, revision: i64) -> WatchResponse {
    WatchResponse { header: node.header(revision), watch_id, created: true, ..WatchResponse::default() }
}

/// A watch that could not be made.
pub(super) fn not_created(node: &Node, why: String) -> WatchResponse {
    WatchResponse { canceled: true, cancel_reason: why, ..created(node, NO_WATCH, node.store.revision()) }
}

pub(super) fn canceled(node: &Node, watch_id: i64, why: String) -> WatchResponse {
    debug_assert_ne!(watch_id, NO_WATCH, "a watch that ends has been");
    let header = node.header(node.store.revision());
    WatchResponse { header, watch_id, canceled: true, cancel_reason: why, ..WatchResponse::default() }
}

/// etcd's header has no revision here.
pub(super) fn compacted(node: &Node, watch_id: i64, compact_revision: i64) -> WatchResponse {
    debug_assert!(compact_revision > 0, "a watch begins anew from there");
    WatchResponse { header: node.header(0), watch_id, canceled: true, compact_revision, ..WatchResponse::default() }
}

pub(super) fn progress(node: &Node, watch_id: i64, revision: i64) -> WatchResponse {
    WatchResponse { header: node.header(revision), watch_id, ..WatchResponse::default() }
}

/// Events in one answer; in several of at most `max_bytes`, or of one event, if the watch asked for it.
pub(super) fn events(node: &Node, watch_id: i64, events: &Events, max_bytes: Option<usize>) -> Vec<WatchResponse> {
    let whole = WatchResponse { header: node.header(events.revision), watch_id, ..WatchResponse::default() };
    let mut parts = vec![whole.clone()];
    let mut bytes = 0;
    for event in events.events.iter().map(event) {
        let part = parts.last_mut().expect("there is one from the start");
        let more = event.encoded_len() + EVENT_OVERHEAD;
        if max_bytes.is_some_and(|max| !part.events.is_empty() && bytes + more > max) {
            part.fragment = true;
            parts.push(whole.clone());
            bytes = 0;
        }
        bytes += more;
        parts.last_mut().expect("there is one from the start").events.push(event);
    }
    debug_assert_eq!(
        parts.iter().map(|part| part.events.len()).sum::<usize>(),
        events.events.len(),
        "no event is lost"
    );
    debug_assert!(
        parts.iter().rev().enumerate().all(|(behind, part)| part.fragment == (behind > 0)),
        "all parts but the last say that others follow"
    );
    parts
}

/// What the message around an event adds to its bytes, at most.
const EVENT_OVERHEAD: usize = 6;

fn event(event: &mvcc::Event) -> Event {
    debug_assert!(event.kv.mod_revision > 0, "an event has its revision");
    let kind = if event.is_delete { EventType::Delete } else { EventType::Put };
    Event { r#type: kind.into(), kv: Some(event.kv.clone()), prev_kv: event.prev_kv.clone() }
}
