//! The file format shown by its other engines: Go's bbolt and etcd work with the
//! files that kv wrote, and kv with theirs.
//!
//! Two bbolts are built from `tests/peers`, and most tests run beside each: 1.5, a module, and 1.3, Debian's. Where one
//! of them or etcd is missing, its tests are skipped and say how to install it; `kv_testkit::found` has the rules.
//!
//! | variable | default | what |
//! | --- | --- | --- |
//! | `KV_CROSS_PROGRAMS` | 200 | random programs run by turns by bbolt and by kv on the same files ([`cross`]) |
//! | `KV_CROSS_IMAGES` | 1000 | power cuts of kv's files that bbolt opens ([`power_cut`]) |
//! | `KV_CROSS_SEED` | 1 | the first of their seeds |
//! | `KV_LIVE_SECONDS` | 3 | how long each file is looked into while another program writes it ([`live`]) |
//!
//! ```sh
//! KV_CROSS_PROGRAMS=10000 cargo test --release -p kv-bbolt --test compat cross
//! KV_CROSS_SEED=4711 KV_CROSS_PROGRAMS=1 cargo test -p kv-bbolt --test compat cross   # one failure again
//! ```
//!
//! A failure prints its seed, and the smallest program found that fails.

#[macro_use]
extern crate kv_testkit;

mod backup;
mod cross;
mod density;
mod etcd;
mod fixtures;
mod freelist;
mod live;
mod lock;
mod long_freelist;
mod meta;
mod power_cut;
mod redo_log;
mod restore;
mod self_test;
mod shrink;
mod table;
