//! A real etcd serves from files that went through the command.
#![cfg(unix)]

use std::fs;

use kv_testkit::etcd::{Store, database, open};

use crate::tool::Bench;

/// The command cuts its copy at the high-water mark, which the library's call does not.
#[test]
fn etcd_serves_from_what_the_command_compacted() {
    let Some(mut store) = Store::fill() else { return };
    let (path, bench) = (database(&store.data), Bench::new());
    let compacted = bench.path("compacted");
    bench.kv(&["compact", "-o", "compacted", path.to_str().unwrap()]).ok();
    let used = open(&compacted).expect("kv opens the copy").begin_read().size();
    assert_eq!(fs::metadata(&compacted).expect("there is a copy").len(), used, "it ends with its last page");
    store.assert_sound(&compacted);
    fs::copy(&compacted, &path).expect("etcd has stopped");
    store.assert_served(&store.data.clone());
}
