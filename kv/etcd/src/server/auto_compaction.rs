//! Compaction without being asked.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::options::AutoCompaction;
use crate::api::Node;
use crate::mvcc::{self, CompactRequest};

/// How often it is looked how many revisions there are.
const REVISION_INTERVAL: Duration = Duration::from_secs(300);
/// Looks at the time per retention, and the longest pause between two.
const LOOKS: u32 = 10;
const LOOK_MAX: Duration = Duration::from_secs(360);

/// Runs until the node stops.
pub(crate) async fn run(node: &Node, auto_compaction: AutoCompaction, report: fn(&str)) {
    match auto_compaction {
        AutoCompaction::Off => {}
        AutoCompaction::Periodic(retention) => periodic(node, retention, report).await,
        AutoCompaction::Revision(kept) => by_revision(node, kept, report).await,
    }
}

/// Remembers which revision was the newest when, and compacts to the one that was it `retention` ago.
async fn periodic(node: &Node, retention: Duration, report: fn(&str)) {
    let pause = (retention / LOOKS).min(LOOK_MAX).max(Duration::from_millis(10));
    assert!(!pause.is_zero() && pause <= LOOK_MAX, "it is looked now and then");
    let mut seen = VecDeque::new();
    while next_look(node, pause).await {
        let newest = node.store.revision();
        debug_assert!(seen.back().is_none_or(|&(_, before)| before <= newest), "revisions ascend");
        seen.push_back((Instant::now(), newest));
        let mut due = None;
        while seen.front().is_some_and(|(at, _)| at.elapsed() >= retention) {
            due = seen.pop_front();
        }
        debug_assert!(due.is_none_or(|(_, revision)| revision <= newest), "what is seen is no longer the future");
        if let Some((_, revision)) = due {
            compact(node, revision, report).await;
        }
    }
}

async fn by_revision(node: &Node, kept: i64, report: fn(&str)) {
    while next_look(node, REVISION_INTERVAL).await {
        compact(node, node.store.revision() - kept, report).await;
    }
}

/// False once the node stops.
async fn next_look(node: &Node, pause: Duration) -> bool {
    tokio::select! {
        () = node.stopped() => false,
        () = sleep(pause) => true,
    }
}

async fn compact(node: &Node, revision: i64, report: fn(&str)) {
    if revision <= node.store.compact_revision().max(0) {
        return;
    }
    assert!(revision > 0, "there is something to compact");
    match node.write(CompactRequest { revision, physical: false }).await {
        Ok(_) => {}
        // Somebody else was quicker.
        Err(status) if status.message() == mvcc::Error::Compacted.to_string() => {}
        Err(status) => {
            report(&format!("cannot compact to revision {revision}: {}; it is tried again", status.message()));
        }
    }
}
