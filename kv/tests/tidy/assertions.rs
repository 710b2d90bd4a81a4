//! How many assertions a room has: invariants are code, not prose.

use crate::source::{Source, words};

/// Rooms, each a folder, and what is in it that is not part of the room.
const ROOMS: [(&str, &[&str]); 10] = [
    ("freelist-core/src", &["freelist-core/src/conformance.rs"]),
    ("pagefile-std/src", &["pagefile-std/src/conformance.rs", "pagefile-std/src/sim/"]),
    ("kv/src/store", &[]),
    ("kv/src/tree", &[]),
    ("kv/src/tx", &[]),
    ("kv/src/db", &[]),
    (
        "kv/etcd/src/mvcc",
        // Declarations.
        &[
            "kv/etcd/src/mvcc/error.rs",
            "kv/etcd/src/mvcc/options.rs",
            "kv/etcd/src/mvcc/request.rs",
            "kv/etcd/src/mvcc/response.rs",
        ],
    ),
    ("kv/etcd/src/snapshot", &[]),
    (
        "kv/etcd/src/api",
        // Declarations, texts, and what is refused.
        &[
            "kv/etcd/src/api/auth.rs",
            "kv/etcd/src/api/cluster.rs",
            "kv/etcd/src/api/errors.rs",
            "kv/etcd/src/api/words.rs",
        ],
    ),
    ("kv/etcd/src/server", &["kv/etcd/src/server/options.rs"]),
];

/// A room has an assertion in so many lines of code at least.
const LINES_PER_ASSERTION: usize = 30;

/// Lines of code, and assertions among them, of a source without its tests.
fn count(source: &Source) -> (usize, usize) {
    let product = source.product();
    let names = ["assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "debug_assert_ne"];
    let calls = |name: &&str| {
        let found = words(product, name);
        found.into_iter().filter(|at| product[at + name.len()..].starts_with('!')).count()
    };
    (product.lines().filter(|line| !line.trim().is_empty()).count(), names.iter().map(calls).sum())
}

/// Room, lines of code, assertions.
fn table(sources: &[Source]) -> Vec<(&'static str, usize, usize)> {
    let total = |(room, apart): &(&'static str, &[&str])| {
        let prefix = format!("{room}/");
        let inside = sources.iter().filter(|source| source.path.starts_with(&prefix));
        let counted = inside.filter(|source| !apart.iter().any(|path| source.path.starts_with(path))).map(count);
        let (lines, assertions) = counted.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (*room, lines, assertions)
    };
    ROOMS.iter().map(total).collect()
}

#[test]
fn every_room_asserts_what_it_relies_on() {
    let mut poor = Vec::new();
    for (room, lines, assertions) in table(&crate::source::workspace()) {
        println!("{room:>18}: {assertions:>3} assertions in {lines:>4} lines, one in {}", lines / assertions.max(1));
        if assertions * LINES_PER_ASSERTION < lines {
            poor.push(room);
        }
    }
    assert!(poor.is_empty(), "fewer than one assertion in {LINES_PER_ASSERTION} lines: {poor:?}");
}

#[test]
fn assertions_of_the_product_are_counted() {
    let text = "fn f() {\n    // assert!(a)\n    assert!(a);\n    debug_assert_eq!(a, b, \"assert!(c)\");\n}\n";
    let tests = "#[cfg(test)]\nmod tests {\n    fn g() {\n        assert!(a);\n    }\n}\n";
    assert_eq!(count(&Source::new("kv/src/tx/commit.rs", &format!("{text}\n{tests}"))), (5, 2));
}
