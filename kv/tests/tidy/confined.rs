//! What is allowed in few places only.

use crate::lines;
use crate::source::{Finding, Source, is_word, words};

/// Code that is allowed in few places only: the code, the places, and why there.
pub(crate) struct Confined {
    code: &'static str,
    crates: &'static [&'static str],
    places: &'static [(&'static str, &'static str)],
}

const CONFINED: [Confined; 5] = [
    Confined {
        code: "unsafe",
        crates: &["freelist-core", "pagefile-std", "kv", "benches"],
        places: &[
            ("pagefile-std/src/map.rs", "mapped bytes as slices"),
            ("pagefile-std/src/sys.rs", "system calls that std lacks"),
            ("kv/c/src/", "the C interface: what C passes in is pointers"),
            ("kv/examples/beside/heed/", "programs with heed, which opens a file by an unsafe function"),
            ("kv/tests/allocations.rs", "a test's counting allocator: the trait is unsafe to implement"),
            ("freelist-core/tests/failing_heap/", "a test's failing allocator: the trait is unsafe to implement"),
            ("freelist-core/bare-metal/cortex-m/src/main.rs", "a program without a system gives itself a heap"),
            ("freelist-core/bare-metal/riscv32/src/main.rs", "a program without a system gives itself a heap"),
            ("freelist-core/bare-metal/x86_64/src/main.rs", "a program without a system is entered and ends by hand"),
        ],
    },
    Confined {
        code: ".sync()",
        crates: &["kv/src"],
        places: &[
            ("kv/src/tx/persist.rs", "the commit"),
            ("kv/src/tx/redo/checkpoint.rs", "the checkpoint of a redo log"),
            ("kv/src/tx/redo/checkpointer.rs", "the same, beside commits"),
            ("kv/src/db/settle.rs", "the seal of a checkpoint that a crash has left"),
            ("kv/src/db/open.rs", "the seal, and a store that is empty"),
            ("kv/src/db/db.rs", "`Db::sync`, which makes durable what `no_sync` has put off"),
            ("kv/cli/src/files/survey.rs", "a store that hides a page of another passes on what it is asked for"),
        ],
    },
    Confined {
        code: ".write_durable_at(",
        crates: &["kv/src"],
        places: &[
            ("kv/src/tx/persist.rs", "the commit's meta"),
            ("kv/src/tx/redo/", "a unit of the redo log, and the meta of a checkpoint"),
        ],
    },
    Confined {
        code: "from_le_bytes",
        crates: &["kv/src"],
        places: &[
            ("kv/src/format/", "bytes to values"),
            ("kv/src/store/dirty_node", "a page that changes in place: its own positions, which it wrote itself"),
        ],
    },
    Confined { code: "println", crates: &["kv/src", "freelist-core/src", "pagefile-std/src"], places: &[] },
];

pub(crate) fn confined(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Confined { code, crates, places } in &CONFINED {
        let inside = crates.iter().any(|prefix| source.path.starts_with(prefix));
        if !inside || places.iter().any(|(place, _)| source.path.starts_with(place)) {
            continue;
        }
        // What is only unusual may be done by a test at the end of a file; `unsafe` may not.
        let text = if *code == "unsafe" { &source.code } else { source.product() };
        let found = if is_word(code.as_bytes().first()) { words(text, code) } else { offsets(text, code) };
        let allowed: Vec<String> = places.iter().map(|(place, why)| format!("{place} ({why})")).collect();
        let rule = format!("`{code}` is allowed only in {}", allowed.join(", "));
        findings.extend(found.into_iter().map(|at| source.finding(at, rule.clone())));
    }
    findings
}

fn offsets(text: &str, part: &str) -> Vec<usize> {
    text.match_indices(part).map(|(at, _)| at).collect()
}

/// The compiler refuses `unsafe` where the root of a crate says so.
pub(crate) fn forbids_unsafe(source: &Source) -> Vec<Finding> {
    const ROOTS: [&str; 10] = [
        "freelist-core/src/lib.rs",
        "kv/src/lib.rs",
        "kv/cli/src/lib.rs",
        "kv/cli/src/main.rs",
        "kv/etcd/src/lib.rs",
        "kv/testkit/src/lib.rs",
        "kv/testkit/timed-test/src/lib.rs",
        "benches/src/lib.rs",
        "benches/etcd/src/main.rs",
        "benches/peers/src/lib.rs",
    ];
    let level = match source.path.as_str() {
        "pagefile-std/src/lib.rs" => "#![deny(unsafe_code)]",
        path if ROOTS.contains(&path) => "#![forbid(unsafe_code)]",
        _ => return Vec::new(),
    };
    if source.code.contains(level) { Vec::new() } else { vec![source.finding(0, format!("must say `{level}`"))] }
}

#[test]
fn code_in_the_wrong_place_is_found() {
    let planted = "fn f() {\n    unsafe { g() }\n}\n";
    assert_eq!(lines(confined, "kv/src/tx/commit.rs", planted), [2]);
    assert_eq!(lines(confined, "pagefile-std/src/map.rs", planted), []);
    assert_eq!(lines(confined, "kv/c/src/pairs.rs", planted), []);
    assert_eq!(lines(confined, "kv/python/src/transaction.rs", planted), [2]);
    assert_eq!(lines(confined, "kv/src/lib.rs", "#![forbid(unsafe_code)]\n// unsafe\n"), []);
    assert_eq!(lines(confined, "kv/src/store/run.rs", "store\n    .sync()?;\n"), [2]);
    assert_eq!(lines(confined, "kv/src/tx/persist.rs", "store.sync()?;\n"), []);
    assert_eq!(lines(confined, "kv/src/db/open.rs", "u64::from_le_bytes(b)\n"), [1]);
    assert_eq!(lines(confined, "kv/src/format/meta.rs", "u64::from_le_bytes(b)\n"), []);
    assert_eq!(lines(confined, "kv/src/db/open.rs", "println!()\n"), [1]);
    assert_eq!(lines(forbids_unsafe, "kv/src/lib.rs", "//! #![forbid(unsafe_code)]\n"), [1]);
    assert_eq!(lines(forbids_unsafe, "kv/src/lib.rs", "#![forbid(unsafe_code)]\n"), []);
}
