//! The names of the real files in `kv/tests/fixtures`.

/// All files that bbolt and etcd wrote: `NAME.db`, with the whole content as text in `NAME.dump.txt`.
pub const FIXTURES: [&str; 5] = [
    "bbolt-inline-hashmap",
    "bbolt-single-array-nofreelist",
    "etcd34-small-array",
    "etcd34-small-array.synced",
    "etcd34-small-map",
];
