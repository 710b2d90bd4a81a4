//! The house keeps its order: who may know whom, where `unsafe` and `sync` may stand, how long things may be.
//!
//! Everything is read off the sources of the workspace, so a line in the wrong room fails the ordinary test run. Each
//! rule is a function from a file to findings, and is shown to find something by a planted line.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the top of the workspace, its text, and the text with everything that is not code
/// (comments, insides of strings and characters) blanked out.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    fn finding(&self, offset: usize, rule: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line: line_of(&self.text, offset), rule: rule.into() }
    }

    /// Offsets in the code at which `word` stands by itself.
    fn words(&self, word: &str) -> Vec<usize> {
        words(&self.code, word)
    }

    /// The code before the tests at the file's end; none in a file that has nothing else.
    fn product(&self) -> &str {
        if self.code.contains("\n#![cfg(test)]\n") {
            return "";
        }
        self.code.split_once("\nmod tests {").map_or(&self.code, |(product, _)| product)
    }
}

/// A rule that is broken, and where.
struct Finding {
    path: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn words(text: &str, word: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_word(before) && !is_word(bytes.get(at + word.len()))
    };
    text.match_indices(word).map(|(at, _)| at).filter(|&at| alone(at)).collect()
}

/// The text with comments and the insides of strings and characters as spaces; lines and offsets stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of_line(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' if !is_word(at.checked_sub(1).and_then(|before| bytes.get(before)).filter(|byte| **byte != b'b')) => {
                end_of_raw_string(bytes, at)
            }
            b'\'' => end_of_character(bytes, at),
            _ => at,
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("what is blanked is whole characters")
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |len| at + len)
}

fn end_of_comment(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < bytes.len() {
        match &bytes[end..] {
            [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
            [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// `at` itself where no raw string begins.
fn end_of_raw_string(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return at;
    }
    let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
    let len = bytes[open + 1..].windows(close.len()).position(|window| window == close);
    len.map_or(bytes.len(), |len| open + 1 + len + close.len())
}

/// `at` itself where a lifetime begins.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    match &bytes[at + 1..] {
        [b'\\', _, rest @ ..] => {
            rest.iter().position(|&byte| byte == b'\'').map_or(bytes.len(), |len| at + 3 + len + 1)
        }
        [_, b'\'', ..] => at + 3,
        _ => at,
    }
}

/// The rooms of `kv`, lowest first: a room may know those before it.
const ROOMS: [&str; 6] = ["format", "store", "tree", "tx", "db", "mvcc"];

/// `freelist-core <- pagefile-std <- kv`, and in it `format <- store <- tree <- tx <- db <- mvcc`.
fn one_way_flow(source: &Source) -> Vec<Finding> {
    let above: &[&str] = match source.path.split('/').next() {
        Some("freelist-core") => &["pagefile_std", "kv"],
        Some("pagefile-std") => &["kv"],
        _ => &[],
    };
    let mut findings = Vec::new();
    for name in above {
        let named = source.words(name).into_iter().filter(|at| source.code[at + name.len()..].starts_with("::"));
        findings.extend(named.map(|at| source.finding(at, format!("looks up at {name}: the arrow points down"))));
    }
    let Some(module) = source.path.strip_prefix("kv/src/") else {
        return findings;
    };
    let module: Vec<&str> = module.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let Some(rank) = rank(module[0]) else { return findings };
    for (at, name) in crate_names(source.product(), &module) {
        let known = match ROOMS.iter().position(|room| *room == name) {
            Some(room) => room < rank || name == module[0],
            None => name == "error" || name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
        };
        if !known {
            let rule = format!("`{}` looks at `{name}`: the flow is error <- {} <- lib", module[0], ROOMS.join(" <- "));
            findings.push(source.finding(at, rule));
        }
    }
    findings
}

/// How many rooms a file's room may know; none for the crate's root, which gathers all.
fn rank(room: &str) -> Option<usize> {
    match room {
        "lib" => None,
        "error" => Some(0),
        _ => Some(ROOMS.iter().position(|name| *name == room).unwrap_or_else(|| panic!("{room} is no room"))),
    }
}

/// What `crate::` and chains of `super::` that reach the crate's root name there, with their places.
fn crate_names(code: &str, module: &[&str]) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for (start, word) in [("crate", 1), ("super", module.len())].into_iter().flat_map(|(word, links)| {
        words(code, word).into_iter().map(move |at| (at, [word, "::"].concat().repeat(links)))
    }) {
        if code[..start].ends_with("::") {
            continue;
        }
        let Some(rest) = code[start..].strip_prefix(&word) else { continue };
        match rest.strip_prefix('{') {
            None => names.extend(first_name(rest).map(|name| (start, name))),
            Some(list) => names.extend(listed(list).into_iter().map(|name| (start, name))),
        }
    }
    names
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first names of the items of a `{...}` list that has just been opened.
fn listed(text: &str) -> Vec<String> {
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(first_name(std::mem::take(&mut item).trim())),
            _ => {}
        }
        if depth == 0 && c != ',' {
            item.push(c);
        }
    }
    names.extend(first_name(item.trim()));
    names
}

/// What may stand in few places only: the code, the places, and why there.
struct Confined {
    code: &'static str,
    crates: &'static [&'static str],
    places: &'static [(&'static str, &'static str)],
}

const CONFINED: [Confined; 4] = [
    Confined {
        code: "unsafe",
        crates: &["freelist-core", "pagefile-std", "kv", "benches"],
        places: &[
            ("pagefile-std/src/map.rs", "mapped bytes as slices"),
            ("pagefile-std/src/sys.rs", "system calls that std lacks"),
            ("kv/tests/no_allocation.rs", "a test's counting allocator: the trait is unsafe to implement"),
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
            ("kv/src/db/open.rs", "the seal, and a store that is empty"),
            ("kv/src/db/db.rs", "`Db::sync`, which makes durable what `no_sync` has put off"),
            (
                "kv/cli/src/commands/map/survey.rs",
                "a store that hides a page of another passes on what it is asked for",
            ),
        ],
    },
    Confined {
        code: "from_le_bytes",
        crates: &["kv/src"],
        places: &[
            ("kv/src/format/", "bytes to values"),
            ("kv/src/store/dirty_node.rs", "a page that changes in place: its own positions, which it wrote itself"),
        ],
    },
    Confined { code: "println", crates: &["kv/src", "freelist-core/src", "pagefile-std/src"], places: &[] },
];

fn confined(source: &Source) -> Vec<Finding> {
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
        let rule = format!("`{code}` stands only in {}", allowed.join(", "));
        findings.extend(found.into_iter().map(|at| source.finding(at, rule.clone())));
    }
    findings
}

fn offsets(text: &str, part: &str) -> Vec<usize> {
    text.match_indices(part).map(|(at, _)| at).collect()
}

/// The compiler refuses `unsafe` where the root of a crate says so.
fn forbids_unsafe(source: &Source) -> Vec<Finding> {
    const ROOTS: [&str; 5] =
        ["freelist-core/src/lib.rs", "kv/src/lib.rs", "kv/cli/src/lib.rs", "kv/cli/src/main.rs", "benches/src/lib.rs"];
    let level = match source.path.as_str() {
        "pagefile-std/src/lib.rs" => "#![deny(unsafe_code)]",
        path if ROOTS.contains(&path) => "#![forbid(unsafe_code)]",
        _ => return Vec::new(),
    };
    if source.code.contains(level) { Vec::new() } else { vec![source.finding(0, format!("must say `{level}`"))] }
}

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn sizes(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
    if lines > FILE_LINES_MAX {
        findings
            .push(source.finding(0, format!("{lines} lines of code: at most {FILE_LINES_MAX}, a file has one idea")));
    }
    for at in source.words("fn") {
        let lines = function_lines(&source.code[at..]);
        if lines > FUNCTION_LINES_MAX {
            findings.push(source.finding(at, format!("a function of {lines} lines: at most {FUNCTION_LINES_MAX}")));
        }
    }
    findings
}

/// Lines from `fn` to the brace that closes the body; 0 where there is no body.
fn function_lines(code: &str) -> usize {
    let Some(open) = code.find(['{', ';']).filter(|&at| code[at..].starts_with('{')) else { return 0 };
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return line_of(code, open + at);
        }
    }
    0
}

fn names_and_words(source: &Source) -> Vec<Finding> {
    const DRAWERS: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "types", "stuff"];
    // Written in two halves, or this file would find itself.
    const PROMISES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut findings = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/').filter(|part| DRAWERS.contains(part)) {
        findings.push(source.finding(0, format!("`{part}` is a drawer, not a name: say what is in it")));
    }
    for word in PROMISES {
        let found = words(&source.text, word);
        findings.extend(found.into_iter().map(|at| source.finding(at, format!("`{word}`: do it, or open an issue"))));
    }
    if let Some(at) = source.text.bytes().position(|byte| !byte.is_ascii()) {
        findings.push(source.finding(at, "not ASCII"));
    }
    findings
}

const RULES: [fn(&Source) -> Vec<Finding>; 5] = [one_way_flow, confined, forbids_unsafe, sizes, names_and_words];

fn workspace() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("kv lies in the workspace");
    let mut waiting: Vec<PathBuf> =
        ["freelist-core", "pagefile-std", "kv", "benches"].map(|name| top.join(name)).into();
    let mut sources = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            waiting.extend(entries.filter(|path| !path.ends_with("target")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let from_top = path.strip_prefix(top).unwrap().components().map(|part| part.as_os_str().to_str().unwrap());
            sources.push(Source::new(&from_top.collect::<Vec<_>>().join("/"), &fs::read_to_string(&path).unwrap()));
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

#[test]
fn the_workspace_keeps_its_rules() {
    let sources = workspace();
    for room in &ROOMS[..5] {
        let prefix = format!("kv/src/{room}/");
        assert!(sources.iter().any(|source| source.path.starts_with(&prefix)), "{prefix} is gone: mend this test");
    }
    let findings: Vec<String> = sources
        .iter()
        .flat_map(|source| RULES.iter().flat_map(move |rule| rule(source)))
        .map(|finding| finding.to_string())
        .collect();
    assert!(findings.is_empty(), "{} broken rules:\n{}", findings.len(), findings.join("\n"));
}

/// The lines in which `rule` finds something in `text`, as if it were at `path`.
fn lines(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text)).into_iter().map(|finding| finding.line).collect()
}

#[test]
fn an_upward_look_is_found() {
    let tree = |text| lines(one_way_flow, "kv/src/tree/cursor.rs", text);
    assert_eq!(tree("use crate::store::Pages;\nuse crate::error::Result;\nuse super::path::Path;\n"), []);
    assert_eq!(tree("use crate::store::Pages;\nuse crate::tx::Core;\n"), [2]);
    assert_eq!(tree("use crate::{\n    format::{Leaf, Node},\n    db::Db,\n};\n"), [1]);
    assert_eq!(tree("fn f() -> u8 {\n    crate::tx::one()\n}\n"), [2]);
    assert_eq!(tree("use super::super::db::Db;\n"), [1]);
    assert_eq!(tree("use super::super::store::Pages;\n"), []);
    assert_eq!(tree("use crate::Db;\n"), [1], "a re-export hides the room");
    assert_eq!(tree("use crate::MAX_KEY_SIZE;\n"), []);
    assert_eq!(tree("// crate::tx\n/// [`Db`](crate::Db)\nconst A: &str = \"crate::tx\";\n"), []);
    assert_eq!(tree("#[cfg(test)]\nmod tests {\n    use crate::tx::Core;\n}\n"), [], "tests may look around");
    assert_eq!(tree("//! Models.\n#![cfg(test)]\nuse crate::tx::Core;\n"), [], "and so may files of nothing else");
    assert_eq!(lines(one_way_flow, "kv/src/db/surgery/edit.rs", "use super::super::open::newer;\n"), []);
    assert_eq!(lines(one_way_flow, "kv/src/error.rs", "use crate::format::Meta;\n"), [1]);
    assert_eq!(lines(one_way_flow, "kv/src/db/mod.rs", "use crate::mvcc::Store;\n"), [1]);
    assert_eq!(lines(one_way_flow, "kv/src/mvcc/store.rs", "use crate::db::Db;\n"), []);
    assert_eq!(lines(one_way_flow, "kv/src/lib.rs", "pub use crate::db::Db;\n"), []);
    assert_eq!(lines(one_way_flow, "freelist-core/src/page.rs", "use pagefile_std::View;\n"), [1]);
    assert_eq!(lines(one_way_flow, "pagefile-std/src/mem.rs", "use freelist_core::PageId;\n"), []);
}

#[test]
fn what_stands_in_the_wrong_place_is_found() {
    let planted = "fn f() {\n    unsafe { g() }\n}\n";
    assert_eq!(lines(confined, "kv/src/tx/commit.rs", planted), [2]);
    assert_eq!(lines(confined, "pagefile-std/src/map.rs", planted), []);
    assert_eq!(lines(confined, "kv/src/lib.rs", "#![forbid(unsafe_code)]\n// unsafe\n"), []);
    assert_eq!(lines(confined, "kv/src/store/run.rs", "store\n    .sync()?;\n"), [2]);
    assert_eq!(lines(confined, "kv/src/tx/persist.rs", "store.sync()?;\n"), []);
    assert_eq!(lines(confined, "kv/src/db/open.rs", "u64::from_le_bytes(b)\n"), [1]);
    assert_eq!(lines(confined, "kv/src/format/meta.rs", "u64::from_le_bytes(b)\n"), []);
    assert_eq!(lines(confined, "kv/src/db/open.rs", "println!()\n"), [1]);
    assert_eq!(lines(forbids_unsafe, "kv/src/lib.rs", "//! #![forbid(unsafe_code)]\n"), [1]);
    assert_eq!(lines(forbids_unsafe, "kv/src/lib.rs", "#![forbid(unsafe_code)]\n"), []);
}

#[test]
fn what_is_too_long_or_badly_named_is_found() {
    let body = "    f();\n".repeat(FUNCTION_LINES_MAX - 2);
    let fitting = format!("/// A doc.\nfn f() {{\n{body}}}\n");
    assert_eq!(lines(sizes, "kv/src/lib.rs", &fitting), []);
    assert_eq!(lines(sizes, "kv/src/lib.rs", &fitting.replace("fn f() {", "fn f()\n{")), [2]);
    assert_eq!(lines(sizes, "kv/src/lib.rs", "trait T {\n    fn f();\n    fn g();\n}\n"), []);
    let long = "const A: u8 = 0;\n\n// Not code.\n".repeat(FILE_LINES_MAX);
    assert_eq!(lines(sizes, "kv/src/lib.rs", &long), []);
    assert_eq!(lines(sizes, "kv/src/lib.rs", &format!("{long}const B: u8 = 0;\n")), [1]);

    assert_eq!(lines(names_and_words, "kv/src/tx/util.rs", ""), [1]);
    assert_eq!(lines(names_and_words, "kv/tests/common/mod.rs", ""), [1]);
    assert_eq!(lines(names_and_words, "kv/src/tx/mod.rs", concat!("\n// TO", "DO: later\n")), [2]);
    assert_eq!(lines(names_and_words, "kv/src/tx/mod.rs", "\n\nconst A: &str = \"\u{e9}\";\n"), [3]);
}

#[test]
fn only_code_is_code() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y", b'z')"#, "f(      , b   )"),
        ("r#\"a \"b\" c\"# + r\"d\"", "             +     "),
        ("'a: loop { '\\'' '{' }", "'a: loop {          }"),
        ("for b in br\"x\"", "for b in b    "),
    ] {
        assert_eq!(blank(text), code, "{text}");
    }
}
