//! Which room may use which.

use crate::lines;
use crate::source::{Finding, Source, words};

/// The rooms of `kv`, lowest first: a room may know those before it.
pub(crate) const ROOMS: [&str; 6] = ["format", "store", "tree", "tx", "db", "table"];

/// The rooms of `kv-cli`, lowest first.
const CLI_ROOMS: [&str; 8] =
    ["notation", "failure", "terminal", "files", "arguments", "browse", "commands", "command_line"];

/// The rooms of `kv-etcd`, lowest first.
const ETCD_ROOMS: [&str; 4] = ["mvcc", "snapshot", "api", "server"];

/// `freelist-core <- pagefile-std <- kv <- kv-etcd`, and in it `format <- store <- tree <- tx <- db <- table`; `format <- error`, which all
/// other rooms use.
pub(crate) fn one_way_flow(source: &Source) -> Vec<Finding> {
    let above: &[&str] = match source.path.split('/').next() {
        Some("freelist-core") => &["pagefile_std", "kv", "kv_etcd"],
        Some("pagefile-std") => &["kv", "kv_etcd"],
        _ if source.path.starts_with("kv/src/") => &["kv_etcd"],
        _ => &[],
    };
    let mut findings = Vec::new();
    for name in above {
        let named = source.words(name).into_iter().filter(|at| source.code[at + name.len()..].starts_with("::"));
        findings.extend(named.map(|at| source.finding(at, format!("looks up at {name}: the arrow points down"))));
    }
    for (sources, name, rooms) in [("kv/cli/src/", "kv-cli", &CLI_ROOMS[..]), ("kv/etcd/src/", "kv-etcd", &ETCD_ROOMS)]
    {
        if let Some(module) = source.path.strip_prefix(sources) {
            return flow_above(source, module, name, rooms);
        }
    }
    let Some(module) = source.path.strip_prefix("kv/src/") else {
        return findings;
    };
    let module: Vec<&str> = module.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let Some(rank) = rank(module[0]) else { return findings };
    for (at, name) in crate_names(source.product(), &module) {
        let known = match ROOMS.iter().position(|room| *room == name) {
            Some(room) => room < rank || name == module[0],
            None => name == "error" && rank > 0,
        };
        if !known {
            let rule = format!(
                "`{}` looks at `{name}`: the flow is {} <- lib, and format <- error",
                module[0],
                ROOMS.join(" <- ")
            );
            findings.push(source.finding(at, rule));
        }
    }
    findings
}

/// The rooms of a crate above `kv`, each of which may know those before it.
fn flow_above(source: &Source, module: &str, of: &str, rooms: &[&str]) -> Vec<Finding> {
    let module: Vec<&str> = module.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    if ["lib", "main"].contains(&module[0]) {
        return Vec::new();
    }
    let rank = |name: &str| rooms.iter().position(|room| *room == name);
    let own = rank(module[0]).unwrap_or_else(|| panic!("{} is no room of {of}", module[0]));
    let above = crate_names(source.product(), &module).into_iter().filter(|(_, name)| rank(name) > Some(own));
    let rule = |name| format!("`{}` looks at `{name}`: the flow is {} <- lib", module[0], rooms.join(" <- "));
    above.map(|(at, name)| source.finding(at, rule(name))).collect()
}

/// How many rooms a file's room may know; none for the crate's root, which gathers all.
pub(crate) fn rank(room: &str) -> Option<usize> {
    match room {
        "lib" => None,
        "error" => Some(1),
        _ => Some(ROOMS.iter().position(|name| *name == room).unwrap_or_else(|| panic!("{room} is no room"))),
    }
}

/// What `crate::` and chains of `super::` that reach the crate's root name there, with their places.
pub(crate) fn crate_names(code: &str, module: &[&str]) -> Vec<(usize, String)> {
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
pub(crate) fn listed(text: &str) -> Vec<String> {
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
    assert_eq!(tree("use crate::MAX_KEY_SIZE;\n"), [1], "and so does that of a constant");
    assert_eq!(tree("// crate::tx\n/// [`Db`](crate::Db)\nconst A: &str = \"crate::tx\";\n"), []);
    assert_eq!(tree("#[cfg(test)]\nmod tests {\n    use crate::tx::Core;\n}\n"), [], "tests may look around");
    assert_eq!(tree("//! Models.\n#![cfg(test)]\nuse crate::tx::Core;\n"), [], "and so may files of nothing else");
    assert_eq!(lines(one_way_flow, "kv/src/db/surgery/edit.rs", "use super::super::open::newer;\n"), []);
    assert_eq!(lines(one_way_flow, "kv/src/error.rs", "use crate::format::MAX_KEY_SIZE;\n"), []);
    assert_eq!(lines(one_way_flow, "kv/src/error.rs", "use crate::store::Pages;\n"), [1]);
    assert_eq!(lines(one_way_flow, "kv/src/format/meta.rs", "use crate::error::Error;\n"), [1]);
    assert_eq!(lines(one_way_flow, "kv/src/tx/core.rs", "use crate::db::Db;\n"), [1]);
    assert_eq!(lines(one_way_flow, "kv/src/db/mod.rs", "use crate::tx::Core;\n"), []);
    assert_eq!(lines(one_way_flow, "kv/src/lib.rs", "pub use crate::db::Db;\n"), []);
    let cli = |text| lines(one_way_flow, "kv/cli/src/failure/mod.rs", text);
    assert_eq!(cli("use crate::notation::Format;\nuse remedy::explain;\nuse crate::terminal::Terminal;\n"), [3]);
    assert_eq!(lines(one_way_flow, "kv/cli/src/commands/get.rs", "use crate::command_line::Cli;\n"), [1]);
    assert_eq!(lines(one_way_flow, "kv/cli/src/lib.rs", "pub use crate::command_line::run;\n"), []);
    let mvcc = |text| lines(one_way_flow, "kv/etcd/src/mvcc/store.rs", text);
    assert_eq!(mvcc("use super::queue::Queue;\nuse crate::mvcc::Error;\nuse crate::snapshot::status;\n"), [3]);
    assert_eq!(lines(one_way_flow, "kv/etcd/src/snapshot/status.rs", "use crate::mvcc::Result;\n"), []);
    assert_eq!(lines(one_way_flow, "kv/src/db/db.rs", "use kv_etcd::mvcc::Store;\n"), [1]);
    assert_eq!(lines(one_way_flow, "freelist-core/src/page.rs", "use pagefile_std::View;\n"), [1]);
    assert_eq!(lines(one_way_flow, "pagefile-std/src/mem.rs", "use freelist_core::PageId;\n"), []);
}

/// Which rooms of `kv` each one looks at, read off its sources.
pub(crate) fn arrows(sources: &[Source]) -> Vec<(&'static str, Vec<&'static str>)> {
    let looks_at = |room: &str| {
        let prefix = format!("kv/src/{room}/");
        let inside = sources.iter().filter(|source| source.path.starts_with(&prefix));
        let names: Vec<String> = inside
            .flat_map(|source| {
                let module = source.path["kv/src/".len()..].trim_end_matches(".rs");
                let module: Vec<&str> = module.split('/').filter(|part| *part != "mod").collect();
                crate_names(source.product(), &module)
            })
            .map(|(_, name)| name)
            .collect();
        ROOMS.into_iter().filter(|other| *other != room && names.iter().any(|name| name == other)).collect()
    };
    ROOMS.into_iter().map(|room| (room, looks_at(room))).collect()
}

#[test]
fn the_picture_of_the_arrows() {
    let arrows = arrows(&crate::source::workspace());
    for (room, below) in &arrows {
        println!("{room:>8} -> {}", if below.is_empty() { "nothing".into() } else { below.join(", ") });
    }
    let looks = |room: &str| &arrows.iter().find(|(name, _)| *name == room).expect("a room").1;
    assert!(looks("format").is_empty(), "format is the lowest room");
    assert!(looks("tx").contains(&"tree"), "the picture shows an arrow that is there");
}
