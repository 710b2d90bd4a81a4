//! Figures in Prometheus's text, under etcd's names where etcd has them.

use std::fmt::Write as _;
use std::fs;

use crate::api::{Counts, Node};

/// All figures of a node.
pub(crate) fn text(node: &Node, counts: &Counts) -> String {
    let status = node.store.status();
    debug_assert!(status.compact_revision <= status.revision, "what is compacted has been");
    let quota = node.limits.quota.unwrap_or(0);
    let gauges = [
        ("etcd_server_has_leader", "gauge", 1),
        ("etcd_server_is_leader", "gauge", 1),
        ("etcd_server_leader_changes_seen_total", "counter", 0),
        ("etcd_server_quota_backend_bytes", "gauge", quota.cast_signed()),
        ("etcd_mvcc_db_total_size_in_bytes", "gauge", status.db_size),
        ("etcd_mvcc_db_total_size_in_use_in_bytes", "gauge", status.db_size_in_use),
        ("etcd_debugging_mvcc_current_revision", "gauge", status.revision),
        ("etcd_debugging_mvcc_compact_revision", "gauge", status.compact_revision),
        ("etcd_debugging_mvcc_keys_total", "gauge", status.keys.cast_signed()),
        ("etcd_debugging_mvcc_watcher_total", "gauge", status.watchers.cast_signed()),
        ("etcd_debugging_lease_total", "gauge", status.leases.cast_signed()),
        ("kv_etcd_writes_total", "counter", status.writes.cast_signed()),
        ("kv_etcd_commits_total", "counter", status.commits.cast_signed()),
    ];
    let mut text = String::new();
    for (name, kind, value) in gauges {
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    if let Some(bytes) = resident_bytes() {
        let name = "process_resident_memory_bytes";
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {bytes}");
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let name = "process_open_fds";
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {}", files.count());
    }
    counts.write_to(&mut text);
    debug_assert!(text.ends_with('\n'), "a figure has a line");
    text
}

/// Where the system tells it.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
